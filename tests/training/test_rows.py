from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bswirl.errors import InputError
from bswirl.policies.rendering import encode_row
from bswirl.records import FrozenTree
from bswirl.training.rows import NO_ACTION, build_rows
from bswirl.training.selection import logged_states, select
from bswirl.training.settings import TrainSettings
from tests.tiny import small_tree, tiny_tokenizer


def settings(**values: Any) -> TrainSettings:
    return TrainSettings.from_dict(values)


def with_solution(tree: FrozenTree, solution: str | None) -> FrozenTree:
    question = dataclasses.replace(tree.tree.question, solution=solution)
    return dataclasses.replace(tree, tree=dataclasses.replace(tree.tree, question=question))


class TestSelect:
    def test_swirl_takes_backbone_actions_with_their_reward(self) -> None:
        """One row a state, weighted by its backbone samples, R = 0 included."""
        chosen = select(small_tree(1, ((1.0, 0.0), (0.0, 1.0))), settings(objective="swirl"))
        assert [(s.action.action_id, s.coefficient, s.samples) for s in chosen] == [
            (1000, 1.0, 2),
            (1010, 0.0, 2),
        ]

    def test_bswirl_takes_live_groups_with_advantages_over_samples(self) -> None:
        """A = R − the mean over samples; the dead group is left out."""
        chosen = select(small_tree(1, ((1.0, 0.0), (1.0, 1.0))), settings(objective="bswirl"))
        assert [s.action.action_id for s in chosen] == [1000, 1001]
        assert [s.coefficient for s in chosen] == pytest.approx([1 / 3, -2 / 3])

    @pytest.mark.parametrize(
        ("baseline", "expected"),
        [("leave-one-out", [1 / 2, -1.0]), ("standardised", [1 / 3**0.5, -2 / 3**0.5])],
    )
    def test_baselines(self, baseline: str, expected: list[float]) -> None:
        """Two samples with 1 and one with 0, against the others' mean, and in standard deviations."""
        chosen = select(small_tree(1, ((1.0, 0.0),)), settings(objective="bswirl", baseline=baseline))
        assert [s.coefficient for s in chosen] == pytest.approx(expected, abs=1e-5)

    def test_bswirl_keeps_dead_groups_when_asked(self) -> None:
        """They come with advantage zero."""
        chosen = select(
            small_tree(1, ((1.0, 0.0), (1.0, 1.0))), settings(objective="bswirl", include_dead=True)
        )
        assert [s.coefficient for s in chosen[2:]] == [0.0, 0.0]

    def test_sft_takes_what_earned_one(self) -> None:
        """All actions with R = 1, backbone or not."""
        chosen = select(small_tree(1, ((0.0, 1.0), (1.0, 0.5))), settings(objective="sft"))
        assert [(s.action.action_id, s.samples) for s in chosen] == [(1001, 1), (1010, 2)]

    def test_onpolicy_takes_the_states_that_solutions_passed_through(self) -> None:
        """Every state with a backbone sample, rewarded or not, with the steps so far."""
        tree = small_tree(1, ((1.0, 0.0), (0.0, 1.0)))
        states = logged_states(tree)
        assert [state.state_id for state in states] == [100, 101]
        assert [state.steps for state in states] == [(), ("Step 1: 1 + 0 = 1",)]
        actions = tuple(
            dataclasses.replace(a, backbone=0 if a.state_id == 100 else a.backbone, reward=None)
            for a in tree.tree.actions
        )
        bare = dataclasses.replace(tree, tree=dataclasses.replace(tree.tree, actions=actions))
        assert [state.state_id for state in logged_states(bare)] == [101]

    def test_unselected_and_unrewarded_actions_join_no_group(self) -> None:
        """An action that was not selected, or has no reward, does not move its group's baseline."""
        tree = small_tree(1, ((1.0, 0.0, 1.0),))
        actions = tuple(
            dataclasses.replace(a, reward=None) if a.action_id == 1002 else a for a in tree.tree.actions
        )
        tree = dataclasses.replace(tree, tree=dataclasses.replace(tree.tree, actions=actions))
        chosen = select(tree, settings(objective="bswirl"))
        assert [s.coefficient for s in chosen] == pytest.approx([1 / 3, -2 / 3])
        assert select(dataclasses.replace(tree, selected=(1000,)), settings(objective="bswirl")) == []


