"""The accuracy of policies: all evaluations of the project side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from bswirl_tui import actions
from bswirl_tui.evaluations import Evaluation, evaluation_of, is_shown
from bswirl_tui.link import ProjectChanged
from bswirl_tui.screens.base import SubScreen
from bswirl_tui.text import line
from bswirl_tui.widgets.bars import KeyBar, StatusBar
from bswirl_tui.widgets.evaluation_list import EvaluationList
from bswirl_tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from bswirl.client import Client

MOST = 1000
ORDERS = ("number", "accuracy", "policy")


class EvaluationsScreen(SubScreen):
    """A line an evaluation. One is marked; enter on another compares the two."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.EVALUATIONS)]

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "evaluations")
        yield EvaluationList()
        yield KeyBar()

    @property
    def rows(self) -> EvaluationList:
        return self.query_one(EvaluationList)

    def on_mount(self) -> None:
        order = self.kept.get("order")
        self._order = order if order in ORDERS else ORDERS[0]
        self.rows.marked = self.kept.get("marked")
        self._found: list[Evaluation] = []
        self.rows.focus()
        self._load()

    def _load(self) -> None:
        self.bswirl.ask_owner(self, "evaluations", evaluations, self._read)

    def _read(self, found: list[Evaluation]) -> None:
        self._found = found
        self._show()

    def _show(self) -> None:
        self.rows.show_evaluations(sorted_by(self._order, self._found), self._order)
        row = self.row_kept([one.run.run_id for one in self.rows.evaluations or ()])
        if row is not None:
            self.rows.place_cursor(row)

    def place(self) -> dict[str, Any]:
        here = self.rows.current
        row = here.run.run_id if here is not None else None
        return {"screen": "evaluations", "order": self._order, "marked": self.rows.marked, "row": row}

    def project_changed(self, change: ProjectChanged) -> None:
        """Reads the list anew when a run moved on."""
        if "runs" in change.topics:
            self._load()

    @on(RowList.Chosen)
    def _chosen(self) -> None:
        self.action_evaluations_open()

    def action_evaluations_mark(self) -> None:
        here = self.rows.current
        if here is None:
            return
        if here.strict is None:
            self.bswirl.say(line(f"Run {here.run.run_id} is {here.run.status}: it has no accuracy yet."))
            return
        marked = None if self.rows.marked == here.run.run_id else here.run.run_id
        self.rows.mark(marked)
        if marked is not None:
            key = actions.spec("evaluations.open").key_display
            self.bswirl.say(line(f"Run {marked} is A: {key} on another compares it with this one."))

    def action_evaluations_open(self) -> None:
        here = self.rows.current
        a = next((one for one in self._found if one.run.run_id == self.rows.marked), None)
        if here is None:
            return
        if a is None or a is here or here.strict is None:
            from bswirl_tui.screens.run_view import RunView

            self.app.push_screen(RunView(self.state, here.run))
            return
        from bswirl_tui.screens.comparison import ComparisonScreen

        self.app.push_screen(ComparisonScreen(self.state, a, here))

    def action_evaluations_sort(self) -> None:
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._show()


def evaluations(client: Client) -> list[Evaluation]:
    """The project's evaluations that are done or under way, newest first."""
    return [evaluation_of(run) for run in client.runs(kind="evaluate", limit=MOST) if is_shown(run)]


def sorted_by(order: str, found: list[Evaluation]) -> list[Evaluation]:
    """By number the newest first, by accuracy the best; by policy alphabetically, then the newest."""
    if order == "accuracy":
        return sorted(found, key=lambda one: one.strict.value if one.strict else -1.0, reverse=True)
    return sorted(found, key=lambda one: one.policy) if order == "policy" else list(found)
