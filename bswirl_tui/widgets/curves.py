"""The few curves on a training run's own screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.text import Text

from bswirl_tui.charts.panels import panels_of
from bswirl_tui.charts.series import RunCurves
from bswirl_tui.charts.view import View
from bswirl_tui.widgets.panel_grid import Content, PanelGrid

SHOWN_PANELS = 4


class Curves(PanelGrid):
    """The first panels of one run, without a cursor."""

    HAS_HEAD = False
    LEAST = (36, 6)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.border_title = Text(" Curves ")
        self.curves = RunCurves(0)
        self._view = View()
        self._draw_content()

    def add(
        self, metrics: Mapping[str, Iterable[tuple[int, float | None]]], *, anew: bool, live: bool
    ) -> None:
        """Takes in new points; `anew`: they are all there are."""
        if anew:
            self.curves.clear()
        self.curves.extend(metrics)
        self.curves.live = live
        self._draw_content()

    def _draw_content(self) -> None:
        panels = panels_of(self.curves.series)[:SHOWN_PANELS]
        empty = ("No points yet: they come with the first step.",)
        self.content = Content([self.curves], panels, self._view, empty=empty)
        if self.is_mounted:
            self.redraw()
