"""One run: how far it is, what it was told, its log, and its curves or answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from bswirl.errors import BswirlError
from bswirl.records import Run
from bswirl_tui import actions
from bswirl_tui.link import ProjectChanged
from bswirl_tui.runs_text import about_paragraphs, error_line, headline, is_live, progress_line
from bswirl_tui.screens.reader import Reader
from bswirl_tui.screens.run_log import RunLog
from bswirl_tui.state import AppState
from bswirl_tui.text import Paragraph, clean
from bswirl_tui.themes import palette
from bswirl_tui.widgets.answer_list import AnswerList
from bswirl_tui.widgets.bars import KeyBar, Rule, StatusBar
from bswirl_tui.widgets.gpu_panel import GpuPanel
from bswirl_tui.widgets.log_view import LogView
from bswirl_tui.widgets.row_list import RowList
from bswirl_tui.widgets.search_line import SearchLine
from bswirl_tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.client.client import Metrics

CURVE_SECONDS = 1.0
FIRST_POINTS = 2000  # of a curve, where more are there already


class RunView(RunLog):
    """Wide: all panes at once. Narrow: one at a time, and tab goes through them."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.RUN)]

    def __init__(self, state: AppState, run: Run) -> None:
        super().__init__(state, run)
        self._run = run
        self._step = -1
        self._drawing: Timer | None = None
        self._stale = False  # there are points that were not asked for yet
        self._loading = False
        self._panes: list[Widget] = []
        self._front = 0  # the pane that has the keys, or will have them in a moment

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "runs")
        yield Static(id="run-head", markup=False)
        yield GpuPanel(lambda: [self._run] if is_live(self._run) else [], always=False)
        main = self._main_pane()
        log, about = LogView(id="run-log"), TextView(id="run-about")
        log.name_pane(Text(" Log "))
        about.name_pane(Text(" About "))
        self._panes = [*([main] if main is not None else []), log, about]
        with Horizontal(id="run-panes"):
            with Vertical(id="run-main", classes="two" if main is not None else ""):
                if main is not None:
                    yield main
                yield log
            yield Rule(id="run-rule")
            yield about
        yield SearchLine("words in the log")
        yield KeyBar()

    def _main_pane(self) -> Widget | None:
        if self._run.kind == "train":
            from bswirl_tui.widgets.curves import Curves

            return Curves(id="run-curves")
        return AnswerList(id="run-answers") if self._run.kind == "evaluate" else None

    @property
    def run_here(self) -> Run:
        return self._run

    def place(self) -> dict[str, Any]:
        return {"screen": "run", "run": self._run.run_id, "pane": self._front, **self.log_place}

    def on_mount(self) -> None:
        pane = self.kept.get("pane", 0)
        self._front = int(pane) if pane in range(len(self._panes)) else 0
        self._arrange()
        self._panes[self._front].focus()
        self._show_run()
        self.begin_log()
        self._read_main()

    def on_resize(self) -> None:
        self._arrange()
        self._show_head()

    # what is shown

    def _arrange(self) -> None:
        """In a narrow terminal, shows the front pane alone."""
        for place, pane in enumerate(self._panes):
            pane.display = self._is_wide or place == self._front
        main = self.query_one("#run-main")
        main.display = any(pane.display for pane in self._panes[:-1])

    @property
    def _is_wide(self) -> bool:
        return self.app.size.width >= 120

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """By the mouse, where all panes are in sight."""
        if self._is_wide and event.widget in self._panes:
            self._front = self._panes.index(event.widget)

    def _show_run(self) -> None:
        self._show_head()
        about = self.query_one("#run-about", TextView)
        parts = about_paragraphs(self._run, palette(self.app), self.bswirl.project.root)
        about.show(parts, keep_scroll=True)
        self.name_log()

    def _show_head(self) -> None:
        colours = palette(self.app)
        stopping = self.state.is_stopping(self._run)
        lines = [
            headline(self._run, colours, stopping=stopping),
            progress_line(self._run, colours, self.app.size.width),
        ]
        if self._run.error:
            lines.append(error_line(self._run, colours))
        self.query_one("#run-head", Static).update(Text("\n").join(lines))

    # what changes

    def project_changed(self, change: ProjectChanged) -> None:
        """Follows this run's events."""
        if change.runs is not None and self._run.run_id not in change.runs:
            return
        if "runs" in change.topics:
            self._load_run()
        if "metrics" in change.topics or ("runs" in change.topics and self._run.kind == "evaluate"):
            self._read_main()

    def run_changed(self, _run: Run) -> None:
        self._load_run()

    def _load_run(self) -> None:
        run_id = self._run.run_id
        self.bswirl.ask_owner(self, "run", lambda client: client.run(run_id), self._run_read)

    def _run_read(self, run: Run) -> None:
        another = run.attempt != self._run.attempt
        if another:
            self._step = -1
        ended = is_live(self._run) and not is_live(run)
        self._run = run
        self._show_run()
        if ended or another:
            self._read_main()

    def _read_main(self) -> None:
        run_id = self._run.run_id
        if self._run.kind == "evaluate":
            answers = self.query_one(AnswerList)
            self.bswirl.ask_owner(
                self, "answers", lambda client: client.answers(run_id), answers.show_answers
            )
        elif self._run.kind == "train":
            self._want_curves()

    def _want_curves(self) -> None:
        """Draws new points, at most once a second."""
        if self._drawing is None and not self._loading:
            self._drawing = self.set_timer(CURVE_SECONDS, self._curves_due)
            self._load_curves()
        else:
            self._stale = True

    def _curves_due(self) -> None:
        self._drawing = None
        if self._stale and not self._loading:
            self._stale = False
            self._want_curves()

    def _load_curves(self) -> None:
        from bswirl_tui.charts.series import still_there
        from bswirl_tui.widgets.curves import Curves

        run_id, known = self._run.run_id, self._step
        latest = self.query_one(Curves).curves.latest

        def read(client: Client) -> tuple[Metrics, bool]:
            if known >= 0:  # from the newest step on, which may have got more metrics since
                metrics = client.metrics(run_id, after=known - 1, most=FIRST_POINTS)
                if still_there(latest, known, metrics):
                    return metrics, False
            return client.metrics(run_id, most=FIRST_POINTS), True

        def done(found: tuple[Metrics, bool]) -> None:
            self._loading = False
            if known == self._step:  # else another attempt began meanwhile
                self._add_points(*found)
            if self._stale and self._drawing is None:
                self._curves_due()

        def failed(error: BswirlError) -> None:
            self._loading = False
            self.bswirl.tell_problem(error)

        self._loading = True
        self.bswirl.ask_owner(self, "metrics", read, done, failed=failed)

    def _add_points(self, metrics: Metrics, anew: bool) -> None:
        """Takes in new points; `anew`: they are all there are."""
        from bswirl_tui.widgets.curves import Curves

        ends = [points[-1][0] for points in metrics.values() if points]
        self._step = max(ends, default=-1 if anew else self._step)
        self.query_one(Curves).add(metrics, anew=anew, live=is_live(self._run))

    @on(RowList.Chosen, "#run-answers")
    def _answer_chosen(self, event: RowList.Chosen) -> None:
        answer: dict[str, Any] = self.query_one(AnswerList).answers[event.index]
        parts = [Paragraph(Text(clean(str(answer.get("text", "")))))]
        self.app.push_screen(Reader(str(answer.get("address", "")), parts))

    # keys

    def _go(self, direction: int) -> None:
        self.bring_forward(self._panes[(self._front + direction) % len(self._panes)])

    def bring_forward(self, pane: Widget) -> None:
        self._front = self._panes.index(pane)
        self._arrange()
        pane.focus()

    def action_run_next_pane(self) -> None:
        self._go(1)

    def action_run_previous_pane(self) -> None:
        self._go(-1)
