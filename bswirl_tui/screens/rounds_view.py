"""Rounds of sampling until groups are live: what each brought, what they do now, what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from bswirl.launch import RoundsWork, rounds_of
from bswirl.records import Run
from bswirl_tui import actions
from bswirl_tui.link import ProjectChanged
from bswirl_tui.rounds_text import work_paragraphs
from bswirl_tui.runs_text import now
from bswirl_tui.screens.rounds_control import RoundsControl
from bswirl_tui.state import AppState
from bswirl_tui.themes import palette
from bswirl_tui.widgets.bars import KeyBar, StatusBar
from bswirl_tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from bswirl.client import Client

LOOK_SECONDS = 3.0  # between two looks at the rounds' record, of which no event tells


class RoundsView(RoundsControl):
    """One work of rounds."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.ROUNDS)]

    def __init__(self, state: AppState, work: RoundsWork) -> None:
        super().__init__(state)
        self.work = work
        self._runs: dict[int, Run] = {}

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "rounds")
        yield TextView(id="rounds-about")
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(TextView).focus()
        self._show()
        self.work_changed()
        self.set_interval(LOOK_SECONDS, self._look)

    def place(self) -> dict[str, Any]:
        return {"screen": "rounds", "begun": self.work.begun}

    def _look(self) -> None:
        if self.app.screen is self and self.work.status == "running":
            self.work_changed()

    def project_changed(self, change: ProjectChanged) -> None:
        """A run of the rounds moved on."""
        if "runs" in change.topics:
            self.work_changed()

    def work_changed(self) -> None:
        begun, numbers = self.work.begun, set(self.work.stages)

        def read(client: Client) -> tuple[RoundsWork | None, dict[int, Run]]:
            works = rounds_of(client.project)
            same = next((work for work in works if _is_same(work, begun, numbers)), None)
            stages = same.stages if same is not None else ()
            return same, {number: client.run(number) for number in stages}

        self.bswirl.ask_owner(self, "rounds", read, self._read)

    def _read(self, found: tuple[RoundsWork | None, dict[int, Run]]) -> None:
        work, self._runs = found
        self.work = work or self.work
        self._show()

    def _show(self) -> None:
        root = self.bswirl.project.root
        parts = work_paragraphs(self.work, self._runs, palette(self.app), root, now())
        self.query_one(TextView).show(parts, keep_scroll=True)

    # keys

    def action_run_cancel(self) -> None:
        self.cancel_work(self.work)

    def action_run_resume(self) -> None:
        self.resume_work(self.work)

    def action_run_clone(self) -> None:
        self.clone_work(self.work)

    def action_run_copy(self) -> None:
        self.copy_work(self.work)


def _is_same(work: RoundsWork, begun: str, numbers: set[int]) -> bool:
    """Whether it is the work of those runs; its record has another name once it is over."""
    return bool(numbers & set(work.stages)) if numbers else work.begun == begun
