"""The nouns of the method as plain frozen dataclasses, and their way to JSON and back.

Terms are defined in docs/method.md. Every record crosses the socket or a run folder as one JSON object
whose keys are the field names.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

from bswirl.certificates import Certificate
from bswirl.errors import InputError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[str, ...] = get_args(Split)
RunKind = Literal["generate", "judge", "train", "evaluate", "import"]
RUN_KINDS: tuple[str, ...] = get_args(RunKind)
RunStatus = Literal["queued", "running", "done", "failed", "cancelled", "lost"]
LIVE_STATUSES: tuple[str, ...] = ("queued", "running")
LabelValue = Literal["1", "0", "unsure", "skip", "withdrawn"]
LABEL_VALUES: tuple[str, ...] = get_args(LabelValue)
RewardSource = Literal["judge", "human", "answer"]


@dataclass(frozen=True, slots=True)
class NewQuestion:
    """A question as a reader found it, before the store gave it a number."""

    dataset: str
    split: str
    external_id: str  # the dataset's own id
    text: str
    gold: str | None = None
    solution: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One problem with a gold answer."""

    question_id: int
    dataset: str
    split: str
    external_id: str
    text: str
    gold: str | None = None
    solution: str | None = None

    @property
    def address(self) -> str:
        """How people name a question: `dataset:id`."""
        return f"{self.dataset}:{self.external_id}"


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question's line in a list, with what its tree holds."""

    question_id: int
    dataset: str
    split: str
    external_id: str
    text: str  # the first 300 characters
    trajectories: int = 0
    states: int = 0
    actions: int = 0
    samples: int = 0
    judged: int = 0  # actions with a current verdict
    labelled: int = 0  # actions with a current label
    live_groups: int = 0
    dead_groups: int = 0
    mean_reward: float | None = None  # over samples, effective
    solved: int = 0  # trajectories whose answer matched gold

    @property
    def address(self) -> str:
        return f"{self.dataset}:{self.external_id}"


@dataclass(frozen=True, slots=True)
class State:
    """A question and the exact steps taken so far; the first state of a question has no parent."""

    state_id: int
    question_id: int
    depth: int  # steps taken so far; 0 for the first state
    parent_state_id: int | None = None
    via_action_id: int | None = None  # the action that led here from the parent


@dataclass(frozen=True, slots=True)
class Action:
    """One distinct next step at a state, with its samples counted and its rewards resolved."""

    action_id: int
    state_id: int
    depth: int  # the step's number, from 1
    is_answer: bool
    text: str
    samples: int = 0
    backbone: int = 0  # how many of the samples are backbone samples
    logprob: float | None = None  # mean of the samplers' summed log-probs
    n_tokens: float | None = None  # mean over samples
    judge_reward: float | None = None
    judge: str | None = None
    judge_id: int | None = None  # of several judges of that name (models, prompts) the very one
    judge_progress: bool | None = None  # what that verdict says of progress; None where it says nothing
    human_reward: float | None = None
    reward: float | None = None  # effective
    source: RewardSource | None = None
    conflict: bool = False
    label: str | None = None  # the newest of its auditors' labels in force that is no skip, else a skip
    advantage: float | None = None


@dataclass(frozen=True, slots=True)
class QuestionTree:
    """All states and actions of a question. States come parents first."""

    question: Question
    states: tuple[State, ...]
    actions: tuple[Action, ...]

    def by_state(self) -> dict[int, list[Action]]:
        """The group of each state: its actions in the order of their numbers."""
        groups: dict[int, list[Action]] = {state.state_id: [] for state in self.states}
        for action in self.actions:
            groups[action.state_id].append(action)
        return groups

    def prefixes(self) -> dict[int, tuple[str, ...]]:
        """The texts of the steps taken before each state, by state number."""
        text_of = {action.action_id: action.text for action in self.actions}
        prefix: dict[int, tuple[str, ...]] = {}
        for state in self.states:
            if state.parent_state_id is None or state.via_action_id is None:
                prefix[state.state_id] = ()
            else:
                prefix[state.state_id] = (*prefix[state.parent_state_id], text_of[state.via_action_id])
        return prefix


@dataclass(frozen=True, slots=True)
class FrozenTree:
    """One line of a judging or training run's input: a tree and which of its actions the run is about.

    Where a training run's filters leave something out, `states` are those whose groups are left. Where they
    leave out trajectories, `kept` has each action that a kept one took itself, and how many of them did.
    """

    tree: QuestionTree
    selected: tuple[int, ...]  # action numbers
    probe: bool = False  # held out of training, for the probe
    states: tuple[int, ...] | None = None  # state numbers; None: all
    kept: tuple[tuple[int, int], ...] | None = None  # (action number, backbone samples); None: as they are


