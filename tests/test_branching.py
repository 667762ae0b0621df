"""When a state gets more samples, and when none would help."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.branching import LEAST_GROUPS, Group, Prior, Rule, chance_live, fit_prior


class TestTheChanceOfALiveGroup:
    def test_uniform_prior_has_a_closed_form(self) -> None:
        """After m equal rewards, r more bring another kind with r / (m + 1 + r): Laplace's rule, summed."""
        uniform = Prior(1.0, 1.0)
        assert chance_live(5, 0, 8, uniform) == pytest.approx(8 / 14)
        assert chance_live(0, 3, 1, uniform) == pytest.approx(1 / 5)

    def test_it_agrees_with_drawing(self) -> None:
        """Rates drawn from the prior, those kept that gave four ones, and then three more samples each."""
        prior, chance = Prior(2.0, 0.7), random.Random(0)
        kept = live = 0
        for _ in range(60_000):
            p = chance.betavariate(prior.a, prior.b)
            if all(chance.random() < p for _ in range(4)):
                kept += 1
                live += any(chance.random() >= p for _ in range(3))
        assert chance_live(4, 0, 3, prior) == pytest.approx(live / kept, abs=0.01)

    @given(st.integers(0, 50), st.integers(0, 50), st.floats(0.01, 50), st.floats(0.01, 50))
    def test_it_grows_with_what_is_left_and_shrinks_with_what_was_seen(
        self, seen: int, more: int, a: float, b: float
    ) -> None:
        """And is a chance."""
        prior = Prior(a, b)
        now = chance_live(seen + 1, 0, more, prior)
        assert 0 <= now <= 1
        assert chance_live(seen + 1, 0, more + 1, prior) >= now
        assert chance_live(seen + 2, 0, more, prior) <= now + 1e-12

    def test_a_live_group_is_live(self) -> None:
        assert chance_live(1, 1, 0, Prior()) == 1.0


class TestThePrior:
    def test_it_finds_the_rates_that_made_the_groups(self) -> None:
        """3,000 groups of six from Beta(3, 0.5): its mean, and that it is neither flat nor a point."""
        chance = random.Random(1)
        groups = []
        for _ in range(3000):
            p = chance.betavariate(3.0, 0.5)
            ones = sum(chance.random() < p for _ in range(6))
            groups.append(Group(ones, 6 - ones, 6))
        prior = fit_prior(groups)
        assert prior.groups == 3000
        assert prior.a / (prior.a + prior.b) == pytest.approx(3 / 3.5, abs=0.02)
        assert 2.0 < prior.a + prior.b < 6.0

    def test_few_groups_tell_nothing(self) -> None:
        """Below the least number it is Jeffreys'; single samples do not count."""
        few = [Group(2, 0, 2)] * (LEAST_GROUPS - 1) + [Group(1, 0, 1)] * 100
        assert fit_prior(few) == Prior(0.5, 0.5, 0)
        assert fit_prior([]) == Prior()


class TestTheRule:
    rule = Rule(most=8, dead_below=0.05, prior=Prior(0.5, 0.5))

    @pytest.mark.parametrize(
        ("group", "standing"),
        [
            (Group(1, 1, 2), "live"),
            (Group(0, 0, 5), "not judged"),
            (Group(8, 0, 8), "budget used up"),
            (Group(0, 3, 3), "undecided"),
            (Group(7, 1, 9), "live"),
        ],
    )
    def test_standings(self, group: Group, standing: str) -> None:
        assert self.rule.standing(group) == standing

    def test_a_state_that_hardly_varies_is_given_up(self) -> None:
        """Where nearly all states are all right or all wrong, three equal rewards say enough."""
        groups = [Group(4, 0, 4)] * 60 + [Group(0, 4, 4)] * 30 + [Group(2, 2, 4)] * 2
        rule = Rule(12, 0.05, fit_prior(groups))
        assert rule.standing(Group(3, 0, 3)) == "surely dead"
        assert Rule(12, 0.0, rule.prior).standing(Group(3, 0, 3)) == "undecided"
