from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.errors import UsageError
from bswirl.training.objectives import (
    ADVANTAGES,
    ErrorRates,
    JudgeRates,
    advantages,
    corrected,
    is_live,
    leave_one_out_advantages,
    mean_advantages,
    standardised_advantages,
    taper,
    weighted_negative,
)

group = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 6)), min_size=1, max_size=8)
binary_group = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.integers(1, 6)), min_size=1, max_size=8)
rates = st.tuples(st.floats(0, 0.4), st.floats(0, 0.4))


def spelled(entries: list[tuple[float, int]]) -> list[tuple[int, float]]:
    """Every sample by itself: which action it is of, and its reward."""
    return [(index, reward) for index, (reward, count) in enumerate(entries) for _ in range(count)]


def parts(entries: list[tuple[float, int]]) -> tuple[list[float], list[int]]:
    return [reward for reward, _ in entries], [count for _, count in entries]


class TestAdvantages:
    def test_mean_is_over_samples(self) -> None:
        """An action sampled three times weighs three times in its group's baseline."""
        assert mean_advantages([1.0, 0.0], [3, 1]) == [0.25, -0.75]

    def test_leave_one_out_is_over_the_other_samples(self) -> None:
        """The others of a sample of the first action: two like itself and one 0."""
        assert leave_one_out_advantages([1.0, 0.0], [3, 1]) == pytest.approx([1 - 2 / 3, -1.0])

    def test_standardised_is_in_units_of_the_sample_deviation(self) -> None:
        """Samples 1, 1, 1, 0: mean 3/4, standard deviation 1/2."""
        values = standardised_advantages([1.0, 0.0], [3, 1])
        assert values == pytest.approx([0.25 / (0.5 + 1e-6), -0.75 / (0.5 + 1e-6)])

    @given(group)
    def test_mean_equals_the_plain_version(self, entries: list[tuple[float, int]]) -> None:
        """Counting samples equals listing each of them."""
        every = [reward for _, reward in spelled(entries)]
        plain = [reward - sum(every) / len(every) for reward, _ in entries]
        assert mean_advantages(*parts(entries)) == pytest.approx(plain, abs=1e-9)

    @given(group)
    def test_leave_one_out_equals_the_plain_version(self, entries: list[tuple[float, int]]) -> None:
        """Each sample against the mean of the list without it; equal samples get the same."""
        every = spelled(entries)
        plain = {}
        for place, (index, reward) in enumerate(every):
            others = [other for at, (_, other) in enumerate(every) if at != place]
            plain[index] = reward - sum(others) / len(others) if others else 0.0
        expected = [plain[index] for index in range(len(entries))]
        assert leave_one_out_advantages(*parts(entries)) == pytest.approx(expected, abs=1e-9)

    @given(binary_group)
    def test_standardised_equals_the_plain_version(self, entries: list[tuple[float, int]]) -> None:
        """(R − mean)/(stdev + 1e-6) of the listed samples."""
        every = [reward for _, reward in spelled(entries)]
        spread = statistics.stdev(every) + 1e-6 if len(every) > 1 else math.inf
        plain = [(reward - statistics.mean(every)) / spread for reward, _ in entries]
        assert standardised_advantages(*parts(entries)) == pytest.approx(plain, abs=1e-9)

    @given(group)
    def test_mean_is_a_share_of_leave_one_out(self, entries: list[tuple[float, int]]) -> None:
        """R − mean = (N − 1)/N of the leave-one-out advantage."""
        rewards, counts = parts(entries)
        share = (sum(counts) - 1) / sum(counts)
        scaled = [share * value for value in leave_one_out_advantages(rewards, counts)]
        if sum(counts) > 1:
            assert mean_advantages(rewards, counts) == pytest.approx(scaled, abs=1e-9)

    @given(binary_group, st.sampled_from(sorted(ADVANTAGES)))
    def test_weighted_advantages_sum_to_zero(self, entries: list[tuple[float, int]], baseline: str) -> None:
        """Σ n·A = 0 in every group, whatever the baseline."""
        rewards, counts = parts(entries)
        values = advantages(rewards, counts, baseline)
        assert sum(a * n for a, n in zip(values, counts, strict=True)) == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("baseline", sorted(ADVANTAGES))
    def test_dead_group(self, baseline: str) -> None:
        """Equal rewards are a dead group with zero advantages, a lone sample too."""
        assert not is_live([1.0, 1.0])
        assert is_live([1.0, 0.0])
        assert advantages([1.0, 1.0], [1, 2], baseline) == [0.0, 0.0]
        assert advantages([1.0], [1], baseline) == [0.0]


