"""Hands over typed keys one by one: the next goes where the one before has led.

Textual gives a key to whatever has the focus when it arrives. Of keys that arrive together, as they do over a
slow line, the later ones would miss a dialog that an earlier one opens, or still go into one that it closes.
Where what a key opens has to be read from the owner first, the keys behind it are held until it is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Hashable

from textual import events
from textual.app import App
from textual.message import Message
from textual.timer import Timer

ROUNDS = 3  # from a key to what it posts, from there to the dialog, and to the screen that has the focus then
PATIENCE_SECONDS = 0.2  # a widget that is removed takes the message that follows its last key with it
HELD_SECONDS = 5.0  # at most: an owner that has not answered by then may never answer

Typed = events.Key | events.Paste


class KeyDone(Message):
    """Follows a key on its way from the focus up to the app."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class TypingOrder:
    """`take` each key; `came_back` each KeyDone. `refused` is told how many keys nobody will get."""

    def __init__(
        self,
        app: App[int],
        hand_over: Callable[[Typed], Awaitable[None]],
        refused: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._app = app
        self._hand_over = hand_over
        self._refused = refused
        self._held_for: dict[Hashable, Timer] = {}  # what is about to open
        self._waiting: deque[Typed] = deque()
        self._busy = False
        self._number = 0  # of the newest KeyDone
        self._rounds = 0

    async def take(self, typed: Typed) -> None:
        """Hands it over now, or once those before it are done."""
        if self._busy or self._held_for:
            self._waiting.append(typed)
            if self._busy:
                self._watch()
        else:
            await self._next(typed)

    async def came_back(self, number: int) -> None:
        """A key, or what it led to, is dealt with."""
        if number != self._number or not self._busy:
            return
        self._rounds -= 1
        if self._rounds:
            self._follow()
        elif self._waiting and not self._held_for:
            await self._next(self._waiting.popleft())
        else:
            self._busy = False

    def hold(self, what: Hashable) -> None:
        """Keeps further keys until `release`: they are meant for what is about to open."""
        self._drop(what)
        self._held_for[what] = self._app.set_timer(HELD_SECONDS, lambda: self._lose_patience(what))

    def release(self, what: Hashable) -> None:
        """It is open, or will not be: hands the keys on once it has the focus."""
        if self._drop(what) and not self._held_for:
            self._rounds = ROUNDS
            if not self._busy:
                self._busy = True
                self._follow()

    def _drop(self, what: Hashable) -> bool:
        """Whether keys were held for it."""
        timer = self._held_for.pop(what, None)
        if timer is not None:
            timer.stop()
        return timer is not None

    def _lose_patience(self, what: Hashable) -> None:
        """Refuses what was held: on the screen below, those keys would do what nobody meant."""
        number = len(self._waiting)
        self._waiting.clear()
        self.release(what)
        if number:
            self._refused(number)

    async def _next(self, typed: Typed) -> None:
        self._busy, self._rounds = True, ROUNDS
        await self._hand_over(typed)
        self._follow()

    def _follow(self) -> None:
        self._number += 1
        target = self._app.focused or self._app.screen
        done = KeyDone(self._number)
        done.set_sender(self._app)  # a message goes up to its sender, and no further
        target.post_message(done)
        if self._waiting:
            self._watch()

    def _watch(self) -> None:
        number = self._number
        self._app.set_timer(PATIENCE_SECONDS, lambda: self.came_back(number))
