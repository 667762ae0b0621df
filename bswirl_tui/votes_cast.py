"""What a sitting at the audit queue is made of: its set-up, the votes cast on each step, their time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bswirl.audit.records import DECIDED, AuditItem, AuditNext, AuditVote, Scope

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.records import Label
    from bswirl.settings.audit import AuditSettings


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """What is asked for."""

    order: str = "random"
    slice: float = 0.2
    repeats: float = 0.05
    overlap: float = 0.0
    blind: bool = True
    dataset: str | None = None
    depth: int | None = None
    answers: bool = False
    reserve_minutes: float = 10.0

    @classmethod
    def usual(cls, settings: AuditSettings, order: str) -> QueueOptions:
        """That order as the project's settings have it."""
        return cls(
            order=order,
            slice=settings.slice,
            repeats=settings.repeats,
            overlap=settings.overlap,
            blind=settings.blind,
            reserve_minutes=settings.reserve_minutes,
        )

    def fits(self, item: AuditItem) -> bool:
        """Whether a step is one of those asked for, whatever the order."""
        action = item.detail.action
        scope = Scope(self.dataset, self.depth, self.answers)
        inside = scope.holds(item.detail.question.dataset, action.depth, action.is_answer)
        return inside and item.blind == self.blind

    def ask(self, client: Client, client_uid: str, here: Sequence[int]) -> AuditNext:
        """The next step, none of those draws."""
        return client.audit_next(
            self.order,
            slice=self.slice,
            repeats=self.repeats,
            overlap=self.overlap,
            blind=self.blind,
            dataset=self.dataset,
            depth=self.depth,
            answers=self.answers,
            reserve_minutes=self.reserve_minutes,
            here=here,
            client_uid=client_uid,
        )


@dataclass(eq=False, slots=True)
class Cast:
    """One vote."""

    value: str
    reason: str | None = None
    flagged: bool = False
    client_uid: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Draft:
    """What is kept of a step for the vote to come."""

    reason: str | None = None
    about: str | None = None  # the vote that was taken back, whose reason it was
    flagged: bool = False
    seconds: float = 0.0  # for which the step was in sight

    @classmethod
    def of(cls, cast: Cast | Label) -> Draft:
        """What a vote that was taken back leaves."""
        return cls(cast.reason, cast.value, cast.flagged)

    def reason_for(self, value: str) -> str | None:
        """The reason that a vote takes along; not one that was given for another vote."""
        return self.reason if self.about in (None, value) else None


NOTHING_KEPT = Draft()


@dataclass(eq=False, slots=True)
class Entry:
    """A step that was voted on in this sitting; the last cast counts."""

    item: AuditItem
    casts: list[Cast]
    blind: bool  # nothing of the judge had been shown
    reveal: AuditVote | None = None  # comes with the acknowledgement

    @property
    def now(self) -> Cast:
        return self.casts[-1]

    @property
    def revealed(self) -> bool:
        """Whether the judge was shown after a blind vote."""
        return self.blind and self.casts[0].value in DECIDED

    @property
    def turned(self) -> bool:
        """Whether seeing the judge changed the vote."""
        later = [cast.value for cast in self.casts[1:] if cast.value in DECIDED]
        return self.revealed and bool(later) and later[-1] != self.casts[0].value


@dataclass(slots=True)
class Clock:
    """How long a step has been in sight."""

    now: Callable[[], float] = time.monotonic
    spent: float = 0.0
    since: float | None = None

    def restart(self, spent: float = 0.0) -> None:
        self.spent, self.since = spent, self.now()

    def go(self) -> None:
        if self.since is None:
            self.since = self.now()

    def stop(self) -> None:
        self.spent, self.since = self.seconds, None

    @property
    def seconds(self) -> float:
        return self.spent + (0.0 if self.since is None else self.now() - self.since)
