"""A curve to draw, and what tells it from others without colour: letters, strokes, signs, shading."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from bswirl_tui.charts.series import Series
from bswirl_tui.glyphs import glyphs

LINE_SIGNS = "*ox#%@&$"  # what lines are drawn in where there is no braille
STROKES = ("x", "xxxxxx...", "xx..", "xxxxxxx..x..")  # dots set and left out, along a line of braille
FILLS = ".:'-+;=,"  # what intervals are shaded in


@dataclass(frozen=True, slots=True)
class Stored:
    """A point as the store has it, with its interval."""

    step: int
    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A curve to draw: its letters (empty where it is alone), its place among others, points, interval."""

    letters: str
    place: int
    series: Series
    low: Series | None = None
    high: Series | None = None
    signed: bool = False  # whether values are read out with their sign
    smooth: bool = False  # whether these points are not the stored ones
    stored: Callable[[int | None], Stored | None] | None = None  # None: what is drawn is what is stored

    @property
    def style(self) -> str:
        """The name of its colour."""
        return f"c{self.place}"

    @property
    def sign(self) -> str:
        """What it is drawn in where there is no braille."""
        return LINE_SIGNS[self.place % len(LINE_SIGNS)]

    @property
    def fill(self) -> str:
        """What its interval is shaded in."""
        sign = FILLS[self.place % len(FILLS)]
        return glyphs().unjudged if sign == "." else sign

    @property
    def has_band(self) -> bool:
        return self.low is not None and self.high is not None

    def point(self, step: int | None) -> Stored | None:
        """The stored point up to a step; the newest where no step is said."""
        if self.stored is not None:
            return self.stored(step)
        found = self.series.at(step)
        if found is None:
            return None
        ends = [series.at(found[0]) for series in (self.low, self.high) if series is not None]
        measured = [end[1] for end in ends if end is not None and end[0] == found[0]]
        return Stored(*found, (measured[0], measured[1]) if len(measured) == 2 else None)

    def drawn(self, step: int) -> float | None:
        """The smoothed value at a stored point."""
        found = self.series.at(step) if self.smooth else None
        return found[1] if found is not None and math.isfinite(found[1]) else None


class Pen:
    """Sets dots or leaves them out, as a line's stroke says, from its beginning to its end."""

    def __init__(self, place: int, *, braille: bool) -> None:
        stroke = STROKES[place % len(STROKES)] if braille else "x"
        self._stroke = [dot == "x" for dot in stroke]
        self._drawn = 0

    def sets(self) -> bool:
        """Whether the next dot is set."""
        self._drawn += 1
        return self._stroke[(self._drawn - 1) % len(self._stroke)]
