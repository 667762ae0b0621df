"""A training run's curves. It imports numpy, through textual-plot: import it only where curves are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Grid, Vertical
from textual_plot import HiResMode, PlotWidget

from bswirl_tui.glyphs import glyphs
from bswirl_tui.text import signed
from bswirl_tui.themes import Palette, palette

Points = Sequence[tuple[int, float]]
MOST_POINTS = 600


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a panel: a metric, the palette's name of its colour, its sign where there is no colour."""

    metric: str
    colour: str
    label: str = ""
    sign: str = "*"


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot."""

    title: str
    series: tuple[Series, ...]
    signed: bool = False
    bounds: tuple[str, ...] = ()  # metrics drawn faintly: an interval's ends


PANELS = (
    Panel("Loss", (Series("loss", "accent"),), signed=True),
    Panel("KL to the base", (Series("kl", "warn"),)),
    Panel(
        "Log-prob shift",
        (
            Series("shift/positive", "good", "R=1", "+"),
            Series("shift/negative", "bad", "R=0", "-"),
        ),
        signed=True,
    ),
    Panel(
        "Shift margin",
        (Series("shift/margin", "human"),),
        signed=True,
        bounds=("shift/margin_low", "shift/margin_high"),
    ),
)


def thin(points: Points, most: int = MOST_POINTS) -> list[tuple[int, float]]:
    """At most `most` of the finite points; each stretch keeps its lowest and highest."""
    finite = [(step, value) for step, value in points if value is not None and math.isfinite(value)]
    if len(finite) <= most:
        return finite
    size = math.ceil(len(finite) / (most // 2))
    kept: list[tuple[int, float]] = []
    for start in range(0, len(finite), size):
        stretch = finite[start : start + size]
        ends = {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
        kept += sorted(ends)
    return kept


class Curve(Vertical):
    """One panel; its title says the newest values."""

    def __init__(self, panel: Panel) -> None:
        super().__init__()
        self.panel = panel
        self.border_title = Text(f" {panel.title} ")
        self._plot = PlotWidget(allow_pan_and_zoom=False)
        self._plot.can_focus = False

    def compose(self) -> ComposeResult:
        yield self._plot

    def on_mount(self) -> None:
        self._plot.margin_top = 0
        self._plot.margin_bottom = 1
        self._plot.margin_left = 8

    def draw(self, metrics: Mapping[str, Points]) -> None:
        """Draws the curves anew."""
        colours = palette(self.app)
        self._plot.clear()
        title = Text(f" {self.panel.title}")
        for bound in self.panel.bounds:
            self._line(metrics.get(bound, ()), colours.faint, "")
        for series in self.panel.series:
            points = metrics.get(series.metric, ())
            style = getattr(colours, series.colour)
            self._line(points, style, series.sign)
            title.append_text(self._newest(points, series, style, colours))
        self.border_title = title.append(" ")

    def _newest(self, points: Points, series: Series, style: Style, colours: Palette) -> Text:
        if not points:
            return Text(f" {series.label} {glyphs().dash}", colours.muted)
        value = points[-1][1]
        if value is None or not math.isfinite(value):
            return Text(f" {series.label} not a number", colours.bad)
        shown = signed(value) if self.panel.signed else f"{value:.3f}"
        return Text(f" {series.label}{' ' if series.label else ''}{shown}", style)

    def _line(self, points: Points, style: Style, sign: str) -> None:
        kept = thin(points)
        if not kept:
            return
        steps = [float(step) for step, _ in kept]
        values = [value for _, value in kept]
        colour = str(style) if not self.app.no_color else "default"
        if self.app.no_color and sign:
            self._plot.scatter(steps, values, marker=sign, marker_style=colour)
        elif len(kept) == 1:
            self._plot.scatter(steps, values, marker=glyphs().bullet, marker_style=colour)
        else:
            self._plot.plot(steps, values, line_style=colour, hires_mode=HiResMode.BRAILLE)


class Curves(Grid, can_focus=True):
    """The panels of a training run in a grid."""

    def compose(self) -> ComposeResult:
        for panel in PANELS:
            yield Curve(panel)

    def draw(self, metrics: Mapping[str, Points]) -> None:
        """Draws every panel anew."""
        for curve in self.query(Curve):
            curve.draw(metrics)
