"""As much of a terminal as it takes to see what a redraw leaves on the screen."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|([^\x1b])", re.DOTALL)


def painted(output: str) -> dict[tuple[int, int], tuple[str, str]]:
    """Each cell that was written, with its character and the codes of its style, sorted."""
    cells: dict[tuple[int, int], tuple[str, str]] = {}
    x = y = end = 0
    codes: list[str] = []
    for match in _PIECE.finditer(output):
        assert match.start() == end, output[end:]
        end = match.end()
        row, column, style, sign = match.groups()
        if row is not None:
            x, y = int(column) - 1, int(row) - 1
        elif style is not None:
            parts = (style or "0").split(";")
            kept = [] if parts[0] == "0" else codes
            codes = [*kept, *(part for part in parts if part not in ("0", ""))]
        elif sign == "\n":
            x, y = 0, y + 1
        else:
            cells[(x, y)] = (sign, ";".join(sorted(codes)))
            x += 1
    assert end == len(output)
    return cells
