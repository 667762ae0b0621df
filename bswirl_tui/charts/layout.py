"""Where panels go: as many as fit, in a grid, the rest on further pages."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAST = (56, 10)  # width and height of a panel to read, in cells


@dataclass(frozen=True, slots=True)
class Box:
    """A panel's place in cells."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Columns and rows of a page."""

    columns: int
    rows: int

    @property
    def page(self) -> int:
        """Panels of a page."""
        return self.columns * self.rows


def grid_for(
    width: int, height: int, panels: int, *, alone: bool = False, least: tuple[int, int] = LEAST
) -> Grid:
    """The grid for that many panels in that much room: no more cells than panels need."""
    if alone or panels <= 1:
        return Grid(1, 1)
    columns = max(1, width // least[0])
    rows = max(1, height // least[1])
    if panels < columns * rows:
        columns = min(columns, math.ceil(math.sqrt(panels)) if rows > 1 else panels)
        rows = min(rows, math.ceil(panels / columns))
        columns = min(max(1, width // least[0]), math.ceil(panels / rows))
    return Grid(columns, rows)


def boxes(grid: Grid, width: int, height: int) -> list[Box]:
    """The places of a page's panels, row by row, with a free column between neighbours."""
    found = []
    for row in range(grid.rows):
        top, bottom = height * row // grid.rows, height * (row + 1) // grid.rows
        for column in range(grid.columns):
            left, right = width * column // grid.columns, width * (column + 1) // grid.columns
            gap = 1 if column < grid.columns - 1 else 0
            found.append(Box(left, top, right - left - gap, bottom - top))
    return found
