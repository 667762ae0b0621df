"""Intervals and tests against plain slow versions."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.statistics import clustered_mean_interval, mcnemar_exact, sign_flip_p, wilson_interval


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
