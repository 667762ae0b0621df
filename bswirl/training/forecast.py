"""What a training run will be, told from its data and settings before it starts; no torch.

A Forecaster takes the run's frozen trees one by one and keeps sums alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bswirl.errors import InputError
from bswirl.problems import solution_steps
from bswirl.records import Action, FrozenTree
from bswirl.training.counts import Counts, count_tree, refusal
from bswirl.training.memory import Memory, Shape, adapter_parameters, estimate_memory
from bswirl.training.rewards import groups_of, reward_of
from bswirl.training.rows import TrainingRow, tree_rows
from bswirl.training.schedule import steps_an_epoch, total_steps
from bswirl.training.selection import learns_from_gold, select
from bswirl.training.settings import TrainSettings

GROUP_SIZES = (5, 8)  # of the groups to come whose live share is forecast
_CHARACTERS_A_TOKEN = 3.5
_TEMPLATE_TOKENS = 20  # of a chat template around a question
_TOKENISED_QUESTIONS = 200  # what they show of the estimate is applied to the others


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one pass over the questions."""

    tree: float = 0.0  # every token of a question's tree once
    rows: float = 0.0  # every action as a row of its own: prompt, steps so far, action

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.tree + other.tree, self.rows + other.rows)


@dataclass(frozen=True, slots=True)
class Throughput:
    """What an earlier training run of the same policy did."""

    run_id: int
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """A run before it starts. What is not known is None."""

    objective: str
    counts: Counts
    optimiser_steps: int
    passes: float  # over the questions
    tree_tokens: int  # of one pass
    row_tokens: int
    tokens_counted: bool  # by the policy's tokenizer, rather than estimated
    num_tokens: int  # that the whole run computes, by the engine that it uses
    future_live: dict[
        int, float
    ]  # group size: share of groups of that size, sampled anew, that would be live
    refusal: str | None  # why the run would not start
    parameters: int | None = None  # of the policy
    trained_parameters: int | None = None
    memory: Memory | None = None
    seconds: float | None = None  # of training steps alone
    throughput: Throughput | None = None
    left_out: dict[str, int] = field(default_factory=dict)  # of the project, counted by why

    def to_json(self) -> dict[str, Any]:
        """One flat object: counts, tokens, memory in bytes, time in seconds."""
        values = asdict(self)
        counts = values.pop("counts")
        memory, throughput = values.pop("memory"), values.pop("throughput")
        return {
            "objective": values.pop("objective"),
            **counts,
            "dead_groups": self.counts.dead_groups,
            "mean_reward": self.counts.mean_reward,
            **values,
            "future_live": {str(size): share for size, share in self.future_live.items()},
            "memory": None
            if memory is None
            else {**memory, "total": self.memory.total if self.memory else 0},
            "throughput": throughput,
        }


def live_chance(p: float, size: int) -> float:
    """1 − p^G − (1 − p)^G: the chance that G samples, each earning 1 with probability p, are a live group."""
    return 1 - p**size - (1 - p) ** size


def sample_chance(group: Sequence[Action]) -> float:
    """The probability that a sample at this state earns 1: (s + 1/2)/(n + 1), the mean under Jeffreys' prior.

    s is the sum of the rewards of the group's n samples.
    """
    rewards = sum(action.samples * reward_of(action) for action in group)
    return (rewards + 0.5) / (sum(action.samples for action in group) + 1)


