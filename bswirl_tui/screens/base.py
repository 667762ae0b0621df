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


class SubScreen(ProjectScreen):
    """A screen that one leaves with escape."""

    def action_screen_back(self) -> None:
        self.app.pop_screen()

    def action_screen_leave(self) -> None:
        self.app.pop_screen()