class TestNegatives:
    def test_weight_touches_negatives_only(self) -> None:
        """λ scales c < 0; 0 leaves the positive part and 1 the formula as written."""
        assert weighted_negative(0.5, 0.0) == 0.5
        assert weighted_negative(-0.5, 0.0) == 0.0
        assert weighted_negative(-0.5, 1.0) == -0.5
        assert weighted_negative(-0.5, 0.3) == pytest.approx(-0.15)

    def test_taper_is_the_truncated_ratio(self) -> None:
        """c·min(1, π/π_start) for c < 0, c otherwise."""
        assert taper(0.5, -20.0, -10.0) == 0.5
        assert taper(-0.5, -10.0, -10.0) == -0.5
        assert taper(-0.5, -9.0, -10.0) == -0.5
        assert taper(-0.5, -12.0, -10.0) == pytest.approx(-0.5 * math.exp(-2))
        assert taper(-0.5, -1e6, -10.0) == 0.0


class TestCorrection:
    @given(st.sampled_from([0.0, 1.0]), rates)
    def test_is_the_true_reward_on_average(self, truth: float, pair: tuple[float, float]) -> None:
        """Over the verdicts that a judge of these rates gives: E[R̃ | true reward] = true reward."""
        fpr, fnr = pair
        rewarded = 1 - fnr if truth else fpr
        mean = rewarded * corrected(1.0, fpr, fnr) + (1 - rewarded) * corrected(0.0, fpr, fnr)
        assert mean == pytest.approx(truth, abs=1e-9)

    @given(binary_group, rates)
    def test_only_rescales_inside_a_group_of_one_source(
        self, entries: list[tuple[float, int]], pair: tuple[float, float]
    ) -> None:
        """Advantages become 1/(1 − FPR − FNR) times as large: nothing changes sign or order."""
        rewards, counts = parts(entries)
        before = mean_advantages(rewards, counts)
        after = mean_advantages([corrected(reward, *pair) for reward in rewards], counts)
        assert after == pytest.approx([value / (1 - sum(pair)) for value in before], abs=1e-9)

    def test_no_error_changes_nothing(self) -> None:
        """Rates of 0 leave the reward as it is."""
        assert [corrected(reward, 0.0, 0.0) for reward in (0.0, 0.5, 1.0)] == [0.0, 0.5, 1.0]

    def test_uninformative_judges_are_refused(self) -> None:
        """Below 1 − FPR − FNR = 0.2 in one clear line; at 0.2 it still goes."""
        assert corrected(1.0, 0.4, 0.4) == pytest.approx(3.0)
        for refuse in (lambda: corrected(1.0, 0.5, 0.31), lambda: ErrorRates(0.5, 0.31)):
            with pytest.raises(UsageError, match=r"judge_fpr 0\.5 and judge_fnr 0\.31 leave") as caught:
                refuse()
            assert "\n" not in str(caught.value)

    def test_rates_are_looked_up_by_judge_and_depth(self) -> None:
        """The judge at that depth, the judge at all depths, then what holds overall."""
        table = JudgeRates(
            ErrorRates(0.1, 0.0),
            {("strict", 2): ErrorRates(0.0, 0.3), ("strict", None): ErrorRates(0.0, 0.2)},
        )
        assert table.of("strict", 2).fnr == 0.3
        assert table.of("strict", 1).fnr == 0.2
        assert table.of("lax", 2).fpr == 0.1
        assert table.of(None, 2).fpr == 0.1
        assert table.corrected(1.0, "strict", 2) == pytest.approx(1 / 0.7)
