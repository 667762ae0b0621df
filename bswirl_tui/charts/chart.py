"""One panel: curves with bands, axes and letters on a sheet of cells, and what stands at the cursor."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bswirl_tui.charts.canvas import Canvas
from bswirl_tui.charts.dots import Dots
from bswirl_tui.charts.scale import LABEL, Scale, linear, logarithmic, shown, steps, tick_label
from bswirl_tui.charts.series import Series
from bswirl_tui.glyphs import glyphs

GUTTER = LABEL + 1  # cells left of the curves, for the ticks' labels
LINE_SIGNS = "*ox#%@&$"  # what lines are drawn in where there is no braille
LETTERS_EVERY = 22  # cells between two letters on one line
CURSOR = "!"  # added to the style of cells under the cursor


@dataclass(frozen=True, slots=True)
class Line:
    """A curve to draw: its letters (empty where it is alone), its style's name, its points, its interval."""

    letters: str
    style: str
    series: Series
    low: Series | None = None
    high: Series | None = None
    signed: bool = False  # whether values are read out with their sign


@dataclass(slots=True)
class Drawing:
    """A panel without its cursor."""

    canvas: Canvas
    lines: Sequence[Line]  # as drawn: smoothed where that was asked for
    first: int
    last: int
    scale: Scale | None = None  # None where nothing could be drawn
    notes: list[str] = field(default_factory=list)

    @property
    def plot_width(self) -> int:
        return max(1, self.canvas.width - GUTTER)

    @property
    def plot_height(self) -> int:
        return max(1, self.canvas.height - 2)

    def column(self, step: float) -> int:
        """The cell of a step."""
        share = (step - self.first) / max(1, self.last - self.first)
        return GUTTER + round(share * (self.plot_width - 1))

    def row(self, value: float) -> int:
        """The cell of a value."""
        place = self.scale.place(value) if self.scale is not None else 0.0
        return 1 + round((1 - place) * (self.plot_height - 1))


@dataclass(slots=True)
class _Column:
    """What a curve does within one column of dots."""

    x: int
    first: float
    low: float
    high: float
    last: float


