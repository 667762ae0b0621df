"""Lines as dots in cells: braille, two by four dots a cell, or plain characters, one a cell."""

from __future__ import annotations

from bswirl_tui.charts.canvas import Canvas
from bswirl_tui.charts.lines import Pen

_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by row and column of a cell
_BRAILLE = 0x2800


class Dots:
    """A layer of lines over `width` by `height` cells."""

    def __init__(self, width: int, height: int, *, braille: bool) -> None:
        self.braille = braille
        self.across, self.down = (2, 4) if braille else (1, 1)
        self.columns, self.rows = width * self.across, height * self.down
        self._cells: dict[tuple[int, int], tuple[int, str, str]] = {}

    def dot(self, x: int, y: int, style: str, sign: str) -> None:
        """Sets a dot; where characters are drawn, `sign` is the line's."""
        cell = (x // self.across, y // self.down)
        bits = self._cells.get(cell, (0, "", ""))[0]
        if self.braille:
            bits |= _BITS[y % 4][x % 2]
        self._cells[cell] = (bits, style, sign)

    def line(self, x0: int, y0: int, x1: int, y1: int, style: str, sign: str, pen: Pen) -> None:
        """A straight line between two dots, as far as the pen sets them."""
        length = max(abs(x1 - x0), abs(y1 - y0))
        for place in range(length + 1):
            share = place / length if length else 0.0
            if pen.sets():
                self.dot(round(x0 + (x1 - x0) * share), round(y0 + (y1 - y0) * share), style, sign)

    def draw(self, canvas: Canvas, x: int, y: int) -> None:
        """Puts the cells that have dots over what the canvas shows."""
        for (column, row), (bits, style, sign) in self._cells.items():
            canvas.put(x + column, y + row, chr(_BRAILLE + bits) if self.braille else sign, style)
