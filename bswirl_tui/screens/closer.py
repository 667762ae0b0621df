"""Looking closer at curves that are thinned: every point of the steps in sight, and up to the cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.timer import Timer

from bswirl.errors import BswirlError
from bswirl_tui.charts.series import Given, RunCurves, Series, Stretch, were_thinned
from bswirl_tui.charts.view import View
from bswirl_tui.screens.curve_files import CurveFiles
from bswirl_tui.widgets.panel_grid import PanelGrid

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.client.client import ThinnedMetrics

READ_SECONDS = 1.0  # at most so often
CLOSE_POINTS = 4000  # of a curve in one look; where there are more, they are thinned


@dataclass(frozen=True, slots=True)
class Wish:
    """Which points of which curves of a run are to be read, in its how-manieth beginning."""

    run_id: int
    beginning: int
    names: Sequence[str]
    first: int
    last: int
    at_cursor: bool


class Closer(CurveFiles):
    """The part of the curves' screen that reads closer. What it holds is bounded by the page in sight."""

    view: View
    _pausing: Timer | None = None
    _reading = False
    _wished: Sequence[Wish] = ()  # read already, and never twice in a row

    @property
    def grid(self) -> PanelGrid:
        return self.query_one(PanelGrid)

    def look_closer(self) -> None:
        """Reads what is in sight and coarser than the store has it; one reading at a time."""
        wishes = [] if self._reading or self._pausing is not None else self._wishes()
        if not wishes or wishes == self._wished:
            return
        self._reading, self._wished = True, wishes
        self._pausing = self.set_timer(READ_SECONDS, self._paused)
        self.bswirl.ask_owner(
            self, "closer", lambda client: _read(client, wishes), self._looked, failed=self._not_looked
        )

    def look_again(self) -> None:
        """What was read may have changed."""
        self._wished = ()

    def _paused(self) -> None:
        self._pausing = None
        self.look_closer()

    def _wishes(self) -> list[Wish]:
        names = {name for _, spec in self.grid.in_sight for name in spec.metrics}
        return [wish for run in self.curves for wish in wishes_for(run, names, self.view)]

    def _looked(self, found: Sequence[tuple[Wish, ThinnedMetrics]]) -> None:
        self._reading = False
        runs = {run.run_id: run for run in self.curves}
        for wish, metrics in found:
            run = runs.get(wish.run_id)
            if run is None or run.beginnings != wish.beginning:
                continue
            stretch = Stretch(wish.first, wish.last, {name: _series(metrics, name) for name in wish.names})
            if wish.at_cursor:
                run.near = stretch
            else:
                run.close = stretch
        self.grid.redraw()
        self.look_closer()

    def _not_looked(self, error: BswirlError) -> None:
        self._reading = False
        self.bswirl.tell_problem(error)


def wishes_for(run: RunCurves, names: set[str], view: View) -> list[Wish]:
    """What is missing of those curves of a run for this view."""
    coarse = {name: curve for name in sorted(names) if (curve := run.series.get(name)) and curve.thinned}
    if not coarse:
        return []
    wishes = []
    window, cursor = view.window, view.cursor
    if window is not None and not (run.close and run.close.shows(coarse, *window)):
        margin = (window[1] - window[0]) // 2
        first = min(_up_to(curve, window[0] - margin) for curve in coarse.values())
        wishes.append(Wish(run.run_id, run.beginnings, [*coarse], first, window[1] + margin, False))
    if cursor is not None:
        known = run.close and not run.close.thinned and run.close.shows(coarse, cursor, cursor)
        if not known and not (run.near and run.near.shows(coarse, cursor, cursor)):
            first = min(_up_to(curve, cursor) for curve in coarse.values())
            wishes.append(Wish(run.run_id, run.beginnings, [*coarse], first, cursor, True))
    return wishes


def _up_to(curve: Series, step: int) -> int:
    """The last step with a known point up to a step: closer points before it are in no one's way."""
    point = curve.at(step)
    return min(step, point[0]) if point is not None else step


def _read(client: Client, wishes: Sequence[Wish]) -> list[tuple[Wish, ThinnedMetrics]]:
    return [
        (
            wish,
            client.thinned_metrics(
                wish.run_id, CLOSE_POINTS, after=wish.first - 1, until=wish.last, names=wish.names
            ),
        )
        for wish in wishes
    ]


def _series(metrics: Mapping[str, Sequence[Given]], name: str) -> Series:
    points = metrics.get(name, ())
    series = Series(points)
    series.thinned |= were_thinned(len(points), CLOSE_POINTS)
    return series
