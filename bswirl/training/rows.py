"""From a run's frozen trees to the token rows that a step trains on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bswirl.errors import InputError
from bswirl.policies.rendering import encode_row
from bswirl.problems import solution_steps
from bswirl.records import Action, FrozenTree, Question
from bswirl.training.objectives import advantages, is_live
from bswirl.training.settings import TrainSettings

NO_ACTION = -1  # the action and state number of a row that is a gold solution, not a stored action


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One action as tokens: canonical rendering of state + action + terminator (docs/method.md §4)."""

    question_id: int
    state_id: int
    action_id: int
    ids: tuple[int, ...]
    action_start: int  # ids[action_start:] are the action's tokens
    reward: float
    coefficient: float  # of log π: R, A or 1, before the weight on negatives and the taper
    samples: int  # how many samples the row stands for; each counts in the means

    @property
    def action_tokens(self) -> int:
        return len(self.ids) - self.action_start


@dataclass(frozen=True, slots=True)
class Selected:
    """One action that an objective takes, before it is tokens."""

    action: Action
    coefficient: float
    samples: int


@dataclass(frozen=True, slots=True)
class RowSet:
    """Everything that a run trains on and probes with, and how it came about."""

    rows: dict[int, list[TrainingRow]]  # by question, only questions that have any
    probe: list[TrainingRow]  # held-out actions with a reward
    groups: dict[int, tuple[int, int]]  # question: (its groups, how many of them are dead)
    addresses: dict[int, str]  # question: how people name it
    too_long: int = 0  # rows left out because the model cannot hold them

    @property
    def row_count(self) -> int:
        return sum(len(rows) for rows in self.rows.values())


def select(tree: FrozenTree, settings: TrainSettings) -> list[Selected]:
    """The actions of `tree` that the objective trains on, with their coefficients (docs/method.md §3).

    `swirl`: each state's backbone actions, c = R, weighted by their backbone samples. `bswirl`: all
    actions of live groups (of all groups with `include_dead`), c = A. `sft`: actions with R = 1, c = 1.
    """
    chosen: list[Selected] = []
    for group in groups_of(tree):
        rewards = [reward_of(action) for action in group]
        if settings.objective == "swirl":
            chosen += [
                Selected(action, reward, action.backbone)
                for action, reward in zip(group, rewards, strict=True)
                if action.backbone > 0
            ]
        elif settings.objective == "sft":
            chosen += [
                Selected(action, 1.0, action.samples)
                for action, reward in zip(group, rewards, strict=True)
                if reward >= 1.0
            ]
        elif settings.include_dead or is_live(rewards):
            counts = [action.samples for action in group]
            chosen += [
                Selected(action, advantage, count)
                for action, advantage, count in zip(group, advantages(rewards, counts), counts, strict=True)
            ]
    return chosen


def groups_of(tree: FrozenTree) -> list[list[Action]]:
    """The selected actions that have a reward and a sample, by state; states without any are left out."""
    wanted = set(tree.selected)
    groups = (
        [a for a in group if a.action_id in wanted and a.reward is not None and a.samples > 0]
        for group in tree.tree.by_state().values()
    )
    return [group for group in groups if group]


def reward_of(action: Action) -> float:
    """The effective reward of an action that has one."""
    if action.reward is None:
        raise ValueError(f"action {action.action_id} has no reward")
    return action.reward


def build_rows(
    trees: Iterable[FrozenTree], tokenizer: Any, settings: TrainSettings, *, longest: int | None = None
) -> RowSet:
    """Tokenise once what the run needs; rows of more than `longest` tokens are counted and left out.

    Raises InputError, in one line that says why, where nothing is left to train on.
    """
    rows: dict[int, list[TrainingRow]] = {}
    probe: list[TrainingRow] = []
    groups: dict[int, tuple[int, int]] = {}
    addresses: dict[int, str] = {}
    seen: defaultdict[str, int] = defaultdict(int)
    too_long = 0
    gold = settings.objective == "sft" and settings.sft_source == "gold"
    for tree in trees:
        if tree.probe:
            kept, dropped = _within(_probe_rows(tree, tokenizer), longest)
            probe += kept
            too_long += dropped
            continue
        question = tree.tree.question
        group_list = groups_of(tree)
        dead = sum(not is_live([reward_of(action) for action in group]) for group in group_list)
        seen["questions"] += 1
        seen["groups"] += len(group_list)
        seen["dead"] += dead
        made = _gold_rows(question, tokenizer) if gold else _rows(tree, select(tree, settings), tokenizer)
        kept, dropped = _within(made, longest)
        too_long += dropped
        if kept:
            rows[question.question_id] = kept
            groups[question.question_id] = (len(group_list), dead)
            addresses[question.question_id] = question.address
    if not rows:
        raise _nothing_left(settings, seen, too_long)
    return RowSet(rows, probe, groups, addresses, too_long)


def _within(rows: Sequence[TrainingRow], longest: int | None) -> tuple[list[TrainingRow], int]:
    kept = [row for row in rows if longest is None or len(row.ids) <= longest]
    return kept, len(rows) - len(kept)


def _rows(tree: FrozenTree, selected: Sequence[Selected], tokenizer: Any) -> list[TrainingRow]:
    prefixes = tree.tree.prefixes()
    question = tree.tree.question
    made: list[TrainingRow] = []
    for entry in selected:
        action = entry.action
        encoded = encode_row(
            tokenizer, question.text, prefixes[action.state_id], action.text, action.is_answer
        )
        made.append(
            TrainingRow(
                question_id=question.question_id,
                state_id=action.state_id,
                action_id=action.action_id,
                ids=tuple(encoded.ids),
                action_start=encoded.action_start,
                reward=reward_of(action),
                coefficient=entry.coefficient,
                samples=entry.samples,
            )
        )
    return made


def _probe_rows(tree: FrozenTree, tokenizer: Any) -> list[TrainingRow]:
    every = [Selected(action, 0.0, 1) for group in groups_of(tree) for action in group]
    return _rows(tree, every, tokenizer)


def _gold_rows(question: Question, tokenizer: Any) -> list[TrainingRow]:
    """The gold solution as one row: its log π is the sum over the solution's actions (chain rule)."""
    if not question.solution or question.gold is None:
        return []
    steps = solution_steps(question.solution, question.gold)
    encoded = encode_row(tokenizer, question.text, (), "\n".join(steps), True)
    return [
        TrainingRow(
            question_id=question.question_id,
            state_id=NO_ACTION,
            action_id=NO_ACTION,
            ids=tuple(encoded.ids),
            action_start=encoded.action_start,
            reward=1.0,
            coefficient=1.0,
            samples=1,
        )
    ]


def _nothing_left(settings: TrainSettings, seen: dict[str, int], too_long: int) -> InputError:
    if too_long:
        return InputError(
            f"all {too_long} rows are longer than the policy's context",
            "choose a policy with a longer context",
        )
    if not seen["questions"]:
        return InputError(
            "no question is left to train on", "choose another dataset or split, or a smaller probe"
        )
    if settings.objective == "sft" and settings.sft_source == "gold":
        return InputError("none of the questions has a gold solution", "use sft_source rewarded")
    if not seen["groups"]:
        return InputError("none of the actions has a reward", "judge them first: bswirl judge")
    if settings.objective == "bswirl":
        return InputError(
            f"no live group: the rewards are equal in each of the {seen['groups']} groups",
            "sample more branches, judge or label more actions, or train with swirl",
        )
    what = "reward 1" if settings.objective == "sft" else "a backbone sample"
    return InputError(f"no rewarded action has {what}", "generate or judge more first")
