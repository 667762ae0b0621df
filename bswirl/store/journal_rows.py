"""The rows of a run's journal, checked: a row that passes here can be stored."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

from bswirl.store.database import storable
from bswirl.store.fields import INT64, Fields, RowError, checked_number

MOST_PACKED = 4_000_000  # letters of one sample's packed tokens: far more than any context has


@dataclass(frozen=True, slots=True)
class StepSample:
    """One sampled step."""

    text: str
    is_answer: bool
    n_tokens: int | None
    logprob: float | None
    finish: str | None
    branch_id: int = 0
    tokens: bytes | None = None  # packed


@dataclass(frozen=True, slots=True)
class Unparsed:
    """Sampled text that could not be cut into steps."""

    text: str
    finish: str | None = None
    branch_id: int | None = None


@dataclass(frozen=True, slots=True)
class Sampler:
    """How samples were drawn."""

    seed: int | None
    temperature: float | None
    prompt_sha: str | None


@dataclass(frozen=True, slots=True)
class TrajectoryRow:
    """A full solution: its backbone steps in order."""

    question_id: int
    number: int
    policy: str
    sampler: Sampler
    steps: tuple[StepSample, ...]
    answer: str | None
    is_correct: bool | None
    unparsed: Unparsed | None


@dataclass(frozen=True, slots=True)
class BranchesRow:
    """Alternatives to step `step` of a trajectory of the same run."""

    question_id: int
    number: int
    step: int
    sampler: Sampler
    samples: tuple[StepSample, ...]
    unparsed: tuple[Unparsed, ...]


@dataclass(frozen=True, slots=True)
class GrownRow:
    """Further samples at a state, as branches of a trajectory of any run."""

    question_id: int
    state_id: int
    trajectory: str
    step: int
    sampler: Sampler
    samples: tuple[StepSample, ...]
    unparsed: tuple[Unparsed, ...]


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """What a judge said of an action."""

    action_id: int
    judge: str
    model: str
    prompt_sha: str
    status: str
    correct: bool | None
    progress: bool | None
    reward: float | None
    rationale: str | None
    raw: str | None
    latency_ms: float | None
    votes: str | None  # JSON
    cost: float | None  # dollars
    prompt_tokens: int | None
    completion_tokens: int | None
    duplicate_of: int | None  # the action whose verdict this is


@dataclass(frozen=True, slots=True)
class PromptRow:
    """A prompt that the run asks with."""

    sha: str
    purpose: str
    text: str


@dataclass(frozen=True, slots=True)
class MetricsRow:
    """Values at a training step."""

    step: int
    values: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True, slots=True)
class ShiftsRow:
    """(action, reward, shift, tokens) of held-out actions at a training step."""

    step: int
    shifts: tuple[tuple[int, float | None, float | None, int | None], ...]


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """The final answer to a question in an evaluation."""

    question_id: int
    text: str
    strict: str | None
    flexible: str | None
    is_correct: bool | None
    n_tokens: int | None


def parse_trajectory(row: dict[str, Any]) -> TrajectoryRow:
    """Raises RowError."""
    fields = Fields(row)
    unparsed = fields.optional_text("unparsed")
    return TrajectoryRow(
        question_id=fields.integer("question_id"),
        number=fields.integer("number"),
        policy=fields.optional_text("policy") or "",
        sampler=_sampler(fields),
        steps=tuple(_step(step) for step in fields.items("steps")),
        answer=fields.optional_text("answer"),
        is_correct=fields.flag("is_correct"),
        unparsed=Unparsed(unparsed) if unparsed is not None else None,
    )


def parse_branches(row: dict[str, Any]) -> BranchesRow:
    """Raises RowError."""
    fields = Fields(row)
    return BranchesRow(
        question_id=fields.integer("question_id"),
        number=fields.integer("number"),
        step=fields.integer("step", low=1),
        sampler=_sampler(fields),
        samples=tuple(_step(sample, branch=True) for sample in fields.items("samples")),
        unparsed=tuple(_unparsed(item) for item in fields.items("unparsed")),
    )


def parse_grown(row: dict[str, Any]) -> GrownRow:
    """Raises RowError."""
    fields = Fields(row)
    return GrownRow(
        question_id=fields.integer("question_id"),
        state_id=fields.integer("state_id", high=INT64),
        trajectory=fields.text("trajectory"),
        step=fields.integer("step", low=1),
        sampler=_sampler(fields),
        samples=tuple(_step(sample, branch=True) for sample in fields.items("samples")),
        unparsed=tuple(_unparsed(item) for item in fields.items("unparsed")),
    )


def parse_verdict(row: dict[str, Any]) -> VerdictRow:
    """Raises RowError."""
    fields = Fields(row)
    status = fields.optional_text("status") or "judged"
    if status not in ("judged", "unjudged"):
        raise RowError("`status` is neither judged nor unjudged")
    reward = fields.number("reward")
    if status == "judged" and (reward is None or reward != reward):
        raise RowError("a judged verdict needs a `reward`")
    return VerdictRow(
        action_id=fields.integer("action_id", high=INT64),
        judge=fields.text("judge"),
        model=fields.optional_text("model") or "",
        prompt_sha=fields.optional_text("prompt_sha") or "",
        status=status,
        correct=fields.flag("correct"),
        progress=fields.flag("progress"),
        reward=reward,
        rationale=fields.optional_text("rationale"),
        raw=fields.optional_text("raw"),
        latency_ms=fields.number("latency_ms"),
        votes=_votes(fields),
        cost=fields.number("cost"),
        prompt_tokens=fields.optional_integer("prompt_tokens"),
        completion_tokens=fields.optional_integer("completion_tokens"),
        duplicate_of=fields.optional_integer("duplicate_of", high=INT64),
    )


def parse_prompt(row: dict[str, Any]) -> PromptRow:
    """Raises RowError."""
    fields = Fields(row)
    return PromptRow(fields.text("sha"), fields.text("purpose"), fields.text("text"))


def parse_metrics(row: dict[str, Any]) -> MetricsRow:
    """Raises RowError."""
    fields = Fields(row)
    values = fields.object("values")
    return MetricsRow(
        step=fields.integer("step", high=INT64),
        values=tuple((storable(name), checked_number(value, name)) for name, value in values.items()),
    )


def parse_shifts(row: dict[str, Any]) -> ShiftsRow:
    """Raises RowError."""
    fields = Fields(row)
    return ShiftsRow(
        step=fields.integer("step", high=INT64),
        shifts=tuple(_shift(item) for item in fields.items("rows")),
    )


def parse_answer(row: dict[str, Any]) -> AnswerRow:
    """Raises RowError."""
    fields = Fields(row)
    return AnswerRow(
        question_id=fields.integer("question_id"),
        text=fields.text("text"),
        strict=fields.optional_text("strict"),
        flexible=fields.optional_text("flexible"),
        is_correct=fields.flag("is_correct"),
        n_tokens=fields.optional_integer("n_tokens"),
    )


def _votes(fields: Fields) -> str | None:
    votes = fields.object("votes")
    try:
        return json.dumps(votes, allow_nan=False) if votes else None
    except ValueError as error:
        raise RowError("`votes` holds a number that is none") from error


def _sampler(fields: Fields) -> Sampler:
    return Sampler(
        seed=fields.optional_integer("seed", low=-INT64, high=INT64),
        temperature=fields.number("temperature"),
        prompt_sha=fields.optional_text("prompt_sha"),
    )


def _step(value: Any, *, branch: bool = False) -> StepSample:
    fields = Fields(value, "a step")
    return StepSample(
        text=fields.text("text"),
        is_answer=bool(fields.flag("is_answer")),
        n_tokens=fields.optional_integer("n_tokens"),
        logprob=fields.number("logprob"),
        finish=fields.optional_text("finish"),
        branch_id=fields.integer("branch_id", low=1) if branch else 0,
        tokens=_packed(fields.optional_text("tokens")),
    )


def _packed(tokens: str | None) -> bytes | None:
    """Packed tokens; none where a row has something else there, which is no reason to lose the sample."""
    if not tokens or len(tokens) > MOST_PACKED:
        return None
    try:
        return b64decode(tokens, validate=True)
    except ValueError:
        return None


def _unparsed(value: Any) -> Unparsed:
    fields = Fields(value, "an unparsed text")
    return Unparsed(fields.text("text"), fields.optional_text("finish"), fields.optional_integer("branch_id"))


def _shift(item: Any) -> tuple[int, float | None, float | None, int | None]:
    if not isinstance(item, list) or len(item) != 4:
        raise RowError("a shift is [action_id, reward, shift, n_tokens]")
    names = ("action_id", "reward", "shift", "n_tokens")
    fields = Fields(dict(zip(names, item, strict=True)))
    return (
        fields.integer("action_id", high=INT64),
        fields.number("reward"),
        fields.number("shift"),
        fields.optional_integer("n_tokens"),
    )