class TestBuildRows:
    def test_rows_are_the_canonical_rendering(self) -> None:
        """State, steps so far and action as one text; the action's tokens end the row."""
        tokenizer, tree = tiny_tokenizer(), small_tree(3)
        rows = build_rows([tree], tokenizer, settings(objective="bswirl", include_dead=True)).rows[3]
        assert len(rows) == 5
        for row, action in zip(rows, tree.tree.actions, strict=True):
            prefix = tree.tree.prefixes()[action.state_id]
            expected = encode_row(tokenizer, tree.tree.question.text, prefix, action.text, action.is_answer)
            assert (row.ids, row.action_start) == (tuple(expected.ids), expected.action_start)
            end = "<|im_end|>" if action.is_answer else "\n"
            assert tokenizer.decode(row.ids[row.action_start :]) == action.text + end

    def test_probe_questions_are_not_trained_on(self) -> None:
        """A held-out tree gives probe rows alone, all its actions, dead groups too."""
        made = build_rows([small_tree(1), small_tree(2, probe=True)], tiny_tokenizer(), settings())
        assert set(made.rows) == {1}
        assert [row.action_id for row in made.probe] == [2000, 2001, 2002, 2010, 2011]

    def test_groups_are_counted_before_dead_ones_leave(self) -> None:
        """Groups and dead groups a question, for frac_reward_zero_std."""
        assert build_rows([small_tree(1)], tiny_tokenizer(), settings()).groups == {1: (2, 1)}

    def test_onpolicy_has_states_in_place_of_rows(self) -> None:
        """Questions to train on, their states, the probe, and no groups that could be dead."""
        trees = [small_tree(1), small_tree(2, probe=True)]
        made = build_rows(trees, tiny_tokenizer(), settings(objective="swirl-onpolicy"))
        assert (made.rows, made.groups) == ({1: []}, {1: (0, 0)})
        assert [state.state_id for state in made.states[1]] == [100, 101]
        assert len(made.probe) == 5

    def test_gold_solution_is_one_row(self) -> None:
        """sft on gold takes the whole solution, answer line included, with its log π as one sum."""
        tokenizer = tiny_tokenizer()
        tree = with_solution(
            small_tree(1, ()), "Ann has 2+3=<<2+3=5>>5 nuts.\nShe eats 1, so 5-1=<<5-1=4>>4 are left.\n#### 4"
        )
        (row,) = build_rows([tree], tokenizer, settings(objective="sft", sft_source="gold")).rows[1]
        text = tokenizer.decode(row.ids[row.action_start :])
        assert text.startswith("Step 1: ")
        assert text.endswith("Answer: 2<|im_end|>")
        assert "<<" not in text
        assert (row.action_id, row.reward, row.coefficient, row.samples) == (NO_ACTION, 1.0, 1.0, 1)

    def test_too_long_rows_are_counted_and_left_out(self) -> None:
        """What the policy cannot hold is not cut short."""
        tree = small_tree(1, ((1.0, 0.0), (1.0, 0.0)))
        whole = build_rows([tree], tiny_tokenizer(), settings())
        longest = max(len(row.ids) for row in whole.rows[1])
        assert build_rows([tree], tiny_tokenizer(), settings(), longest=longest).too_long == 0
        assert build_rows([tree], tiny_tokenizer(), settings(), longest=longest - 5).too_long == 2


class TestNothingLeft:
    @pytest.mark.parametrize(
        ("tree", "values", "words"),
        [
            (
                small_tree(1, ((1.0, 1.0),)),
                {"objective": "bswirl"},
                "1 groups are dead (1 with every reward 1, 0",
            ),
            (small_tree(1, ((0.0, 0.0),)), {"objective": "bswirl", "include_dead": True}, "no live group"),
            (small_tree(1, ((0.0, 1.0),)), {"objective": "swirl"}, "nothing to reinforce"),
            (small_tree(1, ()), {"objective": "swirl-onpolicy"}, "no state has a backbone sample"),
            (small_tree(1, ((0.0, 0.0),)), {"objective": "sft"}, "reward 1"),
            (small_tree(1, ()), {"objective": "swirl"}, "judge"),
            (small_tree(1, probe=True), {"objective": "swirl"}, "no question"),
            (small_tree(1), {"objective": "sft", "sft_source": "gold"}, "gold solution"),
        ],
    )
    def test_refused_in_one_line_that_says_why(
        self, tree: FrozenTree, values: dict[str, Any], words: str
    ) -> None:
        """A run without anything to learn from does not start."""
        with pytest.raises(InputError) as caught:
            build_rows([tree], tiny_tokenizer(), settings(**values))
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
