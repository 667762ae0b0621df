"""What was keyed and has to reach the owner: sent one by one in the order of the keys, kept until it has."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from bswirl.errors import BswirlError

if TYPE_CHECKING:
    from bswirl.client import Client


class Ask(Protocol):
    """Runs `work` off the UI loop, one after the other, and one of the callbacks on it."""

    def __call__(
        self,
        key: str,
        work: Callable[[Client], Any],
        done: Callable[[Any], None],
        failed: Callable[[BswirlError], None],
    ) -> None: ...


@dataclass(slots=True)
class Letter:
    """One call that changes the record. `work` may be repeated without harm."""

    words: str  # what it is, for people
    work: Callable[[Client], Any]
    done: Callable[[Any], None]
    about: object = None  # letters about the same thing are dropped together
    key: str = field(default_factory=lambda: str(uuid.uuid4()))


class Outbox:
    """Sends letters. After a failure it holds them all until it is told to go on."""

    def __init__(self, ask: Ask, changed: Callable[[], None], failed: Callable[[BswirlError], None]) -> None:
        self._ask = ask
        self._changed = changed
        self._failed = failed
        self._letters: deque[Letter] = deque()
        self._sending = False
        self._when_empty: Callable[[], None] | None = None
        self.problem: BswirlError | None = None  # why it holds

    def __len__(self) -> int:
        """How many are not acknowledged yet."""
        return len(self._letters)

    @property
    def first(self) -> Letter | None:
        """The one that is on its way, or that failed."""
        return self._letters[0] if self._letters else None

    def add(self, letter: Letter) -> None:
        self._letters.append(letter)
        self._send()

    def again(self) -> None:
        """Goes on after a failure."""
        self.problem = None
        self._send()

    def drop(self) -> list[Letter]:
        """Gives up the letter that failed and every later one about the same; goes on with the others."""
        first = self.first
        if first is None or self._sending:
            return []
        dropped = [one for one in self._letters if one is first or (one.about and one.about is first.about)]
        self._letters = deque(one for one in self._letters if one not in dropped)
        self.again()
        self._check_empty()
        return dropped

    def when_empty(self, work: Callable[[], None]) -> None:
        """Does `work` once everything is acknowledged, or now; not at all where something fails before."""
        self._when_empty = work
        self._check_empty()

    def _send(self) -> None:
        if self._sending or self.problem is not None or not self._letters:
            return
        self._sending = True
        letter = self._letters[0]

        def done(result: Any) -> None:
            self._sending = False
            self._letters.popleft()
            letter.done(result)
            self._changed()
            self._send()
            self._check_empty()

        def failed(error: BswirlError) -> None:
            self._sending = False
            self.problem = error
            self._when_empty = None
            self._failed(error)
            self._changed()

        self._ask(letter.key, letter.work, done, failed)

    def _check_empty(self) -> None:
        work = self._when_empty
        if work is not None and not self._letters:
            self._when_empty = None
            work()
