"""A window to read a long text in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from bswirl_tui import actions
from bswirl_tui.text import Paragraph, line
from bswirl_tui.widgets.text_view import TextView


class Reader(ModalScreen[None]):
    """Shows paragraphs until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *actions.bindings(actions.DIALOG),
        Binding("q", "screen_back", show=False),
        Binding("question_mark,f1", "app.app_help", show=False, id="app.help"),
    ]

    def __init__(self, title: str, paragraphs: Sequence[Paragraph]) -> None:
        super().__init__()
        self._title = title
        self._paragraphs = paragraphs

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall") as box:
            box.border_title = line(self._title, limit=60)
            box.border_subtitle = Text(f"{actions.spec('screen.back').key_display} closes")
            yield TextView()

    @property
    def plain(self) -> str:
        """All that is shown, wrapped."""
        return self.query_one(TextView).plain

    def on_mount(self) -> None:
        view = self.query_one(TextView)
        view.show(self._paragraphs)
        view.focus()

    def action_screen_back(self) -> None:
        self.dismiss()
