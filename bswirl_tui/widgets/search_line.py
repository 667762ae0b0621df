"""A line at the foot of the screen to type what to search for; the list follows while one types."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from bswirl_tui.widgets.entry import Entry

PAUSE_SECONDS = 0.25


class SearchLine(Horizontal):
    """Hidden until opened. Enter keeps the words, escape those from before."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", show=False)]

    class Changed(Message):
        """Other words are searched for."""

        def __init__(self, words: str, *, given_up: bool = False) -> None:
            super().__init__()
            self.words = words
            self.given_up = given_up  # they are those from before

    class Closed(Message):
        """The line is hidden again."""

        def __init__(self, *, given_up: bool) -> None:
            super().__init__()
            self.given_up = given_up

    def __init__(self, placeholder: str = "words in a question or its steps") -> None:
        super().__init__()
        self._placeholder = placeholder
        self.display = False
        self._before = ""
        self._pause: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(Text(" / "), markup=False)
        yield Entry(placeholder=self._placeholder, compact=True)

    def open(self, words: str) -> None:
        """Shows the line with the words searched for now."""
        self._before = words
        self.display = True
        field = self.query_one(Input)
        with self.prevent(Input.Changed):
            field.value = words
        field.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE_SECONDS, self._search)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._search()
        self._close()

    def action_give_up(self) -> None:
        with self.prevent(Input.Changed):
            self.query_one(Input).value = self._before
        self.post_message(self.Changed(self._before, given_up=True))
        self._close(given_up=True)

    def _search(self) -> None:
        self.post_message(self.Changed(self.query_one(Input).value.strip()))

    def _close(self, *, given_up: bool = False) -> None:
        if self._pause is not None:
            self._pause.stop()
        self.display = False
        self.post_message(self.Closed(given_up=given_up))
