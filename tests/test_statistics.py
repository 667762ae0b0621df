"""Intervals and tests against plain slow versions."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.statistics import (
    cluster_bootstrap_interval,
    clustered_mean_interval,
    clustered_wilson_interval,
    cohen_kappa,
    mcnemar_exact,
    sign_flip_p,
    wilson_interval,
)


class TestWilson:
    """wilson_interval."""

    @given(st.integers(1, 400), st.data())
    def test_bounds_solve_the_score_equation(self, n: int, data: st.DataObject) -> None:
        """At each bound p the observed share is exactly z standard errors of p away."""
        successes = data.draw(st.integers(0, n))
        low, high = wilson_interval(successes, n)
        share = successes / n
        assert 0 <= low <= share <= high <= 1
        for bound in (low, high):
            if 0 < bound < 1:
                assert abs(share - bound) == pytest.approx(
                    1.959963985 * math.sqrt(bound * (1 - bound) / n), rel=1e-6
                )

    def test_known_value_and_edges(self) -> None:
        """10 of 100 gives 5.5% to 17.4% (published table); nothing seen says nothing."""
        low, high = wilson_interval(10, 100)
        assert (round(low, 4), round(high, 4)) == (0.0552, 0.1744)
        assert wilson_interval(0, 0) == (0.0, 1.0)
        with pytest.raises(ValueError, match="5 successes of 4"):
            wilson_interval(5, 4)


class TestMcnemar:
    """mcnemar_exact."""

    @given(st.integers(0, 6), st.integers(0, 6))
    def test_equals_counting_all_outcomes(self, fixed: int, broken: int) -> None:
        """p is the share of coin sequences at least as uneven, on either side."""
        n = fixed + broken
        outcomes = [sum(flips) for flips in itertools.product((0, 1), repeat=n)]
        uneven = abs(fixed - n / 2)
        slow = sum(abs(heads - n / 2) >= uneven for heads in outcomes) / len(outcomes)
        assert mcnemar_exact(fixed, broken) == pytest.approx(slow)

    def test_many_pairs_do_not_overflow(self) -> None:
        """Thousands of discordant pairs give a p between 0 and 1."""
        assert 0 < mcnemar_exact(5_000, 5_300) < 0.01
        assert mcnemar_exact(20_000, 20_000) == 1.0


class TestClusteredMean:
    """clustered_mean_interval."""

    @given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 4)), min_size=2, max_size=30))
    def test_equals_the_plain_sandwich(self, pairs: list[tuple[float, int]]) -> None:
        """The sum over all pairs of residuals in the same cluster."""
        values, clusters = [v for v, _ in pairs], [c for _, c in pairs]
        mean, low, high = clustered_mean_interval(values, clusters)
        assert mean == pytest.approx(sum(values) / len(values), abs=1e-12)
        groups = len(set(clusters))
        if groups < 2:
            assert math.isnan(low)
            assert math.isnan(high)
            return
        meat = sum((a - mean) * (b - mean) for a, x in pairs for b, y in pairs if x == y)
        half = 1.959963985 * math.sqrt(max(0.0, meat) * groups / (groups - 1)) / len(values)
        assert high - mean == pytest.approx(half, abs=1e-6)
        assert mean - low == pytest.approx(half, abs=1e-6)

    def test_clusters_of_one_are_the_usual_standard_error(self) -> None:
        """Without clusters it is s/√n."""
        values = [1.0, 2.0, 4.0, 9.0]
        mean, low, _ = clustered_mean_interval(values, range(4))
        deviation = math.sqrt(sum((value - 4) ** 2 for value in values) / 3)
        assert mean - low == pytest.approx(1.959963985 * deviation / 2)


class TestSignFlip:
    """sign_flip_p."""

    @given(st.lists(st.integers(-5, 5), max_size=9))
    def test_equals_enumeration(self, differences: list[int]) -> None:
        """The share of all sign patterns whose sum is at least as far from 0."""
        patterns = list(itertools.product((-1, 1), repeat=len(differences)))
        far = sum(
            abs(sum(sign * value for sign, value in zip(pattern, differences, strict=True)))
            >= abs(sum(differences))
            for pattern in patterns
        )
        assert sign_flip_p(differences) == pytest.approx(far / len(patterns), rel=1e-12)

    @given(st.integers(0, 60), st.integers(0, 60))
    def test_is_mcnemar_where_differences_are_single(self, fixed: int, broken: int) -> None:
        """With differences of one it is McNemar's exact test, whatever pairs did not change."""
        differences = [1] * fixed + [-1] * broken + [0] * 7
        assert sign_flip_p(differences) == pytest.approx(mcnemar_exact(fixed, broken), rel=1e-9)

    def test_a_large_clear_difference(self) -> None:
        """Hundreds of pairs are counted exactly, and far tails do not vanish."""
        assert sign_flip_p([3] * 60 + [-1] * 20 + [0] * 420) == pytest.approx(
            sign_flip_p([-3] * 60 + [1] * 20)
        )
        assert 0 < sign_flip_p([3] * 100) == pytest.approx(2.0**-99)


