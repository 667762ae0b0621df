"""One panel: curves with bands, axes and letters on a sheet of cells, and what stands at the cursor."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bswirl_tui.charts.canvas import Canvas
from bswirl_tui.charts.dots import Dots
from bswirl_tui.charts.lines import Line, Pen
from bswirl_tui.charts.readout import put_head, rows_for
from bswirl_tui.charts.scale import LABEL, Scale, linear, logarithmic, steps, tick_label
from bswirl_tui.charts.series import Series
from bswirl_tui.glyphs import glyphs

GUTTER = LABEL + 1  # cells left of the curves, for the ticks' labels
LETTERS_EVERY = 22  # cells between two letters on one line
TALL = 8  # dots; a stroke through so many has both its ends, whatever the line's pattern
TALL_PANEL = 16  # rows of a panel that has room for more words above its curves
CURSOR, DIM = "!", "~"  # added to the styles of cells under the cursor, and of what stands back


@dataclass(slots=True)
class Drawing:
    """A panel without its cursor."""

    canvas: Canvas
    lines: Sequence[Line]  # as drawn: smoothed where that was asked for
    first: int
    last: int
    head: int = 1  # rows above the curves
    scale: Scale | None = None  # None where nothing could be drawn
    notes: list[tuple[str, str]] = field(default_factory=list)  # in a long and a short form

    @property
    def plot_width(self) -> int:
        return max(1, self.canvas.width - GUTTER)

    @property
    def plot_height(self) -> int:
        return max(1, self.canvas.height - self.head - 1)

    def column(self, step: float) -> int:
        """The cell of a step."""
        share = (step - self.first) / max(1, self.last - self.first)
        return GUTTER + round(share * (self.plot_width - 1))

    def row(self, value: float) -> int:
        """The cell of a value."""
        place = self.scale.place(value) if self.scale is not None else 0.0
        return self.head + round((1 - place) * (self.plot_height - 1))


@dataclass(slots=True)
class _Column:
    """What a curve does within one column of dots."""

    x: int
    first: float
    low: float
    high: float
    last: float


def draw(
    lines: Sequence[Line], window: tuple[int, int], size: tuple[int, int], *, log: bool, title: str = ""
) -> Drawing:
    """Draws curves over the steps of the window; rows are left free for the title and what is read out."""
    width, height = size
    made = Drawing(Canvas(width, height), lines, *window)
    if width < GUTTER + 4 or height < 4:
        return made
    values = _values_in(lines, window)
    _note(made, log=log)
    most = (height - 4) // 2 if height < TALL_PANEL else (height - 4) * 3 // 5
    made.head = rows_for(title, lines, len(made.notes), width, max(1, most))
    ticks = max(2, made.plot_height // 3)
    made.scale = logarithmic(values, ticks) if log else linear(values, ticks) if values else None
    _draw_steps(made)
    if made.scale is None:
        words = "nothing above 0 for a log scale" if values else "no points here"
        made.canvas.put(GUTTER + 1, made.head + made.plot_height // 2, words, "muted")
        return made
    _draw_ticks(made, made.scale)
    banded = [line for line in lines if line.has_band]
    for place, line in enumerate(banded):
        _draw_band(made, line, place, len(banded), log=log)
    dots = Dots(made.plot_width, made.plot_height, braille=glyphs().braille)
    ways = [_draw_line(made, dots, line, log=log) for line in lines]
    dots.draw(made.canvas, GUTTER, made.head)
    taken: set[tuple[int, int]] = set()
    for place, (line, way) in enumerate(zip(lines, ways, strict=True)):
        _draw_letters(made, line, place, way, taken)
    return made


def _values_in(lines: Iterable[Line], window: tuple[int, int]) -> list[float]:
    """Every finite value in sight, intervals' ends included."""
    return [
        value
        for line in lines
        for series in (line.series, line.low, line.high)
        if series is not None
        for _, value in series.window(*window)
        if not math.isnan(value)
    ]


def _note(made: Drawing, *, log: bool) -> None:
    strange = sum(len(line.series.not_finite(made.first, made.last)) for line in made.lines)
    if strange:
        made.notes.append((f"{strange} not finite",) * 2)
    if log:
        left_out = sum(line.series.not_above_zero(made.first, made.last) for line in made.lines)
        signs = (f"log, {left_out} not above 0", f"log,{left_out}<=0") if left_out else ("log", "log")
        made.notes.append(signs)


def _draw_ticks(made: Drawing, scale: Scale) -> None:
    taken: set[int] = set()
    for tick in scale.ticks:
        row = made.row(tick)
        if row not in taken:
            taken.add(row)
            made.canvas.put(0, row, tick_label(tick, scale).rjust(LABEL), "muted")


