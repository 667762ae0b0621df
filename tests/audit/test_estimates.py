"""Rates, κ and their intervals against plain slow versions."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.audit.estimates import MARGIN, Pair, agreement, rates
from bswirl.statistics import (
    clustered_wilson_interval,
    cohen_kappa,
    effective_number,
    jackknife_interval,
    observations_needed,
    student_quantile,
    wilson_interval,
)

PAIRS = st.lists(
    st.builds(Pair, st.booleans(), st.booleans(), st.integers(0, 5), st.sampled_from([1.0, 2.5, 7.0])),
    max_size=30,
)


def slow_share(pairs: list[Pair]) -> Fraction | None:
    total = sum(Fraction(pair.weight) for pair in pairs)
    same = sum(Fraction(pair.weight) for pair in pairs if pair.said == pair.truth)
    return same / total if pairs else None


class TestRates:
    @given(PAIRS)
    def test_shares_are_those_of_the_weights(self, pairs: list[Pair]) -> None:
        """In exact fractions; intervals hold their value; nothing to go by gives nothing."""
        found = rates(pairs)
        for estimate, kept in (
            (found.accuracy, pairs),
            (found.tpr, [pair for pair in pairs if pair.truth]),
            (found.tnr, [pair for pair in pairs if not pair.truth]),
        ):
            expected = slow_share(kept)
            if expected is None:
                assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
            else:
                assert estimate.value == pytest.approx(float(expected))
                assert estimate.low <= estimate.value <= estimate.high

    @given(PAIRS)
    def test_kappa_of_whole_weights_is_that_of_copies(self, pairs: list[Pair]) -> None:
        """A step with weight 3 counts as three steps."""
        whole = [Pair(p.said, p.truth, p.question, float(math.ceil(p.weight))) for p in pairs]
        copies = [Pair(p.said, p.truth, p.question) for p in whole for _ in range(int(p.weight))]
        assert rates(whole).kappa.value == pytest.approx(rates(copies).kappa.value)

    def test_known_matrix(self) -> None:
        """κ of 20, 5, 10, 15 is 0.4 (a textbook's table)."""
        pairs = [
            Pair(said, truth, n)
            for n, (said, truth) in enumerate(
                [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
            )
        ]
        found = rates(pairs)
        assert found.kappa.value == pytest.approx(0.4)
        assert (found.tpr.value, found.tnr.value) == (pytest.approx(2 / 3), 0.75)
        half = 2.01 * 0.1285 / (1 - 0.4**2)  # the textbook's standard error, on the scale artanh κ
        assert (found.kappa.low, found.kappa.high) == (
            pytest.approx(math.tanh(math.atanh(0.4) - half), abs=0.01),
            pytest.approx(math.tanh(math.atanh(0.4) + half), abs=0.01),
        )

    def test_a_judge_that_is_always_wrong(self) -> None:
        """Also where equal chances were multiplied in another order, and weights differ in the last digit."""
        first, second = (1 - 1 / 3) * (1 - 1 / 30) * (1 - 1 / 7), (1 - 1 / 7) * (1 - 1 / 30) * (1 - 1 / 3)
        pairs = [Pair(True, False, 1, 1 / (1 - first)), Pair(False, True, 2, 1 / (1 - second))]
        assert rates(pairs).kappa.value == -1

    def test_agreement_is_symmetric(self) -> None:
        """Between auditors neither is the truth."""
        rng = random.Random(0)
        pairs = [Pair(rng.random() < 0.7, rng.random() < 0.6, n // 3) for n in range(60)]
        swapped = [Pair(pair.truth, pair.said, pair.question) for pair in pairs]
        first, second = agreement(pairs), agreement(swapped)
        assert first.agreement == second.agreement
        assert first.kappa.value == pytest.approx(second.kappa.value)


class TestMore:
    """How many more labels until ±3 points."""

    def test_reaches_the_margin(self) -> None:
        """With that many more labels like these the interval is ±3 points, with a tenth fewer it is not."""
        pairs = [Pair(True, n % 5 != 0, n) for n in range(200)]
        more = rates(pairs).more_accuracy
        assert more is not None

        def half(n: int) -> float:
            low, high = wilson_interval(round(n * 0.8), n)
            return (high - low) / 2

        assert half(200 + more) <= MARGIN * 1.02
        assert half(int((200 + more) * 0.9)) > MARGIN

    def test_unequal_weights(self) -> None:
        """It goes by the share that is reported, not by that of the labels as they are."""
        heavy = [Pair(True, n % 20 != 0, n, 20.0) for n in range(200)]
        pairs = [*heavy, *(Pair(True, n % 2 == 0, 200 + n, 1.0) for n in range(200))]
        more = rates(pairs).more_accuracy
        assert more is not None

        def half(times: float) -> float:
            agreed = [pair.said == pair.truth for pair in pairs]
            weights = [pair.weight for pair in pairs]
            worth = times * effective_number(agreed, range(len(pairs)), weights)
            share = 19.5 / 21
            low, high = wilson_interval(round(worth * share), round(worth))
            return (high - low) / 2

        assert half((400 + more) / 400) <= MARGIN * 1.02
        assert half((400 + more) / 400 * 0.85) > MARGIN

    def test_rare_kinds_take_more(self) -> None:
        """Where one step in ten is bad, its rate takes ten times the labels of its own."""
        pairs = [Pair(n % 3 != 0, n % 10 != 0, n) for n in range(300)]
        found = rates(pairs)
        assert found.more_tnr is not None
        assert found.more_tpr is not None
        assert found.more_tnr > 5 * found.more_tpr

    def test_enough_is_enough(self) -> None:
        """Nothing more where the interval is narrow already; nothing known without a label."""
        assert rates([Pair(n % 2 == 0, n % 4 == 0, n) for n in range(5000)]).more_accuracy == 0
        assert rates([]).more_accuracy is None

    @given(st.floats(0, 1), st.sampled_from([0.03, 0.1]))
    def test_least_number(self, share: float, margin: float) -> None:
        """One observation fewer is not enough."""

        def half(n: int) -> float:
            z = 1.959963984540054
            return z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))

        n = observations_needed(share, margin)
        assert half(n) <= margin + 1e-9
        assert n == 1 or half(n - 1) > margin - 1e-9


class TestWeightedIntervals:
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.floats(0.5, 9)), min_size=2, max_size=30))
    def test_effective_number_by_the_double_sum(self, rows: list[tuple[bool, int, float]]) -> None:
        """The sandwich variance over all pairs of one cluster, and Kish's bound."""
        successes, clusters, weights = (list(column) for column in zip(*rows, strict=True))
        total, groups = math.fsum(weights), len(set(clusters))
        kish = total**2 / sum(w * w for w in weights)
        share = sum(w for s, _, w in rows if s) / total
        found = effective_number(successes, clusters, weights)
        if groups < 2 or len(set(successes)) < 2:
            assert found == pytest.approx(min(kish, groups))
            return
        meat = sum(v * w * (a - share) * (b - share) for a, x, v in rows for b, y, w in rows if x == y)
        variance = meat * groups / (groups - 1) / total**2
        if variance > 1e-12:
            assert found == pytest.approx(min(kish, share * (1 - share) / variance))

    def test_equal_weights_change_nothing(self) -> None:
        """Weights of 3 throughout give the interval without weights."""
        successes, clusters = [True, False, True, True, False], [1, 1, 2, 3, 3]
        plain = clustered_wilson_interval(successes, clusters)
        assert clustered_wilson_interval(successes, clusters, weights=[3.0] * 5) == pytest.approx(plain)

    def test_jackknife_of_a_mean_is_the_clustered_t_interval(self) -> None:
        """For clusters of one size leaving out one each gives the textbook interval of the mean."""
        values = [1.0, 4.0, 2.0, 7.0, 5.0]
        low, high = jackknife_interval([[value, 1.0] for value in values], lambda sums: sums[0] / sums[1])
        mean = sum(values) / 5
        error = math.sqrt(sum((value - mean) ** 2 for value in values) / 4 / 5)
        assert (low + high) / 2 == pytest.approx(mean)
        assert (high - low) / 2 == pytest.approx(2.776445 * error, rel=1e-3)

    def test_jackknife_knows_nothing_of_one_cluster(self) -> None:
        """Nor of a statistic that does not vary."""
        assert all(map(math.isnan, jackknife_interval([[1.0, 2.0]], lambda sums: sums[0])))
        assert all(map(math.isnan, jackknife_interval([[1.0], [1.0]], lambda sums: 3.0)))

    def test_kappa_covers(self) -> None:
        """The jackknife's 95 % interval of κ holds the truth in more than nine of ten samples in clusters."""
        rng = random.Random(1)
        held = 0
        for _ in range(300):
            pairs = []
            for question in range(80):
                easy = rng.random() < 0.5
                for _step in range(3):
                    truth = rng.random() < 0.6
                    right = rng.random() < (0.95 if easy else 0.7)
                    pairs.append(Pair(truth == right, truth, question))
            estimate = rates(pairs).kappa
            assert estimate.low is not None
            assert estimate.high is not None
            # the four shares of the population: 0.825 right
            true = cohen_kappa(0.6 * 0.825, 0.4 * 0.175, 0.6 * 0.175, 0.4 * 0.825)
            held += estimate.low <= true <= estimate.high
        assert held / 300 > 0.9

    def test_few_questions_that_happen_to_agree_are_no_certainty(self) -> None:
        """Four questions with the same κ: the interval is that of their 24 steps."""
        cells = [(True, True)] * 3 + [(True, False)] + [(False, False)] * 2
        pairs = [Pair(said, truth, question) for question in range(4) for said, truth in cells]
        alone = [Pair(pair.said, pair.truth, number) for number, pair in enumerate(pairs)]
        assert rates([*pairs, Pair(True, True, 3)]).kappa.low == pytest.approx(
            rates([*alone, Pair(True, True, 99)]).kappa.low
        )
        found = rates(pairs).kappa
        assert found.low is not None
        assert found.high is not None
        assert found.high - found.low > 0.4

    @pytest.mark.parametrize(("good", "tpr", "tnr"), [(0.7, 0.95, 0.6), (0.9, 0.98, 0.5)])
    def test_kappa_covers_in_small_samples(self, good: float, tpr: float, tnr: float) -> None:
        """Thirty to sixty labels, as between auditors: at least 93 %, and never beyond what κ can be."""
        rng = random.Random(2)
        true = cohen_kappa(good * tpr, (1 - good) * (1 - tnr), good * (1 - tpr), (1 - good) * tnr)
        held = told = 0
        for _ in range(400):
            pairs = []
            for question in range(45):
                truth = rng.random() < good
                pairs.append(Pair(truth == (rng.random() < (tpr if truth else tnr)), truth, question))
            estimate = rates(pairs).kappa
            if estimate.low is None or estimate.high is None:
                continue
            told += 1
            held += estimate.low <= true <= estimate.high
            assert -1 < estimate.low < estimate.high < 1
        assert told > 350
        assert held / told > 0.93


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (5, 2.5706), (9, 2.2622), (30, 2.0423)]
)
def test_student_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    """Two-sided 95 %."""
    assert student_quantile(0.975, freedom) == pytest.approx(quantile, rel=2e-3)
