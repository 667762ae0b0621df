"""From a run's frozen trees to the token rows that a step trains on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bswirl.errors import InputError
from bswirl.policies.rendering import encode_row
from bswirl.problems import solution_steps
from bswirl.records import Action, FrozenTree, Question
from bswirl.training.counts import Counts, count_tree, refusal
from bswirl.training.rewards import groups_of, reward_of
from bswirl.training.selection import LoggedState, Selected, learns_from_gold, logged_states, select
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
class RowSet:
    """Everything that a run trains on and probes with, and how it came about."""

    rows: dict[int, list[TrainingRow]]  # by question, only those to train on; empty lists with `states`
    probe: list[TrainingRow]  # held-out actions with a reward
    groups: dict[int, tuple[int, int]]  # question: (its groups, how many of them are dead)
    addresses: dict[int, str]  # question: how people name it
    too_long: int = 0  # rows left out because the model cannot hold them
    states: dict[int, list[LoggedState]] = field(default_factory=dict)  # where `swirl-onpolicy` samples
    counts: Counts = field(default_factory=Counts)
    held_out: list[Question] = field(default_factory=list)  # the probe's questions, with rows or without

    @property
    def row_count(self) -> int:
        return sum(len(rows) for rows in self.rows.values())

    def describe(self) -> str:
        """What there is to train on, in a line."""
        if self.states:
            states = sum(len(states) for states in self.states.values())
            return f"{len(self.rows)} questions to train on, with {states} states to sample at"
        samples = sum(row.samples for rows in self.rows.values() for row in rows)
        return f"{len(self.rows)} questions, {self.row_count} actions, {samples} samples to train on"


def build_rows(
    trees: Iterable[FrozenTree], tokenizer: Any, settings: TrainSettings, *, longest: int | None = None
) -> RowSet:
    """Tokenise once what the run needs; rows of more than `longest` tokens are counted and left out.

    Raises InputError, in one line that says why, where nothing is left to train on.
    """
    rows: dict[int, list[TrainingRow]] = {}
    states: dict[int, list[LoggedState]] = {}
    probe: list[TrainingRow] = []
    groups: dict[int, tuple[int, int]] = {}
    addresses: dict[int, str] = {}
    held_out: list[Question] = []
    counts, too_long = Counts(), 0
    fresh = settings.objective == "swirl-onpolicy"
    for tree in trees:
        question, own = tree.tree.question, count_tree(tree, settings)
        number = question.question_id
        counts += own
        if tree.probe:
            held_out.append(question)
            kept, dropped = _within(_probe_rows(tree, settings, tokenizer), longest)
            probe += kept
        elif fresh:
            kept, dropped = [], 0
            if own.trained_questions:
                rows[number], states[number] = [], logged_states(tree)
        else:
            kept, dropped = _within(tree_rows(tree, settings, tokenizer), longest)
            if kept:
                rows[number] = kept
        too_long += dropped
        if number in rows:
            groups[number] = (0, 0) if fresh else (own.groups, own.dead_groups)
            addresses[number] = question.address
    if (error := refusal(counts, settings)) is not None:
        raise error
    if not rows:
        raise InputError(
            f"all {too_long} rows are longer than the policy's context",
            "choose a policy with a longer context",
        )
    return RowSet(rows, probe, groups, addresses, too_long, states, counts, held_out)


def tree_rows(tree: FrozenTree, settings: TrainSettings, tokenizer: Any) -> list[TrainingRow]:
    """The rows of one tree that the objective trains on."""
    if learns_from_gold(settings):
        return _gold_rows(tree.tree.question, tokenizer)
    return _rows(tree, select(tree, settings), tokenizer)


def action_row(
    question: Question, steps: Sequence[str], action: Action, tokenizer: Any, coefficient: float, samples: int
) -> TrainingRow:
    """An action at the state that `steps` lead to, as tokens."""
    encoded = encode_row(tokenizer, question.text, steps, action.text, action.is_answer)
    return TrainingRow(
        question_id=question.question_id,
        state_id=action.state_id,
        action_id=action.action_id,
        ids=tuple(encoded.ids),
        action_start=encoded.action_start,
        reward=reward_of(action),
        coefficient=coefficient,
        samples=samples,
    )


def _within(rows: Sequence[TrainingRow], longest: int | None) -> tuple[list[TrainingRow], int]:
    kept = [row for row in rows if longest is None or len(row.ids) <= longest]
    return kept, len(rows) - len(kept)


def _rows(tree: FrozenTree, selected: Sequence[Selected], tokenizer: Any) -> list[TrainingRow]:
    prefixes = tree.tree.prefixes()
    return [
        action_row(
            tree.tree.question,
            prefixes[entry.action.state_id],
            entry.action,
            tokenizer,
            entry.coefficient,
            entry.samples,
        )
        for entry in selected
    ]


def _probe_rows(tree: FrozenTree, settings: TrainSettings, tokenizer: Any) -> list[TrainingRow]:
    every = [Selected(action, 0.0, 1) for group in groups_of(tree, settings) for action in group]
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
