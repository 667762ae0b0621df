"""A terminal as far as the app's drawing needs one: cells, moves, looks, wide and combining characters."""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.cells import cell_len

from bswirl_tui.terminal.sgr import PLAIN, Look, blank, changed_by

_PIECE = re.compile(r"\x1b\[([\d;]*)m|\x1b\[(\d+);(\d+)H|\x1b\[\?\d+[hl]|(\r?\n)|([^\x1b\r\n]+)")
Cell = tuple[str, Look]
EMPTY: Cell = (" ", PLAIN)


class Emulator:
    """Holds what a person would see, where each character takes as many cells as `width` says."""

    def __init__(self, width: Callable[[str], int] = cell_len) -> None:
        self._width = width
        self.cells: dict[tuple[int, int], Cell] = {}
        self.cursor = (1, 1)
        self.look = PLAIN

    def feed(self, data: str) -> None:
        """Draws. Fails on anything that the app's drawing never sends."""
        end = 0
        for match in _PIECE.finditer(data):
            assert match.start() == end, data[end:]
            end = match.end()
            look, row, column, line_end, text = match.groups()
            if look is not None:
                self.look = changed_by(self.look, look)
            elif row is not None:
                self.cursor = (int(row), int(column))
            elif line_end is not None:
                self.cursor = (self.cursor[0] + 1, 1)
            for character in text or "":
                self._put(character)
        assert end == len(data)

    def _put(self, character: str) -> None:
        row, column = self.cursor
        width = self._width(character)
        if width == 0:
            before = column - 1 if self._at(row, column - 1)[0] else column - 2
            shown, look = self._at(row, before)
            self.cells[row, before] = (shown + character, self.look if shown == " " else look)
            return
        for place in range(column, column + width):
            self._clear_wide(row, place)
        self.cells[row, column] = (character, blank(self.look) if character == " " else self.look)
        for place in range(column + 1, column + width):
            self.cells[row, place] = ("", self.look)
        self.cursor = (row, column + width)

    def _at(self, row: int, column: int) -> Cell:
        return self.cells.get((row, column), EMPTY)

    def _clear_wide(self, row: int, column: int) -> None:
        """Half of a wide character goes, so the other half is blanked."""
        if self._at(row, column)[0] == "":
            self.cells[row, column - 1] = EMPTY
        if self._at(row, column + 1)[0] == "":
            self.cells[row, column + 1] = EMPTY

    def text(self, row: int) -> str:
        """What stands on a row."""
        columns = [column for line, column in self.cells if line == row]
        return "".join(self._at(row, column)[0] for column in range(1, max(columns, default=0) + 1))
