"""Rewards that training uses: of faithful answers, corrected ones, and histories that went wrong."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bswirl.errors import UsageError
from bswirl.records import Action, FrozenTree
from bswirl.training.objectives import ErrorRates, JudgeRates, mean_advantages
from bswirl.training.rewards import astray_states, corrected_reward, faithful_reward, groups_of
from bswirl.training.selection import select
from bswirl.training.settings import TrainSettings
from tests.tiny import small_tree


def settings(**values: Any) -> TrainSettings:
    return TrainSettings.from_dict({"policy": "tiny", **values})


def with_actions(tree: FrozenTree, **changes: dict[int, Any]) -> FrozenTree:
    """The tree with fields of actions changed: `reward={1000: 0.0}`."""
    actions = tuple(
        dataclasses.replace(
            action,
            **{
                name: values[action.action_id]
                for name, values in changes.items()
                if action.action_id in values
            },
        )
        for action in tree.tree.actions
    )
    return dataclasses.replace(tree, tree=dataclasses.replace(tree.tree, actions=actions))


class TestFaithful:
    @pytest.mark.parametrize(
        ("answer", "steps", "reward"),
        [
            ("Answer: 72", ["Step 1: 48 / 2 = 24", "Step 2: 48 + 24 = 72 clips."], 1.0),
            ("Answer: 24", ["Step 1: 48 / 2 = 24", "Step 2: 48 + 24 = 72 clips."], 0.0),
            ("Answer: 70", ["Step 1: 48 / 2 = 22", "Step 2: 48 + 22 = 70 clips."], 1.0),
            ("Answer: 12", ["Step 1: 2 + 3 = 5, and 5 + 7 = 12."], 1.0),
            ("Answer: $1,200.50", ["1000 + 200.5 = 1200.5"], 1.0),
            ("Answer: 50%", ["Half of it: 1 / 2 = 50%"], 1.0),
            ("Answer: many", ["2 + 3 = 5"], 0.0),
            ("Answer: 5", ["2 + 3 = 5", "So there are 5 of them."], None),
            ("Answer: 5", [], None),
        ],
    )
    def test_agrees_with_the_last_result(self, answer: str, steps: list[str], reward: float | None) -> None:
        """Right or wrong, what the last step came to; None where it came to nothing."""
        assert faithful_reward(answer, steps) == reward

    def test_replaces_the_answer_check_alone(self) -> None:
        """small_tree's last step says 1 + 0 = 1: faithful is Answer: 1, which no action is, or a label."""
        tree = with_actions(
            small_tree(1, ((1.0, 0.0), (1.0, 0.0, 1.0))),
            source={1010: "answer", 1011: "answer", 1012: "human", 1000: "judge", 1001: "answer"},
            text={1011: "Answer: 1"},
        )
        (steps, answers) = groups_of(tree, settings(answer_reward="faithful"))
        assert [action.reward for action in answers] == [0.0, 1.0, 1.0]
        assert [action.reward for action in steps] == [1.0, 0.0]
        assert [a.reward for a in groups_of(tree, settings())[1]] == [1.0, 0.0, 1.0]

    def test_keeps_gold_where_there_is_no_step(self) -> None:
        """An answer at the first state agrees with nothing."""
        tree = with_actions(small_tree(1, ((1.0, 0.0),)), source={1000: "answer", 1001: "answer"})
        assert [a.reward for a in groups_of(tree, settings(answer_reward="faithful"))[0]] == [1.0, 0.0]

    def test_can_make_a_group_live(self) -> None:
        """Groups live and die by the rewards that training uses."""
        tree = with_actions(
            small_tree(1, ((1.0, 1.0), (0.0, 0.0))),
            source={1010: "answer", 1011: "answer"},
            text={1011: "Answer: 1"},
        )
        assert select(tree, settings(objective="bswirl")) == []
        chosen = select(tree, settings(objective="bswirl", answer_reward="faithful"))
        assert [entry.coefficient for entry in chosen] == pytest.approx([-1 / 3, 2 / 3])


class TestAstray:
    def test_everything_behind_a_wrong_step(self) -> None:
        """A step with reward 0 leads astray all states behind it, not the one that it was taken at."""
        tree = small_tree(1, ((1.0, 0.0), (0.0, 1.0), (1.0,), (0.0,)))
        assert astray_states(tree.tree) == {102, 103}
        assert astray_states(small_tree(1, ((1.0, 0.0), (1.0,))).tree) == set()

    def test_labels_decide(self) -> None:
        """The effective reward counts; a step without one leads nowhere in particular."""
        tree = with_actions(small_tree(1, ((0.0,), (1.0,))), reward={1000: None})
        assert astray_states(tree.tree) == set()


RATES = {"judge_fpr": 0.1, "judge_fnr": 0.3}


