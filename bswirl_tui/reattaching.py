"""Noting where one is while the app runs, and going back there when it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from textual.screen import ModalScreen, Screen
from textual.timer import Timer

from bswirl.errors import BswirlError
from bswirl_tui.memory import Memory, Place
from bswirl_tui.screens.base import ProjectScreen

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl_tui.app import BswirlApp

KEEP_SECONDS = 1.0  # until a new place is noted
Opening = Callable[["BswirlApp"], None]


class Reattaching:
    """Without a memory, nothing is remembered."""

    def __init__(self, app: BswirlApp, memory: Memory | None, *, fresh: bool) -> None:
        self._app = app
        self._memory = memory
        self.before = memory.place() if memory is not None and not fresh else None
        self._place: Place | None = None
        self._timer: Timer | None = None
        self._waits = self.before is not None and bool(self.before.screens)  # for screens to open again

    # noting

    def see(self, place: Place) -> None:
        """Notes what the main screen shows, soon: moving on costs no file each time."""
        self._place = place
        self.note()

    def note(self) -> None:
        """Something may be elsewhere by now."""
        if self._memory is not None and self._timer is None:
            self._timer = self._app.set_timer(KEEP_SECONDS, self._due)

    def _due(self) -> None:
        self._timer = None
        self.look()
        self.keep()

    def look(self) -> None:
        """Takes in which questions are listed, which screens are open, and how."""
        if self._place is None:
            return
        app, before = self._app, self.before
        audit = before.audit if before is not None else {}
        self._place = replace(
            self._place,
            query=asdict(app.main_screen.query_now),
            screens=before.screens if self._waits and before is not None else _described(app),
            audit=asdict(app.sitting.options) if app.sitting is not None else audit,
            aside=app.way_back.to_keep(),
        )

    def keep(self) -> None:
        """Writes down the place."""
        if self._memory is not None and self._place is not None:
            self._memory.keep(self._place)

    @property
    def trees_seen(self) -> set[str]:
        """The questions whose tree was opened from the audit queue, in an earlier start too."""
        return self._memory.trees_seen() if self._memory is not None else set()

    def see_tree(self, question: str) -> None:
        """Writes down, at once, that the tree of a question was opened from the audit queue."""
        if self._memory is not None:
            self._memory.see_tree(question)

    # going back

    def key_pressed(self) -> None:
        """Whoever goes on with the keys stays where they are."""
        self._waits = False
        self.note()

    @property
    def audit_options(self) -> dict[str, Any]:
        """How the newest sitting of an earlier start was set up."""
        return self.before.audit if self.before is not None else {}

    def reopen(self) -> None:
        """Opens the screens that were open, once; what cannot be shown any more is left out silently."""
        before = self.before
        if not self._waits or before is None:
            return
        places = before.screens

        def work(client: Client) -> list[Opening]:
            from bswirl_tui.reopening import openings

            return openings(client, places)

        self._app.ask_owner(self._app, "reopen", work, self._reopen, failed=self._not_reopened)

    def _reopen(self, found: list[Opening]) -> None:
        if not self._waits:
            return
        self._waits = False
        for opening in found:
            opening(self._app)
        if found:
            self._app.tell_where()
        self.note()

    def _not_reopened(self, _error: BswirlError) -> None:
        self._waits = False


def _place_of(screen: Screen[Any]) -> dict[str, Any] | None:
    """How a screen is to be opened again; one that is still being made is where it is to begin."""
    if not isinstance(screen, ProjectScreen):
        return None
    return screen.place() if screen.is_mounted else screen.kept or None


def _described(app: BswirlApp) -> list[dict[str, Any]]:
    """The screens over the main one, up to the first that cannot be opened again."""
    found: list[dict[str, Any]] = []
    for screen in app.screen_stack[1:]:
        if isinstance(screen, ModalScreen):
            continue
        place = _place_of(screen)
        if place is None:
            break
        found.append(place)
    return found
