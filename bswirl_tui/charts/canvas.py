"""A sheet of terminal cells, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.cells import cell_len

FOLLOWS = ""  # the second cell of a wide character


class Canvas:
    """Characters and the names of their styles. What lies outside is not drawn."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.signs = [[" "] * width for _ in range(height)]
        self.styles = [[""] * width for _ in range(height)]

    def put(self, x: int, y: int, text: str, style: str = "", *, end: int | None = None) -> int:
        """Writes safe text, cut before cell `end`; returns the cell after it."""
        end = self.width if end is None else min(end, self.width)
        if not 0 <= y < self.height:
            return x
        for sign in text:
            cells = cell_len(sign)
            if cells == 0:
                if 0 < x <= end:
                    self.signs[y][x - 1] += sign  # an accent on the character before
                continue
            if x + cells > end:
                break
            if x >= 0:
                self.signs[y][x], self.styles[y][x] = sign, style
                for place in range(x + 1, x + cells):
                    self.signs[y][place], self.styles[y][place] = FOLLOWS, style
            x += cells
        return x

    def restyle(self, x: int, y: int, suffix: str) -> None:
        """Adds to the style of a cell."""
        if 0 <= x < self.width and 0 <= y < self.height:
            self.styles[y][x] += suffix

    def paste(self, other: Canvas, x: int, y: int) -> None:
        """Copies another sheet onto this one, where it fits as a whole."""
        for row in range(min(other.height, self.height - y)):
            self.signs[y + row][x : x + other.width] = other.signs[row]
            self.styles[y + row][x : x + other.width] = other.styles[row]

    def copy(self) -> Canvas:
        twin = Canvas(0, 0)
        twin.width, twin.height = self.width, self.height
        twin.signs = [row.copy() for row in self.signs]
        twin.styles = [row.copy() for row in self.styles]
        return twin

    def runs(self, y: int) -> Iterator[tuple[str, str]]:
        """A row as stretches of one style."""
        cells = zip(self.signs[y], self.styles[y], strict=True)
        for style, stretch in groupby(cells, key=lambda cell: cell[1]):
            yield "".join(sign for sign, _ in stretch), style

    @property
    def plain(self) -> str:
        return "\n".join("".join(row) for row in self.signs)


def differences(before: Canvas, after: Canvas, join: int = 6) -> Iterator[tuple[int, int, int]]:
    """The stretches (x, y, width) that differ between sheets of one size; near ones are one."""
    for y in range(after.height):
        if before.signs[y] == after.signs[y] and before.styles[y] == after.styles[y]:
            continue
        changed = [
            x
            for x in range(after.width)
            if before.signs[y][x] != after.signs[y][x] or before.styles[y][x] != after.styles[y][x]
        ]
        start = end = changed[0]
        for x in changed[1:]:
            if x - end > join:
                yield _whole(before, after, start, end, y)
                start = x
            end = x
        yield _whole(before, after, start, end, y)


def _whole(before: Canvas, after: Canvas, start: int, end: int, y: int) -> tuple[int, int, int]:
    """A stretch that begins and ends with whole characters, on both sheets."""
    rows = (before.signs[y], after.signs[y])
    while start > 0 and any(row[start] == FOLLOWS for row in rows):
        start -= 1
    while end + 1 < after.width and any(row[end + 1] == FOLLOWS for row in rows):
        end += 1
    return start, y, end - start + 1
