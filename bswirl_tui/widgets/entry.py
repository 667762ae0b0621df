"""A line to type in."""

from __future__ import annotations

from typing import Any

from textual.widgets import Input


class Entry(Input):
    """Its cursor stands still: a blinking one would write to the terminal all the time."""

    def __init__(self, value: str = "", **about: Any) -> None:
        super().__init__(value, **about)
        self.cursor_blink = False