def share(counts: list[int] | tuple[int, ...]) -> float:
    """Of (successes, observations); NaN where nothing was observed."""
    return counts[0] / counts[1] if counts[1] else math.nan


class TestClusteredWilson:
    """clustered_wilson_interval."""

    @given(st.lists(st.booleans(), min_size=1, max_size=60))
    def test_never_narrower_than_without_clusters(self, successes: list[bool]) -> None:
        """Clusters of one, or of copies, leave Wilson's interval of the clusters."""
        low, high = clustered_wilson_interval(successes, range(len(successes)))
        plain = wilson_interval(sum(successes), len(successes))
        if 0 < sum(successes) < len(successes):
            n = len(successes)
            design = n / (n - 1)  # all that single observations add: the g/(g−1) correction
            z2 = 1.959963985**2
            assert low <= plain[0] + 1e-12
            assert high >= plain[1] - 1e-12
            # Width is 2z/(n + z²)·√(np(1 − p) + z²/4). With n/d for n the factor before the root grows by
            # d(n + z²)/(n + dz²), which is below d, and the root shrinks.
            widening = design * (n + z2) / (n + design * z2)
            assert (high - low) / (plain[1] - plain[0]) <= widening + 1e-9
        else:
            assert (low, high) == pytest.approx(plain)

    @given(st.lists(st.booleans(), min_size=2, max_size=30), st.integers(2, 6))
    def test_copies_add_nothing(self, successes: list[bool], copies: int) -> None:
        """Every observation several times in its cluster: the interval of the clusters."""
        every = [value for value in successes for _ in range(copies)]
        clusters = [place for place in range(len(successes)) for _ in range(copies)]
        once = clustered_wilson_interval(successes, range(len(successes)))
        assert clustered_wilson_interval(every, clusters) == pytest.approx(once)

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
    def test_bounds_solve_the_score_equation_of_the_effective_number(
        self, pairs: list[tuple[bool, int]]
    ) -> None:
        """n over the ratio of the sandwich variance, summed over all pairs, to share·(1 − share)/n."""
        successes, clusters = [s for s, _ in pairs], [c for _, c in pairs]
        n, groups, p = len(pairs), len(set(clusters)), sum(successes) / len(pairs)
        effective = float(groups)
        if 0 < p < 1 and groups > 1:
            meat = sum((a - p) * (b - p) for a, x in pairs for b, y in pairs if x == y)
            effective = n / max(1.0, max(0.0, meat) * groups / (groups - 1) / n / (p * (1 - p)))
        low, high = clustered_wilson_interval(successes, clusters)
        assert 0 <= low <= p <= high <= 1
        for bound in (low, high):
            if 0 < bound < 1:
                error = math.sqrt(bound * (1 - bound) / effective)
                assert abs(p - bound) == pytest.approx(1.959963985 * error, rel=1e-6)

    def test_nothing_seen_says_nothing(self) -> None:
        """No observation: 0 to 1; a cluster of a hundred that agree counts once."""
        assert clustered_wilson_interval([], []) == (0.0, 1.0)
        assert clustered_wilson_interval([True] * 100, [7] * 100) == pytest.approx(wilson_interval(1, 1))


