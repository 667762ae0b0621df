"""Figures from raw answers, against plain arithmetic."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.experiment.results import difference, results_of, step_reward
from tests.experiment.sample import QUESTIONS, small_record

ANSWERS = st.text(alphabet="01", min_size=6, max_size=6)


class TestDifference:
    """difference."""

    @given(st.lists(ANSWERS, min_size=1, max_size=3), st.lists(ANSWERS, min_size=1, max_size=2))
    def test_equals_plain_means_and_enumerated_signs(self, first: list[str], second: list[str]) -> None:
        """Seeds are averaged for each question; p counts every way to turn the questions' signs."""
        means = [
            sum(bits[q] == "1" for bits in first) / len(first)
            - sum(bits[q] == "1" for bits in second) / len(second)
            for q in range(6)
        ]
        observed = abs(sum(means))
        patterns = list(itertools.product((-1, 1), repeat=6))
        far = sum(
            abs(sum(s * m for s, m in zip(signs, means, strict=True))) >= observed - 1e-9
            for signs in patterns
        )
        found = difference(first, second)
        assert found["difference"] == pytest.approx(sum(means) / 6)
        assert found["p"] == pytest.approx(far / len(patterns))
        assert found["low"] <= found["difference"] <= found["high"]


class TestResults:
    """results_of."""

    def test_figures_of_a_clear_case(self) -> None:
        """Objectives, differences, seeds and aims follow from the answers."""
        results = small_record()["results"]
        assert results["accuracy"]["base"]["right"] == 10
        assert results["objectives"]["bswirl"]["accuracy"] == pytest.approx(31 / QUESTIONS)
        assert results["differences"]["bswirl − base"]["difference"] == pytest.approx(21 / QUESTIONS)
        assert results["differences"]["bswirl − swirl"]["difference"] == pytest.approx(16.5 / QUESTIONS)
        assert [(row["seed"], row["fixed"], row["broken"]) for row in results["seeds"]] == [
            (0, 16, 0),
            (1, 17, 0),
        ]
        assert [aim["held"] for aim in results["aims"]] == [True, True, True]

    def test_aims_that_do_not_hold(self) -> None:
        """Less than ten points, no difference to swirl, a margin whose interval holds 0."""
        record = small_record(swirl=(13, 14), bswirl=(13, 14))
        record["margins"]["bswirl seed 1"][-1]["low"] = -0.1
        assert [aim["held"] for aim in results_of(record)["aims"]] == [False, False, False]

    def test_worse_than_swirl_at_any_p_is_not_better(self) -> None:
        """A small p alone is no success."""
        results = small_record(swirl=(32, 32), bswirl=(12, 12))["results"]
        assert results["differences"]["bswirl − swirl"]["p"] < 0.001
        assert results["aims"][1]["held"] is False

    def test_a_seed_that_failed(self) -> None:
        """Seeds are then unequally many; a margin cannot have opened in every seed."""
        results = small_record(swirl=(14, 15), bswirl=(30,))["results"]
        assert results["objectives"]["bswirl"]["seeds"] == 1
        assert results["differences"]["bswirl − swirl"]["difference"] == pytest.approx(15.5 / QUESTIONS)
        assert [row["seed"] for row in results["seeds"]] == [0]
        assert results["aims"][2]["held"] is False

    def test_nothing_of_an_objective(self) -> None:
        """What was not measured is neither yes nor no."""
        results = small_record(bswirl=())["results"]
        assert "bswirl − base" not in results["differences"]
        assert [aim["held"] for aim in results["aims"]] == [None, None, None]


class TestStepReward:
    """step_reward."""

    def test_is_the_mean_over_steps(self) -> None:
        """Over steps, not over solutions."""
        rows = [
            {"question": "a", "rewards": [1.0, 0.0, 0.0], "right": True},
            {"question": "b", "rewards": [1.0], "right": False},
        ]
        found = step_reward(rows)
        assert (found["mean"], found["steps"], found["samples"], found["right"]) == (0.5, 4, 2, 1)
        assert found["low"] < 0.5 < found["high"]

    def test_no_steps(self) -> None:
        """A policy that wrote no step has no mean."""
        assert "mean" not in step_reward([{"question": "a", "rewards": [], "right": False}])