def draw(lines: Sequence[Line], window: tuple[int, int], size: tuple[int, int], *, log: bool) -> Drawing:
    """Draws curves over the steps of the window; the first row is left free for the title."""
    width, height = size
    made = Drawing(Canvas(width, height), lines, *window)
    if width < GUTTER + 4 or height < 4:
        return made
    values = _values_in(lines, window)
    ticks = max(2, made.plot_height // 3)
    made.scale = logarithmic(values, ticks) if log else linear(values, ticks) if values else None
    _draw_steps(made)
    _note(made, values, log=log)
    if made.scale is None:
        words = "nothing above 0 for a log scale" if values else "no points here"
        made.canvas.put(GUTTER + 1, 1 + made.plot_height // 2, words, "muted")
        return made
    _draw_ticks(made, made.scale)
    for line in lines:
        _draw_band(made, line, log=log)
    dots = Dots(made.plot_width, made.plot_height, braille=glyphs().braille)
    ways = [_draw_line(made, dots, line, place, log=log) for place, line in enumerate(lines)]
    dots.draw(made.canvas, GUTTER, 1)
    for place, (line, way) in enumerate(zip(lines, ways, strict=True)):
        _draw_letters(made, line, place, way)
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


def _note(made: Drawing, values: Sequence[float], *, log: bool) -> None:
    strange = sum(len(line.series.not_finite(made.first, made.last)) for line in made.lines)
    if strange:
        made.notes.append(f"{strange} not finite")
    if log:
        left_out = sum(value <= 0 for value in values)
        made.notes.append(f"log, {left_out} not above 0" if left_out else "log")


def _draw_ticks(made: Drawing, scale: Scale) -> None:
    taken: set[int] = set()
    for tick in scale.ticks:
        row = made.row(tick)
        if row not in taken:
            taken.add(row)
            made.canvas.put(0, row, tick_label(tick, scale).rjust(LABEL), "muted")


def _draw_steps(made: Drawing) -> None:
    """The axis of steps; a `!` stands where a value is no finite number."""
    y, free = made.canvas.height - 1, GUTTER
    made.canvas.put(GUTTER, y, glyphs().bar_empty * made.plot_width, "faint")
    for step in steps(made.first, made.last, max(1, made.plot_width // 14)):
        label = f" {step:,} "
        x = min(made.column(step) - len(label) // 2, made.canvas.width - len(label))
        if x >= free:
            free = made.canvas.put(x, y, label, "muted") + 1
    for line in made.lines:
        for step in line.series.not_finite(made.first, made.last):
            made.canvas.put(made.column(step), y, "!", "bad")


def _draw_band(made: Drawing, line: Line, *, log: bool) -> None:
    """Shades what lies between an interval's ends."""
    if line.low is None or line.high is None:
        return
    for x in range(made.plot_width):
        step = made.first + (made.last - made.first) * x / max(1, made.plot_width - 1)
        low, high = line.low.between(step), line.high.between(step)
        if low is None or high is None or (log and high <= 0):
            continue
        for row in range(made.row(high), made.row(low) + 1):
            made.canvas.put(GUTTER + x, row, glyphs().unjudged, "faint")


def _draw_line(made: Drawing, dots: Dots, line: Line, place: int, *, log: bool) -> dict[int, int]:
    """Draws a curve; the row of its last value in each column of cells."""
    sign, way = LINE_SIGNS[place % len(LINE_SIGNS)], {}
    scale = made.scale
    if scale is None:
        return {}

    def down(value: float) -> int:
        return round((1 - scale.place(value)) * (dots.rows - 1))

    for stretch in _columns(line.series, made.first, made.last, dots.columns, log=log):
        before: _Column | None = None
        for column in stretch:
            if before is not None:
                dots.line(before.x, down(before.last), column.x, down(column.first), line.style, sign)
            dots.line(column.x, down(column.low), column.x, down(column.high), line.style, sign)
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


def _draw_letters(made: Drawing, line: Line, place: int, way: dict[int, int]) -> None:
    """Puts a line's letters on it every few cells; different lines' stand apart."""
    if not line.letters or not way:
        return
    offset = 3 + place * 5 % LETTERS_EVERY
    wanted = set(range(offset, made.plot_width, LETTERS_EVERY)) & way.keys()
    for x in sorted(wanted or {max(way)}):
        made.canvas.put(GUTTER + x, 1 + way[x], line.letters, line.style + "*")


def with_cursor(made: Drawing, title: str, cursor: int | None, *, focused: bool) -> Canvas:
    """The panel with its title, and the values at the cursor's step (the newest where there is none)."""
    canvas = made.canvas.copy()
    signs = glyphs()
    x = canvas.put(0, 0, f"{signs.closed if focused else ' '}", "accent")
    most = max(12, made.canvas.width // 2) if any(len(line.series) for line in made.lines) else canvas.width
    x = canvas.put(x, 0, title, "accent*" if focused else "strong", end=most)
    for line in made.lines:
        x = _read_out(canvas, x, line, cursor)
    if made.notes:
        canvas.put(x + 2, 0, ", ".join(made.notes), "warn")
    if made.scale is not None and cursor is not None and made.first <= cursor <= made.last:
        canvas.put(made.column(cursor), canvas.height - 1, signs.caret, "accent*")
        for line in made.lines:
            point = line.series.at(cursor)
            if point is not None and point[0] >= made.first and math.isfinite(point[1]):
                canvas.restyle(made.column(point[0]), made.row(point[1]), CURSOR)
    return canvas


def _read_out(canvas: Canvas, x: int, line: Line, cursor: int | None) -> int:
    """A curve's value, its interval, and its step where that is another than the cursor's."""
    x = canvas.put(x + 2, 0, f"{line.letters} " if line.letters else "", line.style + "*")
    point = line.series.at(cursor)
    if point is None:
        return canvas.put(x, 0, glyphs().dash, "muted")
    step, value = point
    x = canvas.put(x, 0, shown(value, signed=line.signed), line.style if math.isfinite(value) else "bad")
    ends = [series.at(step) for series in (line.low, line.high) if series is not None]
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0][0] == ends[1][0] == step:
        x = canvas.put(
            x, 0, f" [{', '.join(shown(end[1], signed=line.signed) for end in ends if end)}]", "muted"
        )
    if cursor is not None and step != cursor:
        x = canvas.put(x, 0, f" @{step:,}", "muted")
    return x