class Forecaster:
    """Adds up the trees of a run. A `tokenizer` counts the tokens of some questions; others are estimated."""

    def __init__(self, settings: TrainSettings, *, tokenizer: Any = None) -> None:
        self._settings = settings
        self._tokenizer = tokenizer
        self._counts = Counts()
        self._estimated = Tokens()  # all questions
        self._sample = Tokens()  # the same estimate of the tokenised ones alone
        self._counted = Tokens()
        self._tokenised = 0
        self._live = dict.fromkeys(GROUP_SIZES, 0.0)
        self.left_out: dict[str, int] = {}  # what the selection left out, counted by why

    def add(self, tree: FrozenTree) -> None:
        """Takes one more line of the run's input."""
        own = count_tree(tree, self._settings)
        self._counts += own
        if tree.probe:
            return
        for group in groups_of(tree, self._settings):
            p = sample_chance(group)
            for size in GROUP_SIZES:
                self._live[size] += live_chance(p, size)
        if not own.trained_questions:
            return
        estimated = estimated_tokens(tree, self._settings)
        self._estimated += estimated
        if self._tokenizer is not None and self._tokenised < _TOKENISED_QUESTIONS:
            self._tokenised += 1
            self._sample += estimated
            self._counted += counted_tokens(tree_rows(tree, self._settings, self._tokenizer))

    @property
    def refusal(self) -> InputError | None:
        """Why a run on these questions would learn nothing; None where it can start."""
        return refusal(self._counts, self._settings)

    def forecast(
        self, *, shape: Shape | None = None, on_gpu: bool = False, throughput: Throughput | None = None
    ) -> Forecast:
        """What all trees so far come to; `shape` is the policy's."""
        settings, counts = self._settings, self._counts
        tokens, counted = self._tokens()
        questions = counts.trained_questions
        steps = total_steps(questions, settings.batch, settings.epochs, settings.max_steps)
        passes = steps / steps_an_epoch(questions, settings.batch) if questions else 0.0
        made = Forecast(
            objective=settings.objective,
            counts=counts,
            optimiser_steps=steps,
            passes=passes,
            tree_tokens=round(tokens.tree),
            row_tokens=round(tokens.rows),
            tokens_counted=counted,
            num_tokens=round(passes * (tokens.tree if settings.engine == "trees" else tokens.rows)),
            future_live={size: total / max(1, counts.groups) for size, total in self._live.items()},
            refusal=str(self.refusal) if self.refusal else None,
            left_out=self.left_out,
        )
        if shape is not None:
            made = replace(
                made,
                parameters=shape.parameters,
                trained_parameters=adapter_parameters(shape, settings),
                memory=estimate_memory(shape, settings, on_gpu=on_gpu),
            )
        if throughput is not None:
            made = replace(
                made, seconds=made.num_tokens / throughput.tokens_per_second, throughput=throughput
            )
        return made

    def _tokens(self) -> tuple[Tokens, bool]:
        """Tokens of one pass, and whether every question was tokenised."""
        if not self._tokenised:
            return self._estimated, False
        if self._tokenised == self._counts.trained_questions:
            return self._counted, True
        scaled = Tokens(
            self._estimated.tree * self._counted.tree / self._sample.tree,
            self._estimated.rows * self._counted.rows / self._sample.rows,
        )
        return scaled, False


def counted_tokens(rows: Sequence[TrainingRow]) -> Tokens:
    """The tokens of one question's rows, and those of the trie over them: prefixes that rows share, once."""
    tree = 0
    before: tuple[int, ...] = ()
    for ids in sorted(row.ids for row in rows):
        shared = next(
            (at for at, (one, other) in enumerate(zip(before, ids, strict=False)) if one != other),
            min(len(before), len(ids)),
        )
        tree += len(ids) - shared
        before = ids
    return Tokens(tree, sum(len(row.ids) for row in rows))


def estimated_tokens(tree: FrozenTree, settings: TrainSettings) -> Tokens:
    """The same without a tokenizer: what samplers counted, else 3.5 characters a token."""
    question = tree.tree.question
    prompt = _TEMPLATE_TOKENS + _length(question.text)
    if learns_from_gold(settings):
        steps = solution_steps(question.solution or "", question.gold or "")
        whole = prompt + sum(_length(step) + 1 for step in steps)
        return Tokens(whole, whole)
    chosen = select(tree, settings)
    sizes = {action.action_id: _action_length(action) for action in tree.tree.actions}
    paths = _paths(tree)
    needed = {entry.action.action_id for entry in chosen}
    rows = 0.0
    for entry in chosen:
        path = paths[entry.action.state_id]
        needed.update(path)
        rows += prompt + sizes[entry.action.action_id] + sum(sizes[number] for number in path)
    return Tokens(prompt + sum(sizes[number] for number in needed), rows)


def _paths(tree: FrozenTree) -> Mapping[int, tuple[int, ...]]:
    """The actions taken before each state, by state number."""
    paths: dict[int, tuple[int, ...]] = {}
    for state in tree.tree.states:
        if state.parent_state_id is None or state.via_action_id is None:
            paths[state.state_id] = ()
        else:
            paths[state.state_id] = (*paths[state.parent_state_id], state.via_action_id)
    return paths


def _action_length(action: Action) -> float:
    return action.n_tokens or _length(action.text) + 1  # its terminator


def _length(text: str) -> float:
    return len(text) / _CHARACTERS_A_TOKEN
