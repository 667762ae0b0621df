"""What a run's trees hold, counted; refusals are tested with the rows."""

from __future__ import annotations

from typing import Any

import pytest

from bswirl.training.counts import Counts, count_tree
from bswirl.training.settings import TrainSettings
from tests.tiny import small_tree


def settings(**values: Any) -> TrainSettings:
    return TrainSettings.from_dict({"policy": "tiny", **values})


class TestCounts:
    def test_of_one_question(self) -> None:
        """Groups by how they are dead, samples counted, answers behind a wrong step told apart."""
        tree = small_tree(1, ((1.0, 0.0, 1.0), (0.0, 0.0), (1.0, 1.0)))  # the second backbone step is wrong
        counts = count_tree(tree, settings())
        assert (counts.questions, counts.groups, counts.live_groups, counts.dead_groups) == (1, 3, 1, 2)
        assert (counts.all_good_groups, counts.all_bad_groups) == (1, 1)
        assert (counts.actions, counts.samples) == (7, 10)
        assert counts.mean_reward == pytest.approx((2 + 1 + 2 + 1) / 10)
        assert (counts.answers, counts.astray_answers, counts.astray_answer_groups) == (2, 2, 1)
        assert (counts.trained_actions, counts.trained_samples, counts.rewarding_actions) == (3, 4, 2)

    def test_add_up(self) -> None:
        """Over questions; one held out is counted as that and nothing else."""
        one, held_out = small_tree(1), small_tree(2, probe=True)
        total = count_tree(one, settings()) + count_tree(held_out, settings()) + Counts()
        assert (total.questions, total.probe_questions, total.groups) == (1, 1, 2)
        assert Counts().mean_reward is None

    @pytest.mark.parametrize(
        ("objective", "expected"),
        [("bswirl", (3, 4)), ("swirl", (2, 4)), ("sft", (4, 6)), ("swirl-onpolicy", (2, 2))],
    )
    def test_trained_is_what_the_objective_takes(self, objective: str, expected: tuple[int, int]) -> None:
        """Actions and samples of live groups, of the backbone, with reward 1, and one to come a state."""
        counts = count_tree(small_tree(1), settings(objective=objective))
        assert (counts.trained_actions, counts.trained_samples) == expected