@dataclass(frozen=True, slots=True)
class GrowingState:
    """One line of a growing run's input: a state that gets `more` samples, as branches of a trajectory."""

    question: Question
    state_id: int
    steps: tuple[str, ...]  # taken before
    trajectory: str  # the portable id of one that passes there
    more: int

    @property
    def step(self) -> int:
        """The number of the step that is sampled."""
        return len(self.steps) + 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of one action."""

    verdict_id: int
    action_id: int
    run_id: int
    judge: str
    model: str
    prompt_sha: str
    status: Literal["judged", "unjudged"]
    correct: bool | None = None
    progress: bool | None = None
    reward: float | None = None
    rationale: str | None = None
    raw: str | None = None
    created_at: str = ""  # ISO 8601, UTC
    votes: dict[str, Any] | None = None  # how they fell; see docs/formats.md
    cost: float | None = None  # dollars
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    duplicate_of: int | None = None  # the action whose verdict was copied


@dataclass(frozen=True, slots=True)
class Label:
    """What a human said of one action. `client_uid` is made by the client, so that a retry is harmless."""

    client_uid: str
    action_id: int
    value: LabelValue
    auditor: str
    reason: str | None = None
    blind: bool | None = None
    adjudicates: bool = False
    flagged: bool = False
    created_at: str = ""  # ISO 8601, UTC; set by the owner
    label_id: int | None = None
    draw_id: int | None = None  # where the audit queue asked for it
    seconds: float | None = None  # from shown to voted
    after_reveal: bool = False  # the judge had been shown after an earlier vote
    repeats: str | None = None  # the uid of the auditor's earlier label that it was to repeat
    withdraws: str | None = None  # the uid of the label that a withdrawal takes back


@dataclass(frozen=True, slots=True)
class Sample:
    """One time that a policy produced an action."""

    action_id: int
    run_id: int
    trajectory_id: int
    trajectory: str  # the trajectory's portable id
    step: int
    branch_id: int
    is_backbone: bool
    n_tokens: int | None = None
    logprob: float | None = None
    finish_reason: str | None = None
    policy: str = ""


@dataclass(frozen=True, slots=True)
class ActionDetail:
    """Everything that is known of one action."""

    question: Question
    prefix: tuple[str, ...]
    action: Action
    siblings: tuple[Action, ...]
    verdicts: tuple[Verdict, ...]
    labels: tuple[Label, ...]
    samples: tuple[Sample, ...]
    certificates: tuple[Certificate, ...] = ()  # the newest of each of its verdicts' judges


@dataclass(frozen=True, slots=True)
class ActionShift:
    """The log-prob shift of a held-out action, summed over its tokens."""

    action_id: int
    shift: float | None
    n_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class QuestionShifts:
    """What one training run's probe measured last on a question's actions; nothing where none did."""

    run_id: int | None = None
    step: int | None = None
    shifts: tuple[ActionShift, ...] = ()
    runs: tuple[int, ...] = ()  # every run that measured them, newest first


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    """A prompt that a run asked with."""

    sha: str
    purpose: str
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `rate` is in units a second of this attempt; 0 when unknown."""

    done: int
    total: int
    unit: str = ""
    rate: float = 0.0

    @property
    def eta_seconds(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate > 0 and self.total >= self.done else None


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its frozen settings, and how it stands."""

    run_id: int
    run_uid: str
    kind: str
    name: str
    status: str
    config: dict[str, Any]
    folder: str  # absolute
    attempt: int = 1
    created_by: str = ""
    created_at: str = ""
    ended_at: str | None = None
    exit_code: int | None = None
    error: str | None = None
    progress: Progress | None = None
    summary: dict[str, Any] = field(default_factory=dict)


def seconds_taken(run: Run) -> float:
    """How long an ended run took from its making to its end; 0 where that is not known."""
    try:
        begin, end = (datetime.fromisoformat(stamp) for stamp in (run.created_at, run.ended_at or ""))
    except ValueError:
        return 0.0
    return max(0.0, (end - begin).total_seconds())


@dataclass(frozen=True, slots=True)
class Judge:
    """A judge: a name, a model and a prompt. The lowest rank decides; one without a rank never does."""

    judge_id: int
    name: str
    model: str
    prompt_sha: str
    rank: int | None = None
    verdicts: int = 0


T = TypeVar("T")


def to_json(record: Any) -> dict[str, Any]:
    """A record as a JSON-ready dict; fields that hold their default stay in."""
    return dataclasses.asdict(record)


@cache
def _field_types(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _convert(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    origin = get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        inner = [arg for arg in get_args(kind) if arg is not type(None)]
        return _convert(inner[0], value) if len(inner) == 1 else value
    if origin is tuple:
        args = get_args(kind)
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_convert(args[0], item) for item in value)
        return tuple(value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return from_json(kind, value)
    return value


def from_json(cls: type[T], value: dict[str, Any]) -> T:
    """The record of class `cls` that `to_json` wrote; keys it does not know are left out.

    Raises InputError where a needed key is missing.
    """
    hints: dict[str, Any] = _field_types(typing.cast(Any, cls))
    try:
        return cls(**{name: _convert(hints[name], value[name]) for name in hints if name in value})
    except TypeError as error:
        raise InputError(
            f"not a {cls.__name__}: {error}", "the file or message comes from another version"
        ) from error
