"""Hands over typed keys one by one: the next goes where the one before has led.

Textual gives a key to whatever has the focus when it arrives. Of keys that arrive together, as they do over a
slow line, the later ones would miss a dialog that an earlier one opens, or still go into one that it closes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from textual import events
from textual.app import App
from textual.message import Message

ROUNDS = 3  # from a key to what it posts, from there to the dialog, and to the screen that has the focus then
PATIENCE_SECONDS = 0.2  # a widget that is removed takes the message that follows its last key with it

Typed = events.Key | events.Paste


class KeyDone(Message):
    """Follows a key on its way from the focus up to the app."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class TypingOrder:
    """`take` each key; `came_back` each KeyDone."""

    def __init__(self, app: App[int], hand_over: Callable[[Typed], Awaitable[None]]) -> None:
        self._app = app
        self._hand_over = hand_over
        self._waiting: deque[Typed] = deque()
        self._busy = False
        self._number = 0  # of the newest KeyDone
        self._rounds = 0

    async def take(self, typed: Typed) -> None:
        """Hands it over now, or once those before it are done."""
        if self._busy:
            self._waiting.append(typed)
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
        elif self._waiting:
            await self._next(self._waiting.popleft())
        else:
            self._busy = False

    async def _next(self, typed: Typed) -> None:
        self._busy, self._rounds = True, ROUNDS
        await self._hand_over(typed)
        self._follow()

    def _follow(self) -> None:
        self._number += 1
        target = self._app.focused or self._app.screen
        target.post_message(KeyDone(self._number))
        if self._waiting:
            self._watch()

    def _watch(self) -> None:
        number = self._number
        self._app.set_timer(PATIENCE_SECONDS, lambda: self.came_back(number))
