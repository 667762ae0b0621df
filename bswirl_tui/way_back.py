"""The lists from which a step was opened in its tree: they stay as they are, and escape leads back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from textual.screen import ModalScreen, Screen

from bswirl_tui.screens.base import ProjectScreen

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl_tui.app import BswirlApp
    from bswirl_tui.link import ProjectChanged
    from bswirl_tui.reopening import Opening

KEPT = 3  # lists that were left for the tree, each from the tree of the one before


@dataclass(slots=True)
class Aside:
    """The screens that were over the main one, the list on top; or what an earlier start kept of them."""

    number: int
    screens: list[Screen[Any]]
    missed: ProjectChanged | None = None  # what changed since they were set aside
    kept: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.kept.get("called") or getattr(self.screens[-1], "CALLED", "the list"))


class WayBack:
    """Sets screens aside and brings them back. Screens that are set aside live on, out of sight."""

    def __init__(self, app: BswirlApp) -> None:
        self._app = app
        self._asides: list[Aside] = []
        self._number = 0

    @property
    def newest(self) -> int | None:
        """The number of the newest list."""
        return self._asides[-1].number if self._asides else None

    def name_of(self, number: int) -> str:
        """What that list is called."""
        return next((aside.name for aside in self._asides if aside.number == number), "the list")

    def has(self, number: int | None) -> bool:
        """Whether that list can still be gone back to."""
        return any(aside.number == number for aside in self._asides)

    def set_aside(self) -> int | None:
        """Takes every screen off the main one, and keeps those that are no dialogs. Returns their number."""
        app = self._app
        kept: list[Screen[Any]] = []
        while len(app.screen_stack) > 1:
            screen = app.screen
            if not isinstance(screen, ModalScreen):
                self._number += 1
                app.install_screen(screen, f"aside {self._number}")
                kept.insert(0, screen)
            app.pop_screen()
        if not kept:
            return None
        self._asides.append(Aside(self._number, kept))
        while len(self._asides) > KEPT:
            self._forget(self._asides[0])
        return self._number

    def return_to(self, number: int | None) -> bool:
        """Shows that list again as it was; later ones are forgotten. Whether it could be."""
        if not self.has(number):
            return False
        while self._asides[-1].number != number:
            self._forget(self._asides[-1])
        aside = self._asides.pop()
        if aside.kept:
            self._open_again(aside.kept["screens"])
        for screen in aside.screens:
            self._app.uninstall_screen(screen)
            self._app.push_screen(screen)
            told = getattr(screen, "project_changed", None)
            if told is not None and aside.missed is not None:
                told(aside.missed)
        return True

    def leading_to(self, kind: type[Screen[Any]]) -> int | None:
        """The number of the newest list that is such a screen."""
        asides = (aside for aside in reversed(self._asides) if aside.screens)
        return next((aside.number for aside in asides if isinstance(aside.screens[-1], kind)), None)

    # over a restart

    def to_keep(self) -> dict[str, Any]:
        """The newest list, as JSON; nothing where it cannot be opened again without more ado."""
        if not self._asides:
            return {}
        aside = self._asides[-1]
        if aside.kept:
            return dict(aside.kept)
        places = [screen.place() if isinstance(screen, ProjectScreen) else None for screen in aside.screens]
        again = all(place is not None and place["screen"] != "audit" for place in places)
        return {"called": aside.name, "screens": places} if again else {}

    def remember(self, kept: Mapping[str, Any]) -> int | None:
        """Takes in what an earlier start kept; returns the list's number."""
        places = kept.get("screens")
        if not isinstance(places, list) or not places or not all(isinstance(one, dict) for one in places):
            return None
        self._number += 1
        self._asides.append(Aside(self._number, [], kept=kept))
        return self._number

    def _open_again(self, places: list[dict[str, Any]]) -> None:
        def work(client: Client) -> list[Opening]:
            from bswirl_tui.reopening import openings

            found = openings(client, places)
            return found if len(found) == len(places) else []

        def done(found: list[Opening]) -> None:
            for opening in found:
                opening(self._app)
            if not found:
                self._app.warn("That list is not there any more.")

        self._app.ask_owner(self._app, "way back", work, done)

    def missed(self, change: ProjectChanged) -> None:
        """Notes what the screens that are set aside have to read anew."""
        for aside in self._asides:
            aside.missed = change if aside.missed is None else aside.missed.merged(change)

    def _forget(self, aside: Aside) -> None:
        self._asides.remove(aside)
        for screen in aside.screens:
            self._app.uninstall_screen(screen)
            screen.remove()
