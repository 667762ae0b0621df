"""How the curves are looked at: which runs, which steps, the cursor, smoothing, scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from bswirl_tui.charts.lines import Line, Stored
from bswirl_tui.charts.panels import PanelSpec, Trace
from bswirl_tui.charts.scale import round_end
from bswirl_tui.charts.series import RunCurves, Series, smoothed

HALF_LIVES = (0, 3, 10, 30, 100, 300, 1000)  # steps; 0: not smoothed
LEAST_SPAN = 4  # steps of the closest zoom
MOST_RUNS = 8  # overlaid


@dataclass(slots=True)
class View:
    """What a person has chosen; it outlives the screen."""

    runs: tuple[int, ...] = ()
    focus: str = ""  # the title of the panel that keys are about
    cursor: int | None = None  # a step; None: the newest, whichever that is
    window: tuple[int, int] | None = None  # None: all steps
    half_life: int = 0
    log: set[str] = field(default_factory=set)  # titles of panels
    pattern: str = ""
    alone: bool = False  # one panel fills the screen

    def place(self, panels: Sequence[PanelSpec]) -> int:
        """Which of these panels has the focus; the first where it is gone."""
        return next((place for place, spec in enumerate(panels) if spec.title == self.focus), 0)

    def shown_window(self, whole: tuple[int, int]) -> tuple[int, int]:
        """The steps in sight."""
        return self.window or whole

    def smoother(self) -> None:
        """The next half-life; after the longest, none."""
        self.half_life = HALF_LIVES[(HALF_LIVES.index(self.half_life) + 1) % len(HALF_LIVES)]

    def zoom(self, whole: tuple[int, int], newest: int, *, closer: bool) -> None:
        """Half or twice the steps, around the cursor or what is newest."""
        first, last = self.shown_window(whole)
        span = max(LEAST_SPAN, (last - first) // 2) if closer else (last - first) * 2
        if span >= whole[1] - whole[0]:
            self.window = None
            return
        centre = newest if self.cursor is None else self.cursor
        self.window = _within(centre - span // 2, span, whole)

    def keep_in_sight(self, whole: tuple[int, int], newest: int) -> None:
        """Moves the window, by a quarter or more, where the cursor or the newest point has left it.

        A run that began anew from an earlier step may have left both behind.
        """
        if self.cursor is not None and self.cursor > whole[1]:
            self.cursor = None
        if self.window is None:
            return
        if self.window[1] > whole[1]:
            span = self.window[1] - self.window[0]
            self.window = _within(self.window[0], span, whole) if span < whole[1] - whole[0] else None
            if self.window is None:
                return
        first, last = self.window
        step = newest if self.cursor is None else self.cursor
        if not first <= step <= last:
            span = last - first
            start = step - span // 4 if step < first else step - 3 * span // 4
            self.window = _within(start, span, whole)


def _within(start: int, span: int, whole: tuple[int, int]) -> tuple[int, int]:
    start = max(whole[0], min(start, whole[1] - span))
    return start, start + span


def newest_step(runs: Sequence[RunCurves]) -> int:
    """The last step that any of them has points of; 0 where there are none."""
    return max((run.newest for run in runs), default=0)


def whole_window(runs: Sequence[RunCurves]) -> tuple[int, int]:
    """All steps; for runs that go on, up to a round number beyond, so that axes seldom change."""
    starts = [curve.steps[0] for run in runs for curve in run.series.values() if len(curve)]
    last = max(0, newest_step(runs))
    first = min(starts, default=0)
    if any(run.live for run in runs):
        last = round_end(last)
    return (0 if 0 < first <= 1 else first), max(last, first + 1)


def letters_of(place: int, runs: int) -> str:
    """The letter of a run among several; a run alone needs none."""
    return chr(ord("A") + place) if runs > 1 else ""


def lines_of(spec: PanelSpec, runs: Sequence[RunCurves], half_life: int) -> list[Line]:
    """The lines of a panel: runs have colours of their own, or the curves of one run have."""
    lines = []
    for place, run in enumerate(runs):
        for number, trace in enumerate(spec.traces):
            series = run.curve(trace.metric)
            if series is None:
                continue
            low, high = (run.curve(name) for name in trace.band)
            lines.append(
                Line(
                    letters_of(place, len(runs)) + (trace.letter if len(spec.traces) > 1 else ""),
                    place if len(runs) > 1 else number,
                    _smooth(series, half_life),
                    low and _smooth(low, half_life),
                    high and _smooth(high, half_life),
                    signed=trace.metric.startswith("shift"),
                    smooth=half_life > 0,
                    stored=partial(_stored, run, trace),
                )
            )
    return lines


def _stored(run: RunCurves, trace: Trace, step: int | None) -> Stored | None:
    """The stored point up to a step, and its interval where one was measured there."""
    point = run.at(trace.metric, step)
    if point is None:
        return None
    ends = [run.at(name, point[0]) for name in trace.band]
    measured = [end[1] for end in ends if end is not None and end[0] == point[0]]
    return Stored(*point, (measured[0], measured[1]) if len(measured) == 2 else None)


def _smooth(series: Series, half_life: int) -> Series:
    return smoothed(series, half_life) if half_life else series


def versions(spec: PanelSpec, runs: Sequence[RunCurves]) -> tuple[tuple[int, str, int], ...]:
    """What changes when a panel's points do."""
    return tuple(
        (run.run_id, name, curve.version)
        for run in runs
        for name in spec.metrics
        if (curve := run.curve(name)) is not None
    )
