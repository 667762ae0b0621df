"""Curves of training runs: panels in a grid, runs overlaid, one cursor for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.timer import Timer

from bswirl.curves import name_pattern
from bswirl.errors import BswirlError
from bswirl.records import Run
from bswirl_tui import actions
from bswirl_tui.charts.heading import NAME, Head
from bswirl_tui.charts.panels import PanelSpec, filtered, panels_of
from bswirl_tui.charts.series import RunCurves, Series
from bswirl_tui.charts.view import MOST_RUNS, View, letters_of, newest_step, whole_window
from bswirl_tui.glyphs import glyphs
from bswirl_tui.link import ProjectChanged
from bswirl_tui.runs_text import is_live
from bswirl_tui.screens.closer import READ_SECONDS, Closer
from bswirl_tui.screens.curve_points import FIRST_POINTS, Fresh, Known, read_new
from bswirl_tui.screens.dialogs import Ask, Choice, Choose
from bswirl_tui.screens.moved import MovedScreen
from bswirl_tui.screens.pick_runs import PickRuns
from bswirl_tui.state import AppState
from bswirl_tui.text import line
from bswirl_tui.themes import palette
from bswirl_tui.widgets.bars import KeyBar, StatusBar
from bswirl_tui.widgets.panel_grid import Content, PanelGrid

SHOWN_RUNS = 200  # to choose from


class CurvesScreen(Closer):
    """Reads whole curves once and then only what is new, and looks closer where it is looked at."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.CURVES)]

    def __init__(self, state: AppState, run_id: int | None = None) -> None:
        """Shows that run; without one, what was shown last, else the newest training run."""
        super().__init__(state)
        self.view = state.curves or View()
        if run_id is not None and run_id not in self.view.runs:
            self.view = View(runs=(run_id,), half_life=self.view.half_life, pattern=self.view.pattern)
        state.curves = self.view
        self._runs: dict[int, tuple[Run, RunCurves]] = {}
        self._panels: list[PanelSpec] = []
        self._loading = self._stale = False
        self._pause: Timer | None = None
        self._loaded = False

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "curves")
        yield PanelGrid(id="curves")
        yield KeyBar()

    @property
    def curves(self) -> list[RunCurves]:
        """The runs that are shown, in their order."""
        return [self._runs[run_id][1] for run_id in self.view.runs if run_id in self._runs]

    @property
    def panel(self) -> PanelSpec | None:
        """The focused panel."""
        return self._panels[self.view.place(self._panels)] if self._panels else None

    def place(self) -> dict[str, Any]:
        return {"screen": "curves", "view": asdict(self.view)}

    def on_mount(self) -> None:
        self.grid.focus()
        self._show()
        if self.view.runs:
            self._load()
        else:
            self.bswirl.ask_owner(
                self, "newest", lambda client: client.runs(kind="train", limit=1), self._begin
            )

    def _begin(self, runs: list[Run]) -> None:
        self.view.runs = tuple(run.run_id for run in runs)
        self._load()

    # points

    def project_changed(self, change: ProjectChanged) -> None:
        """New points of a run in sight, or a run that came or ended."""
        about = change.topics & {"metrics", "runs"}
        if about and (change.runs is None or change.runs & set(self.view.runs)):
            self._load()

    def _load(self) -> None:
        """Reads what is new, at most once a second."""
        if self._loading or self._pause is not None:
            self._stale = True
            return
        self._stale, self._loading = False, True
        self._pause = self.set_timer(READ_SECONDS, self._pause_over)
        known = {
            run_id: Known(run.attempt, curves.newest, curves.latest)
            for run_id, (run, curves) in self._runs.items()
        }
        wanted = self.view.runs
        self.bswirl.ask_owner(
            self, "curves", lambda client: read_new(client, wanted, known), self._read, failed=self._not_read
        )

    def _pause_over(self) -> None:
        self._pause = None
        self._load_what_came()

    def _load_what_came(self) -> None:
        """Reads again where that was wanted meanwhile: after a reading and its pause, whichever is longer."""
        if self._stale and not self._loading and self._pause is None:
            self._load()

    def _read(self, fresh: Fresh) -> None:
        self._loading, self._loaded = False, True
        self.look_again()
        for run, metrics, anew in fresh:
            curves = (
                self._runs[run.run_id][1] if run.run_id in self._runs else RunCurves(run.run_id, run.name)
            )
            if anew:
                curves.clear()
            curves.live = is_live(run)
            curves.extend(metrics, FIRST_POINTS)
            self._runs[run.run_id] = (run, curves)
        self._show()
        self._load_what_came()

    def _not_read(self, error: BswirlError) -> None:
        self._loading, self._loaded = False, True
        self.bswirl.tell_problem(error)
        self._show()
        self._load_what_came()

    # what is shown

    def _show(self) -> None:
        runs, view = self.curves, self.view
        names = {name for run in runs for name, curve in run.series.items() if len(curve)}
        every = panels_of(names)
        self._panels = filtered(every, name_pattern(view.pattern) if view.pattern else None)
        if every:  # before any points are read, the cursor of an earlier start is beyond them all
            view.keep_in_sight(whole_window(runs), newest_step(runs))
        grid = self.grid
        grid.show(Content(runs, self._panels, view, self._head(), self._empty_words(bool(every))))
        self.look_closer()

    def _empty_words(self, has_points: bool) -> Sequence[str]:
        if not self._loaded:
            return (f"reading the curves{glyphs().ellipsis}",)
        if not self._runs:
            return ("No training runs yet.", "", "Their curves appear here: x on the main screen starts one.")
        if not has_points:
            return ("No points yet: a training run has some from its first step on.",)
        key = actions.spec("curves.filter").key_display
        return ("No curve fits the filter.", "", f"Press {key} to change it; an empty one shows all.")

    def _head(self) -> Head:
        """Which runs, then what is special about the view."""
        view, many = self.view, len(self.view.runs)
        runs = [
            (letters_of(place, many), run_id, line(found[0].name, limit=NAME).plain, found[0].status)
            for place, run_id in enumerate(view.runs)
            if (found := self._runs.get(run_id)) is not None
        ]
        facts = []
        if view.half_life:
            facts.append((f"smoothed, half-life {view.half_life:,} steps", f"smoothed {view.half_life}"))
        if view.window is not None:
            first, last = view.window
            facts.append((f"steps {first:,} to {last:,}", f"{first} to {last}"))
        if view.pattern:
            facts.append((f"/{view.pattern}",) * 2)
        return Head(runs, self._step_words(), facts)

    def _step_words(self) -> tuple[str, str]:
        if not any(run.series for run in self.curves):
            return "", ""
        if self.view.cursor is not None:
            return (f"step {self.view.cursor:,}",) * 2
        newest = newest_step(self.curves)
        return f"newest step {newest:,}", f"newest {newest}"

    # moving

    @on(PanelGrid.Pointed)
    def _pointed(self, event: PanelGrid.Pointed) -> None:
        self.view.focus = event.panel.title
        if event.step is not None:
            self.view.cursor = event.step
        self._show()

    def _move_cursor(self, columns: int) -> None:
        """By columns of the screen, and on to the next point of the focused panel."""
        panel, newest = self.panel, newest_step(self.curves)
        if panel is None:
            return
        at = newest if self.view.cursor is None else self.view.cursor
        wanted = at + columns * self.grid.steps_a_column
        curves = self._curves_of(panel)
        if columns < 0:
            before = [point[0] for curve in curves if (point := curve.at(min(wanted, at - 1))) is not None]
            self.view.cursor = max(before, default=min(at, self._first_step))
        else:
            beyond = [step for curve in curves if (step := curve.after(max(wanted, at + 1))) is not None]
            self.view.cursor = min(beyond) if beyond else None
        self._show()

    def _curves_of(self, panel: PanelSpec) -> list[Series]:
        """The curves of a panel that have points."""
        return [
            curve
            for run in self.curves
            for trace in panel.traces
            if (curve := run.series.get(trace.metric)) is not None and len(curve)
        ]

    @property
    def _first_step(self) -> int:
        """Of the focused panel's points; where it has none, of all steps."""
        curves = self._curves_of(self.panel) if self.panel is not None else []
        return min((curve.steps[0] for curve in curves), default=whole_window(self.curves)[0])

    def action_curves_left(self) -> None:
        self._move_cursor(-1)

    def action_curves_right(self) -> None:
        self._move_cursor(1)

    def action_curves_far_left(self) -> None:
        self._move_cursor(-10)

    def action_curves_far_right(self) -> None:
        self._move_cursor(10)

    def action_curves_first(self) -> None:
        self.view.cursor = self._first_step
        self._show()

    def action_curves_newest(self) -> None:
        self.view.cursor = None
        self._show()

    def _go(self, places: int) -> None:
        if self._panels:
            place = self.view.place(self._panels) + places
            if 0 <= place < len(self._panels):
                self.view.focus = self._panels[place].title
                self._show()

    def action_curves_down(self) -> None:
        self._go(self.grid.grid.columns)

    def action_curves_up(self) -> None:
        self._go(-self.grid.grid.columns)

    def action_curves_next(self) -> None:
        self._go(1)

    def action_curves_previous(self) -> None:
        self._go(-1)

    def _turn_page(self, pages: int) -> None:
        """To the first panel of another page."""
        per_page = self.grid.grid.page
        start = (self.grid.page[0] - 1 + pages) * per_page
        if self._panels and 0 <= start < len(self._panels):
            self.view.focus = self._panels[start].title
            self._show()

    def action_curves_page_down(self) -> None:
        self._turn_page(1)

    def action_curves_page_up(self) -> None:
        self._turn_page(-1)

    # how it looks

    def _zoom(self, *, closer: bool) -> None:
        self.view.zoom(whole_window(self.curves), newest_step(self.curves), closer=closer)
        self._show()

    def action_curves_zoom_in(self) -> None:
        self._zoom(closer=True)

    def action_curves_zoom_out(self) -> None:
        self._zoom(closer=False)

    def action_curves_zoom_reset(self) -> None:
        self.view.window = None
        self._show()

    def action_curves_smooth(self) -> None:
        self.view.smoother()
        self._show()

    def action_curves_log(self) -> None:
        if self.panel is not None:
            self.view.log ^= {self.panel.title}
            self._show()

    def action_curves_alone(self) -> None:
        self.view.alone = not self.view.alone
        self._show()

    def action_curves_filter(self) -> None:
        def answered(pattern: str | None) -> None:
            if pattern is None:
                return
            try:
                name_pattern(pattern)
            except BswirlError as error:
                self.bswirl.show_problem(error)
                return
            self.view.pattern = pattern
            self._show()

        words = "A regular expression; empty shows all. For example: shift|kl"
        self.app.push_screen(Ask("Show curves whose name matches", words, self.view.pattern), answered)

    # runs and what is behind a point

    def action_curves_runs(self) -> None:
        def read(runs: list[Run]) -> None:
            self.app.push_screen(PickRuns(runs, self.view.runs, MOST_RUNS), picked)

        def picked(chosen: tuple[int, ...] | None) -> None:
            if chosen == self.view.runs:
                self.bswirl.warn("These runs are drawn already: space takes another one.")
            elif chosen:
                self.view.runs = chosen
                self._runs = {run_id: found for run_id, found in self._runs.items() if run_id in chosen}
                self._show()
                self._load()

        self.bswirl.ask_owner(
            self, "runs", lambda client: client.runs(kind="train", limit=SHOWN_RUNS), read, opens=True
        )

    def action_curves_moved(self) -> None:
        if self.panel is None or not self.panel.from_probe:
            self.bswirl.say(
                line(
                    "Put the focus on a shift or KL panel: its points lead to actions.",
                    palette(self.app).warn,
                )
            )
            return
        if len(self.curves) == 1:
            self._open_moved(self.curves[0].run_id)
            return
        choices = [
            Choice(str(run.run_id), f"{letters_of(place, len(self.curves))} run {run.run_id}", run.name)
            for place, run in enumerate(self.curves)
        ]

        def chosen(run_id: str | None) -> None:
            if run_id is not None:
                self._open_moved(int(run_id))

        self.app.push_screen(Choose("Actions of which run?", choices), chosen)

    def _open_moved(self, run_id: int) -> None:
        self.app.push_screen(MovedScreen(self.state, run_id, self.view.cursor))

    def action_curves_leave(self) -> None:
        self.app.pop_screen()
