"""All runs of the project, and the rounds that some of them belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from bswirl.launch import RoundsWork, rounds_of
from bswirl.records import Run
from bswirl_tui import actions
from bswirl_tui.link import ProjectChanged
from bswirl_tui.screens.rounds_control import RoundsControl
from bswirl_tui.screens.run_control import RunControl
from bswirl_tui.screens.runs_entry import RunsEntry
from bswirl_tui.widgets.bars import KeyBar, StatusBar
from bswirl_tui.widgets.gpu_panel import GpuPanel
from bswirl_tui.widgets.row_list import RowList
from bswirl_tui.widgets.run_list import RunList

if TYPE_CHECKING:
    from bswirl.client import Client

SHOWN_RUNS = 500
AGE_SECONDS = 15.0
LOOK_SECONDS = 3.0  # between two looks at the records of rounds, of which no event tells


class RunsScreen(RunsEntry, RunControl, RoundsControl):
    """A line a run: what it is, how it stands, how long it still takes."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.RUNS)]

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "runs")
        yield GpuPanel(lambda: self.state.live_runs)
        yield RunList()
        yield KeyBar()

    @property
    def runs(self) -> RunList:
        return self.query_one(RunList)

    @property
    def run_here(self) -> Run | None:
        return self.runs.current

    @property
    def work_here(self) -> RoundsWork | None:
        """The rounds under the cursor."""
        return self.runs.current_work

    def on_mount(self) -> None:
        self.runs.focus()
        self.set_interval(AGE_SECONDS, self.runs.refresh)
        self.set_interval(LOOK_SECONDS, self._look)
        self._load()

    def on_screen_resume(self) -> None:
        self._load()

    def _load(self) -> None:
        def read(client: Client) -> tuple[list[Run], list[RoundsWork]]:
            return client.runs(limit=SHOWN_RUNS), rounds_of(client.project)

        self.bswirl.ask_owner(self, "runs", read, self._read)

    def _read(self, found: tuple[list[Run], list[RoundsWork]]) -> None:
        self.runs.show_runs(*found)
        row = self.row_kept(self.runs.row_ids)
        if row is not None:
            self.runs.place_cursor(row)

    def place(self) -> dict[str, Any]:
        ids = self.runs.row_ids
        return {"screen": "runs", "row": ids[self.runs.cursor] if ids else None}

    def _look(self) -> None:
        """Shows the rounds as their records say, where that changed."""
        if self.app.screen is self:
            project = self.bswirl.project
            self.bswirl.link.run_beside(
                self, "rounds", lambda: rounds_of(project), self.runs.show_works, self.bswirl.tell_problem
            )

    def project_changed(self, change: ProjectChanged) -> None:
        """Reads the list anew when a run moved on."""
        if "runs" in change.topics:
            self._load()

    def run_changed(self, _run: Run) -> None:
        self._load()

    def work_changed(self) -> None:
        self._load()

    @on(RowList.Chosen)
    def _chosen(self) -> None:
        self.action_runs_open()

    def action_runs_open(self) -> None:
        run, work = self.run_here, self.work_here
        if work is not None:
            from bswirl_tui.screens.rounds_view import RoundsView

            self.app.push_screen(RoundsView(self.state, work))
        elif run is not None:
            from bswirl_tui.screens.run_view import RunView

            self.app.push_screen(RunView(self.state, run))

    # keys that mean rounds where they are under the cursor

    def action_run_cancel(self) -> None:
        work = self.work_here
        if work is None:
            super().action_run_cancel()
        else:
            self.cancel_work(work)

    def action_run_resume(self) -> None:
        work = self.work_here
        if work is None:
            super().action_run_resume()
        else:
            self.resume_work(work)

    def action_run_clone(self) -> None:
        work = self.work_here
        if work is None:
            super().action_run_clone()
        else:
            self.clone_work(work)

    def action_run_copy(self) -> None:
        work = self.work_here
        if work is None:
            super().action_run_copy()
        else:
            self.copy_work(work)