def _draw_steps(made: Drawing) -> None:
    """The axis of steps; a `!` stands where a value is no finite number. A few of them displace numbers."""
    y, free = made.canvas.height - 1, GUTTER
    made.canvas.put(GUTTER, y, glyphs().bar_empty * made.plot_width, "faint")
    marks = {made.column(at) for line in made.lines for at in line.series.not_finite(made.first, made.last)}
    for column in marks:
        made.canvas.put(column, y, "!", "bad")
    few = len(marks) <= made.plot_width // 8
    for step in steps(made.first, made.last, max(1, made.plot_width // 14)):
        label = f" {step:,} "
        x = min(made.column(step) - len(label) // 2, made.canvas.width - len(label))
        if x >= free and not (few and marks & set(range(x, x + len(label)))):
            free = made.canvas.put(x, y, label, "muted") + 1


def _draw_band(made: Drawing, line: Line, place: int, bands: int, *, log: bool) -> None:
    """Shades what lies between an interval's ends; each of several bands has cells of its own."""
    style = "faint" if bands == 1 else line.style + DIM
    if line.low is None or line.high is None:
        return
    for x in range(made.plot_width):
        step = made.first + (made.last - made.first) * x / max(1, made.plot_width - 1)
        low, high = line.low.between(step), line.high.between(step)
        if low is None or high is None or (log and high <= 0):
            continue
        for row in range(made.row(high), made.row(low) + 1):
            if (x + row) % bands == place:
                made.canvas.put(GUTTER + x, row, line.fill, style)


def _draw_line(made: Drawing, dots: Dots, line: Line, *, log: bool) -> dict[int, int]:
    """Draws a curve; the row of its last value in each column of cells."""
    way: dict[int, int] = {}
    scale, sign, pen = made.scale, line.sign, Pen(line.place, braille=dots.braille)
    if scale is None:
        return {}

    def down(value: float) -> int:
        return round((1 - scale.place(value)) * (dots.rows - 1))

    for stretch in _columns(line.series, made.first, made.last, dots.columns, log=log):
        before: _Column | None = None
        for column in stretch:
            if before is not None:
                dots.line(before.x, down(before.last), column.x, down(column.first), line.style, sign, pen)
            low, high = down(column.low), down(column.high)
            dots.line(column.x, low, column.x, high, line.style, sign, pen)
            for end in (low, high) if low - high >= TALL else ():
                dots.dot(column.x, end, line.style, sign)
            way[column.x // dots.across] = down(column.last) // dots.down
            before = column
        if len(stretch) == 1:  # a dot alone would hardly be seen
            x, y = stretch[0].x // dots.across, down(stretch[0].last) // dots.down
            for dot in range(dots.across * dots.down):
                dots.dot(
                    x * dots.across + dot % dots.across, y * dots.down + dot // dots.across, line.style, sign
                )
    return way


def _columns(series: Series, first: int, last: int, width: int, *, log: bool) -> list[list[_Column]]:
    """A curve by columns of dots, in stretches without a gap; each column keeps its lowest and highest."""
    stretches: list[list[_Column]] = []
    broken = True
    for step, value in series.window(first, last):
        if math.isnan(value) or (log and value <= 0):
            broken = True
            continue
        x = round((step - first) / max(1, last - first) * (width - 1))
        if broken:
            stretches.append([])
        broken = False
        stretch = stretches[-1]
        if stretch and stretch[-1].x == x:
            column = stretch[-1]
            column.low, column.high, column.last = min(column.low, value), max(column.high, value), value
        else:
            stretch.append(_Column(x, value, value, value, value))
    return stretches


def _draw_letters(
    made: Drawing, line: Line, place: int, way: dict[int, int], taken: set[tuple[int, int]]
) -> None:
    """Puts a line's letters at its end and on it every few cells; different lines' stand apart."""
    if not line.letters or not way:
        return
    cells, end = len(line.letters), max(way)
    offset = 3 + place * 5 % LETTERS_EVERY
    between = set(range(offset, end - LETTERS_EVERY // 3, LETTERS_EVERY)) & way.keys()
    for x in (end, *sorted(between)):
        y, start = made.head + way[x], min(x, made.plot_width - cells)
        while start > 0 and x == end and taken & {(at, y) for at in range(start - 1, start + cells + 1)}:
            start -= 1
        here = {(at, y) for at in range(start, start + cells)}
        if not taken & here:
            taken |= here
            made.canvas.put(GUTTER + start, y, line.letters, line.style + "*")


def with_cursor(
    made: Drawing, title: str, cursor: int | None, *, focused: bool, newest: int | None = None
) -> Canvas:
    """The panel with its title, and the values at the cursor's step (the newest where there is none)."""
    canvas, signs = made.canvas.copy(), glyphs()
    put_head(
        canvas, made.head, (title, "accent*" if focused else "strong"), made.lines, made.notes, cursor, newest
    )
    canvas.put(0, 0, signs.closed if focused else " ", "accent")
    if made.scale is not None and cursor is not None and made.first <= cursor <= made.last:
        canvas.put(made.column(cursor), canvas.height - 1, signs.caret, "accent*")
        for line in made.lines:
            point = line.series.at(cursor)
            if point is not None and point[0] >= made.first and math.isfinite(point[1]):
                canvas.restyle(made.column(point[0]), made.row(point[1]), CURSOR)
    return canvas
