"""A line to type in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.widgets import Input


class Entry(Input):
    """Its cursor stands still: a blinking one would write to the terminal all the time."""

    def __init__(self, value: str = "", **about: Any) -> None:
        super().__init__(value, **about)
        self.cursor_blink = False


class NameEntry(Entry):
    """Where names are known, the right arrow at the end of a text takes the first name that begins like it.

    The name is not drawn into the line, where it would look typed: whoever owns the entry shows it beside.
    """

    names: Sequence[str] = ()

    @property
    def completion(self) -> str:
        """The name that the right arrow would take now; empty where there is none."""
        typed = self.value.casefold()
        if not typed or not self.has_focus or not self.cursor_at_end or not self.selection.is_empty:
            return ""
        longer = (name for name in self.names if len(name) > len(typed))
        return next((name for name in longer if name.casefold().startswith(typed)), "")

    def action_cursor_right(self, select: bool = False) -> None:
        taken = "" if select else self.completion
        if taken:
            self.value = taken
            self.cursor_position = len(taken)
        else:
            super().action_cursor_right(select)
