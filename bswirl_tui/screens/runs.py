"""All runs of the project."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from bswirl.records import Run
from bswirl_tui import actions
from bswirl_tui.link import ProjectChanged
from bswirl_tui.screens.run_control import RunControl
from bswirl_tui.screens.runs_entry import RunsEntry
from bswirl_tui.widgets.bars import KeyBar, StatusBar
from bswirl_tui.widgets.gpu_panel import GpuPanel
from bswirl_tui.widgets.row_list import RowList
from bswirl_tui.widgets.run_list import RunList

SHOWN_RUNS = 500
AGE_SECONDS = 15.0


class RunsScreen(RunsEntry, RunControl):
    """A line a run: what it is, how it stands, how long it still takes."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.RUNS)]

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "runs")
        yield GpuPanel()
        yield RunList()
        yield KeyBar()

    @property
    def runs(self) -> RunList:
        return self.query_one(RunList)

    @property
    def run_here(self) -> Run | None:
        return self.runs.current

    def on_mount(self) -> None:
        self.runs.focus()
        self.set_interval(AGE_SECONDS, self.runs.refresh)
        self._load()

    def on_screen_resume(self) -> None:
        self._load()

    def _load(self) -> None:
        self.bswirl.ask_owner(self, "runs", lambda client: client.runs(limit=SHOWN_RUNS), self.runs.show_runs)

    def project_changed(self, change: ProjectChanged) -> None:
        """Reads the list anew when a run moved on."""
        if "runs" in change.topics:
            self._load()

    def run_changed(self, _run: Run) -> None:
        self._load()

    @on(RowList.Chosen)
    def _chosen(self) -> None:
        self.action_runs_open()

    def action_runs_open(self) -> None:
        run = self.run_here
        if run is not None:
            from bswirl_tui.screens.run_view import RunView

            self.app.push_screen(RunView(self.state, run))
