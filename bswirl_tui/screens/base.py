"""What every full screen of the app has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from textual.screen import Screen

from bswirl_tui.state import AppState
from bswirl_tui.widgets.bars import BREAKPOINTS, KeyBar

if TYPE_CHECKING:
    from bswirl_tui.app import BswirlApp


class ProjectScreen(Screen[None]):
    """A screen over the project."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.state = state
        self.kept: dict[str, Any] = {}  # where one was on it, when it is opened again after a restart
        self.kept_within: dict[str, Any] = {}  # of the screen that it had opened

    def place(self) -> dict[str, Any] | None:
        """Where one is, as JSON, for the next start; None: there is no way back to this screen."""
        return None

    def on_screen_suspend(self) -> None:
        self._redraw_keys()

    def on_screen_resume(self) -> None:
        self._redraw_keys()

    def _redraw_keys(self) -> None:
        """The line of keys says what they do on the screen on top alone."""
        for bar in self.query(KeyBar):
            bar.refresh()

    def row_kept(self, ids: Sequence[int | str]) -> int | None:
        """Which of these rows the cursor was on before the restart. It is said once."""
        wanted = self.kept.pop("row", None)
        return ids.index(wanted) if wanted in ids else None

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
