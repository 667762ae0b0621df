"""What every full screen of the app has."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from bswirl_tui.state import AppState
from bswirl_tui.widgets.bars import BREAKPOINTS

if TYPE_CHECKING:
    from bswirl_tui.app import BswirlApp


class ProjectScreen(Screen[None]):
    """A screen over the project."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.state = state

    @property
    def bswirl(self) -> BswirlApp:
        """The app, by its own type."""
        return cast("BswirlApp", self.app)


class CurvesEntry(ProjectScreen):
    """A screen from which one goes to the curves."""

    def training_run_here(self) -> int | None:
        """The training run whose curves are wanted; None: those seen last, else of the newest."""
        return None

    def action_curves_show(self) -> None:
        from bswirl_tui.screens.curves import CurvesScreen

        self.app.push_screen(CurvesScreen(self.state, self.training_run_here()))


class SubScreen(ProjectScreen):
    """A screen that one leaves with escape."""

    def action_screen_back(self) -> None:
        self.app.pop_screen()

    def action_screen_leave(self) -> None:
        self.app.pop_screen()