class TestCorrection:
    def test_judged_rewards_alone(self) -> None:
        """(R − 0.1)/0.6 for the judge's, people's and the answer check's as they are."""
        tree = with_actions(
            small_tree(1, ((1.0, 0.0), (1.0, 0.0))),
            source={1000: "judge", 1001: "human", 1010: "answer", 1011: "judge"},
            backbone={1001: 1, 1011: 1},
        )
        chosen = select(tree, settings(objective="swirl", **RATES))
        assert [entry.coefficient for entry in chosen] == pytest.approx([1.5, 0.0, 1.0, -1 / 6])

    def test_advantages_are_of_corrected_rewards(self) -> None:
        """A group of judge and person: the baseline is the mean of what each reward became."""
        tree = with_actions(small_tree(1, ((1.0, 0.0),)), source={1000: "judge", 1001: "human"})
        chosen = select(tree, settings(objective="bswirl", **RATES))
        assert [entry.coefficient for entry in chosen] == pytest.approx(mean_advantages([1.5, 0.0], [2, 1]))

    def test_dead_groups_are_decided_before_it(self) -> None:
        """Judge and person agree on 1: dead, though the corrected rewards differ."""
        tree = with_actions(small_tree(1, ((1.0, 1.0),)), source={1000: "judge", 1001: "human"})
        assert select(tree, settings(objective="bswirl", **RATES)) == []
        kept = select(tree, settings(objective="bswirl", include_dead=True, **RATES))
        assert [entry.coefficient for entry in kept] == [0.0, 0.0]

    def test_sft_takes_verdicts_as_they_are(self) -> None:
        """What earned 1 is imitated with weight 1."""
        tree = with_actions(small_tree(1, ((1.0, 0.0),)), source={1000: "judge", 1001: "judge"})
        chosen = select(tree, settings(objective="sft", **RATES))
        assert [(entry.action.action_id, entry.coefficient) for entry in chosen] == [(1000, 1.0)]

    def test_certified_rates_are_of_correct_alone(self) -> None:
        """With progress the reward is the judge's `correct`: corrected, at each depth by its own rates.

        Without progress, by people and by the answer check it stays as it is.
        """
        rates = [
            {"judge": "j", "depth": None, "fpr": 0.1, "fnr": 0.3},
            {"judge": "j", "depth": 2, "fpr": 0.5, "fnr": 0.0},
        ]
        tree = with_actions(
            small_tree(1, ((1.0, 0.0, 0.0), (1.0, 0.0), (1.0, 0.0))),
            source=dict.fromkeys((1000, 1001, 1002, 1010, 1011), "judge") | {1020: "answer", 1021: "human"},
            judge=dict.fromkeys((1000, 1001, 1002, 1010, 1011), "j"),
            judge_progress={1000: True, 1001: True, 1002: False, 1010: True, 1011: True, 1020: True},
            backbone=dict.fromkeys((1001, 1002, 1011, 1021), 1),
        )
        chosen = select(tree, settings(objective="swirl", judge_rates="certificate", certified_rates=rates))
        expected = [0.9 / 0.6, -0.1 / 0.6, 0.0, 0.5 / 0.5, -0.5 / 0.5, 1.0, 0.0]
        assert [entry.coefficient for entry in chosen] == pytest.approx(expected)

    def test_certified_correction_is_right_on_average(self) -> None:
        """Whatever share of the steps is right: E[R̃] over a judge of these rates is `progress and right`."""
        fpr, fnr = 0.4, 0.25
        rates = JudgeRates(measured={("j", None): ErrorRates(fpr, fnr)}, of_correct=True)

        def mean(right: bool, progress: bool) -> float:
            says_correct = 1 - fnr if right else fpr
            return sum(
                share
                * corrected_reward(
                    Action(1, 1, 1, False, "", reward=float(correct and progress), source="judge",
                           judge="j", judge_progress=progress),
                    rates,
                )
                for correct, share in ((True, says_correct), (False, 1 - says_correct))
            )  # fmt: skip

        for right in (True, False):
            for progress in (True, False):
                assert mean(right, progress) == pytest.approx(float(right and progress))

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"judge_fpr": 0.1}, "goes without judge_fpr and judge_fnr"),
            ({"objective": "sft"}, "sft does not correct rewards"),
        ],
    )
    def test_certificates_and_what_they_go_without(self, values: dict[str, Any], words: str) -> None:
        """Rates given too, or an objective that uses none, are refused with the settings."""
        with pytest.raises(UsageError, match=words):
            settings(judge_rates="certificate", **values)

    def test_hopeless_rates_are_refused_with_the_settings(self) -> None:
        """Before any run is made."""
        with pytest.raises(UsageError, match="cannot be corrected"):
            settings(judge_fpr=0.5, judge_fnr=0.4)
