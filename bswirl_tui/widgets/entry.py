"""A line to type in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from rich.cells import cell_len
from rich.text import Text
from textual.widgets import Input

from bswirl.display import safe_text
from bswirl_tui.text import clean

_UNSEEN = "\ufffd"  # for what has no picture


class Entry(Input):
    """It holds text verbatim and shows it safe, a character for a character: positions are the same in both.

    Its cursor stands still: a blinking one would write to the terminal all the time.
    """

    def __init__(self, value: str = "", **about: Any) -> None:
        super().__init__(value, **about)
        self.cursor_blink = False

    @property
    def _shown(self) -> str:
        return shown_in_place(self.value)

    @property
    def _value(self) -> Text:
        return Text(self._shown, no_wrap=True, overflow="ignore", end="")

    def _position_to_cell(self, position: int) -> int:
        return cell_len(self._shown[:position])

    def _cell_offset_to_index(self, offset: int) -> int:
        end = -self.scroll_offset.x
        for index, character in enumerate(self._shown):
            end += cell_len(character)
            if offset < end:
                return index
        return len(self.value)


def shown_in_place(text: str) -> str:
    """`text` with nothing in it that a terminal would act on, and as many characters as before."""
    return text if text.isascii() and text.isprintable() else "".join(map(_in_its_place, text))


@lru_cache(maxsize=4096)
def _in_its_place(character: str) -> str:
    """A character, or its picture, or one sign where its number would be spelt."""
    if character == "\t":
        return "␉"
    return _UNSEEN if "U+" in clean(character, one_line=True) else safe_text(character, one_line=True)


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
