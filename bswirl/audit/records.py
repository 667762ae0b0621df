"""The nouns of an audit as plain frozen dataclasses: what an auditor is asked, and what the record holds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bswirl.records import Action, ActionDetail, Judge, Label

DECIDED = ("1", "0")


@dataclass(frozen=True, slots=True)
class AuditItem:
    """One step put before an auditor. Why this one came is in the record alone."""

    draw_id: int
    order: str
    detail: ActionDetail
    blind: bool  # the judge is hidden until the vote
    revealed: bool = False
    shown_at: str = ""  # ISO 8601, UTC


@dataclass(frozen=True, slots=True)
class AuditNext:
    """The answer to "what next": an item, or why there is none."""

    item: AuditItem | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class AuditVote:
    """What a vote left: the label, and the item with nothing hidden any more."""

    label: Label
    item: AuditItem
    agrees: bool | None = None  # with the deciding judge; None where one of them says neither 1 nor 0


@dataclass(frozen=True, slots=True)
class AuditUndo:
    """The label that was withdrawn, and its item where it came from the queue."""

    label: Label
    item: AuditItem | None = None


@dataclass(frozen=True, slots=True)
class AuditPosition:
    """Where an auditor was."""

    auditor: str
    item: AuditItem | None = None  # shown and not labelled yet
    order: str | None = None  # of the newest item
    labelled: int = 0  # actions with a label of theirs in force
    last: tuple[Label, ...] = ()  # the newest ten in force, newest first
    reveals: int = 0  # blind votes of 1 or 0 after which the judge was shown
    turned: int = 0  # of those, changed after the reveal
    median_seconds: float | None = None  # from shown to voted


@dataclass(frozen=True, slots=True)
class Conflict:
    """An action on which auditors disagree and nobody has adjudicated."""

    action_id: int
    question_id: int
    address: str
    depth: int
    text: str
    votes: tuple[Label, ...]  # in force, by auditor
    judge: str | None = None
    judge_reward: float | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which judged actions a draw was made among; None means any."""

    dataset: str | None = None
    depth: int | None = None
    answers: bool = False  # answer actions too, which the answer check judges

    def holds(self, dataset: str, depth: int, is_answer: bool) -> bool:
        """Whether such an action belongs to it."""
        return (
            self.dataset in (None, dataset)
            and self.depth in (None, depth)
            and (self.answers or not is_answer)
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """One random draw: uniform among `remaining` actions of the scope that had a verdict by `mark`."""

    scope: Scope
    mark: int  # the newest verdict's number when the scope was listed
    remaining: int  # not yet drawn at random in that scope


@dataclass(frozen=True, slots=True)
class Vote:
    """One label of the record, with how it came about. `newest`: the auditor's word in force there."""

    label_id: int
    client_uid: str
    auditor: str
    value: str
    newest: bool
    withdrawn: bool = False
    blind: bool | None = None
    adjudicates: bool = False
    draw_id: int | None = None
    seconds: float | None = None
    after_reveal: bool = False
    repeats: str | None = None  # the uid of the auditor's earlier label


@dataclass(frozen=True, slots=True)
class Said:
    """The newest verdict of one judge."""

    judge_id: int
    reward: float


@dataclass(frozen=True, slots=True)
class AuditedItem:
    """An action that was labelled or drawn at random, with everything that was said of it."""

    action_id: int
    question_id: int
    address: str
    dataset: str
    depth: int
    is_answer: bool
    text: str  # the first 300 characters
    mark: int | None  # the number of its first verdict; None: it has none
    drawn: bool  # at random, by whatever scope
    deciding: int | None  # the judge in force
    truth: float | None  # what people decided
    conflict: bool = False
    votes: tuple[Vote, ...] = ()  # by number
    said: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """How many actions of a kind have verdicts of exactly these judges."""

    dataset: str
    depth: int
    is_answer: bool
    judges: tuple[int, ...]  # their numbers
    actions: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What the labels in force did to what training sees, over the whole project."""

    overruled: int = 0  # actions whose effective reward is another than the judge's
    changed: int = 0  # actions whose advantage changed
    mean_change: float | None = None  # mean |Δ advantage| over those, by samples
    live_before: int = 0
    live_after: int = 0
    revived: int = 0  # groups that were not live and are
    died: int = 0


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Everything that a report is made of."""

    items: tuple[AuditedItem, ...] = ()
    turns: tuple[Turn, ...] = ()
    judges: tuple[Judge, ...] = ()
    effect: Effect = Effect()
    judged: tuple[Judged, ...] = ()  # of the whole project


def hidden(item: AuditItem) -> AuditItem:
    """The item as it may be shown before the vote: no label, and where blind nothing that a judge said.

    Neither what anybody labelled nor, where blind, any reward in its group: an advantage of a sibling would
    give the verdict away.
    """
    detail = item.detail
    action = _unlabelled(detail.action)
    changes: dict[str, object] = {"labels": ()}
    if item.blind:
        action = _unjudged(action)
        changes |= {
            "siblings": tuple(_unjudged(_unlabelled(sibling)) for sibling in detail.siblings),
            "verdicts": (),
            "certificates": (),
        }
    shown = dataclasses.replace(detail, action=action, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(item, detail=shown, revealed=False)


def _unlabelled(action: Action) -> Action:
    source = None
    if action.judge_reward is not None:
        source = "answer" if action.judge == "answer-check" else "judge"
    return dataclasses.replace(
        action,
        label=None,
        human_reward=None,
        conflict=False,
        reward=action.judge_reward,
        source=source,  # type: ignore[arg-type]
        advantage=None,
    )


def _unjudged(action: Action) -> Action:
    return dataclasses.replace(
        action,
        judge_reward=None,
        judge=None,
        judge_id=None,
        judge_progress=None,
        reward=None,
        source=None,
    )
