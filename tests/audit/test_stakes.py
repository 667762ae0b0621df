"""High stakes: the chance that a reward is wrong times what a flip would change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.audit.stakes import (
    PRIOR_WRONG,
    Audited,
    Cell,
    certified_chance,
    chances_wrong,
    signal_change,
    vote_closeness,
)
from bswirl.certificates import DepthRates, Rates
from tests.certified import a_certificate


def advantages(group: list[tuple[int, float]]) -> list[float]:
    mean = sum(n * reward for n, reward in group) / sum(n for n, _ in group)
    return [reward - mean for _, reward in group]


class TestSignalChange:
    @given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0.0, 1.0, 0.3])), min_size=1, max_size=6))
    def test_equals_the_flip_worked_out(self, group: list[tuple[int, float]]) -> None:
        """Every advantage before and after, weighted by samples, in live and dead groups alike."""
        total = sum(n for n, _ in group)
        before = advantages(group)
        for place, (n, reward) in enumerate(group):
            flipped = [*group[:place], (n, 1.0 if reward < 0.5 else 0.0), *group[place + 1 :]]
            after = advantages(flipped)
            moved = sum(m * abs(a - b) for (m, _), a, b in zip(group, after, before, strict=True))
            assert signal_change(n, total, reward) == pytest.approx(moved)

    def test_an_only_action_moves_nothing(self) -> None:
        """Alone at its state, no reward of it makes an advantage."""
        assert signal_change(3, 3, 1.0) == 0


class TestChances:
    def test_without_anything_the_stated_prior(self) -> None:
        """One in ten."""
        cell = Cell(1, True, 2)
        assert chances_wrong({cell: Audited(50)}, {}) == {cell: pytest.approx(PRIOR_WRONG)}

    def test_audits_pull_the_depth_they_are_of_most(self) -> None:
        """Forty checked at depth 3, half of them wrong: depth 3 near a half, depth 1 in between."""
        cells = {Cell(1, True, 1): Audited(100), Cell(1, True, 3): Audited(100, 40, 20)}
        found = chances_wrong(cells, {})
        overall = (20 + 10 * PRIOR_WRONG) / 50
        assert found[Cell(1, True, 1)] == pytest.approx(overall)
        assert found[Cell(1, True, 3)] == pytest.approx((20 + 10 * overall) / 50)

    def test_judges_and_words_are_apart(self) -> None:
        """What was found of good verdicts says nothing of bad ones."""
        cells = {Cell(1, True, 1): Audited(10, 10, 10), Cell(1, False, 1): Audited(10)}
        assert chances_wrong(cells, {})[Cell(1, False, 1)] == pytest.approx(PRIOR_WRONG)

    @given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60), st.integers(1, 60))
    def test_a_certificate_gives_bayes(self, tp: int, fn: int, fp: int, tn: int) -> None:
        """With the certified rates, a share of good steps gives back its own chances of being wrong."""
        tpr, fpr = tp / (tp + fn), fp / (fp + tn)
        rates = DepthRates(None, 0, Rates(tp, fn, fp, tn), Rates())
        if tpr <= fpr:
            assert certified_chance(rates, 0.5, said=True) is None
            return
        share = 0.7
        said_good = tpr * share + fpr * (1 - share)
        assert certified_chance(rates, said_good, said=True) == pytest.approx(fpr * (1 - share) / said_good)
        if said_good < 1:
            expected = (1 - tpr) * share / (1 - said_good)
            assert certified_chance(rates, said_good, said=False) == pytest.approx(expected)

    def test_a_certificate_stands_in_for_the_prior(self) -> None:
        """The judge's own, by number."""
        cell = Cell(4, True, 1)
        found = chances_wrong({cell: Audited(10)}, {4: a_certificate()})
        assert found[cell] == pytest.approx(certified_chance(a_certificate().overall, 1.0, said=True))


class TestVotes:
    @pytest.mark.parametrize(
        ("correct", "progress", "closeness"), [(1, 1, 0), (0, 0.6, 0), (0.5, 1, 1), (0.75, 1, 0.5), (0, 0, 0)]
    )
    def test_closeness(self, correct: float, progress: float, closeness: float) -> None:
        """Of the reward's odds, not of any one vote: a clear no on correct leaves no doubt."""
        assert vote_closeness(correct, progress) == pytest.approx(closeness)
