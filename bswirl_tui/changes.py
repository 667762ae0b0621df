"""What changed in the project, gathered and told to every screen: many changes cost one refresh."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from textual.timer import Timer

from bswirl.records import LIVE_STATUSES, Run

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl_tui.app import BswirlApp
    from bswirl_tui.link import ProjectChanged

FIRST_REFRESH_SECONDS = 0.05  # after a change
NEXT_REFRESH_SECONDS = 0.5  # between refreshes


class Changes:
    """`add` each change."""

    def __init__(self, app: BswirlApp) -> None:
        self._app = app
        self._pending: ProjectChanged | None = None
        self._timer: Timer | None = None

    def add(self, change: ProjectChanged) -> None:
        """Is told soon, with those that come until then."""
        self._pending = change if self._pending is None else self._pending.merged(change)
        if self._timer is None:
            self._timer = self._app.set_timer(FIRST_REFRESH_SECONDS, self._spread)

    def _spread(self) -> None:
        app = self._app
        if self._pending is None:
            self._timer = None
            return
        self._timer = app.set_timer(NEXT_REFRESH_SECONDS, self._spread)
        if not app.link.keeps_up("quick"):
            return  # what is asked for now must arrive before it is asked for again
        change, self._pending = self._pending, None
        self.tell(change)

    def tell(self, change: ProjectChanged) -> None:
        """Tells it to all screens at once."""
        app = self._app
        if change.topics & {"questions", "labels", "verdicts", "runs"}:
            self.read_state()
        app.way_back.missed(change)
        for screen in app.screen_stack:
            told = getattr(screen, "project_changed", None)
            if told is not None:
                told(change)

    def read_state(self) -> None:
        """Reads anew what the status line shows."""

        def work(client: Client) -> tuple[str, dict[str, Any], list[Run]]:
            return client.auditor, client.stats(), client.runs(limit=50)

        app = self._app
        app.ask_owner(app, "state", work, self._state_read, failed=lambda _: None, lane="status")

    def _state_read(self, result: tuple[str, dict[str, Any], Iterable[Run]]) -> None:
        state = self._app.state
        state.auditor, state.stats, runs = result
        state.live_runs = [run for run in runs if run.status in LIVE_STATUSES]
        self._app.refresh_bars()