class TestClusterBootstrap:
    """cluster_bootstrap_interval."""

    @given(
        st.lists(st.lists(st.booleans(), min_size=0, max_size=4), min_size=1, max_size=5),
        st.integers(0, 2**31),
    )
    def test_equals_drawing_and_pooling(self, clusters: list[list[bool]], seed: int) -> None:
        """Summed vectors give what pooling the drawn clusters' observations gives, draw by draw."""
        counts = [(sum(cluster), len(cluster)) for cluster in clusters]
        draw = random.Random(seed)
        shares = []
        for _ in range(40):
            drawn = draw.choices(range(len(clusters)), k=len(clusters))
            pooled = [value for place in drawn for value in clusters[place]]
            shares += [sum(pooled) / len(pooled)] if pooled else []
        found = cluster_bootstrap_interval(counts, share, resamples=40, seed=seed, confidence=0.5)
        if not shares:
            assert all(map(math.isnan, found))
            return
        at_most = [sum(other <= value for other in shares) / len(shares) for value in shares]
        low = min(value for value, rank in zip(shares, at_most, strict=True) if rank >= 0.25 - 1e-9)
        high = min(value for value, rank in zip(shares, at_most, strict=True) if rank >= 0.75 - 1e-9)
        assert found == (low, high)

    @pytest.mark.parametrize("confidence", [0.95, 0.8])
    def test_comes_to_the_enumerated_quantiles(self, confidence: float) -> None:
        """All 5⁵ resamples are equally likely: the bounds are quantiles of their distribution."""
        counts = [(1, 3), (4, 4), (0, 2), (2, 5), (5, 7)]
        every = [
            share([sum(column) for column in zip(*drawn, strict=True)])
            for drawn in itertools.product(counts, repeat=len(counts))
        ]
        low, high = cluster_bootstrap_interval(counts, share, resamples=20_000, confidence=confidence)
        tail = (1 - confidence) / 2
        for bound, wanted in ((low, tail), (high, 1 - tail)):
            below = sum(value < bound - 1e-12 for value in every) / len(every)
            at_most = sum(value <= bound + 1e-12 for value in every) / len(every)
            assert below <= wanted + 0.006
            assert at_most >= wanted - 0.006

    def test_the_seed_decides(self) -> None:
        """The same seed gives the same interval; without a cluster there is none."""
        counts = [(place % 3, 3) for place in range(50)]
        first = cluster_bootstrap_interval(counts, share, seed=4)
        assert first == cluster_bootstrap_interval(counts, share, seed=4)
        assert first != cluster_bootstrap_interval(counts, share, seed=5)
        with pytest.raises(ValueError, match="no cluster"):
            cluster_bootstrap_interval([], share)


class TestKappa:
    """cohen_kappa."""

    @given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
    def test_equals_the_plain_version(self, pairs: list[tuple[bool, bool]]) -> None:
        """Observed agreement against that of all pairs of one rater's answer with the other's."""
        counts = [pairs.count(pair) for pair in itertools.product((True, False), repeat=2)]
        kappa = cohen_kappa(*counts)
        chance = [a == b for a, _ in pairs for _, b in pairs]
        if not pairs or all(chance):
            assert math.isnan(kappa)
            return
        observed, expected = sum(a == b for a, b in pairs) / len(pairs), sum(chance) / len(chance)
        assert kappa == pytest.approx((observed - expected) / (1 - expected), abs=1e-12)

    def test_known_values(self) -> None:
        """Cohen's formula on a published table (20, 5, 10, 15: κ = 0.4), and its edges."""
        assert cohen_kappa(20, 5, 10, 15) == pytest.approx(0.4)
        assert cohen_kappa(7, 0, 0, 3) == 1.0
        assert cohen_kappa(0, 5, 5, 0) == -1.0
        assert cohen_kappa(0, 2.2340425531914896, 2.23404255319149, 0) == -1.0  # weights that round apart
        assert math.isnan(cohen_kappa(9, 0, 0, 0))
