"""The log of a run on its screen: reading along, and searching all of it without reading all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.text import Text
from textual import on
from textual.widget import Widget
from textual.widgets import Input

from bswirl.errors import BswirlError
from bswirl.records import Run
from bswirl_tui.log_file import LogLine, LogTail, Search, find_above, find_below, part_around
from bswirl_tui.runs_text import is_live
from bswirl_tui.screens.run_control import RunControl
from bswirl_tui.state import AppState
from bswirl_tui.text import line
from bswirl_tui.widgets.log_view import LogView
from bswirl_tui.widgets.search_line import SearchLine

LOG_SECONDS = 0.5


class RunLog(RunControl):
    """The part of a run's screen that shows its log; all reading is done off the UI loop."""

    def __init__(self, state: AppState, run: Run) -> None:
        super().__init__(state)
        self._tail = LogTail(Path(run.folder) / "log")
        self._reading = False
        self._searched = ""
        self._anchor = 0  # the byte above which a search begins
        self._go_on: tuple[bool, int] | None = None  # a search that took a rest: below or above, from where

    @property
    def log_view(self) -> LogView:
        return self.query_one(LogView)

    def begin_log(self) -> None:
        """Shows the log's end, and reads along from now on."""
        self.log_view.on_follow = lambda _: self.name_log()
        self._read_log()
        self.set_interval(LOG_SECONDS, self._read_log)

    def name_log(self) -> None:
        """Says in the pane's title whether the newest line is kept in sight."""
        view, run = self.log_view, self.run_here
        state = "part" if view.is_part else ""
        if run is not None and is_live(run):
            state = state or ("following" if view.following else "held")
        self.log_view.name_pane(Text(f" Log {state} ".replace("  ", " ")))

    def _read_log(self) -> None:
        """Shows what was appended; one read at a time, for each line is handed out once."""
        if self._reading or self.log_view.is_part or self not in self.app.screen_stack:
            return  # out of sight, where lists lead back from the tree, nothing is read

        def done(lines: list[LogLine]) -> None:
            self._reading = False
            self.log_view.append(lines)
            self._go_where_one_was()

        run = self.run_here
        ended = run is not None and not is_live(run)
        self._reading = True
        self.bswirl.link.run_beside(
            self, "log", lambda: self._tail.read(ended=ended), done, self.bswirl.tell_problem
        )

    def _go_where_one_was(self) -> None:
        """Once, after a restart of the app: to the words searched for and the line that was read."""
        words, at, path = self.kept.pop("words", None), self.kept.pop("at", None), self._tail.path
        if isinstance(words, str):
            self._searched = words
            self.log_view.search_for(words)
        if not isinstance(at, int):
            return
        here = self.log_view.bytes_here

        def work() -> list[LogLine]:
            return [] if at in here else part_around(path, at)

        def done(part: list[LogLine]) -> None:
            if part:
                self.log_view.show_part(part)
            if self.log_view.has(at):
                self.log_view.go_to(at)
            self.name_log()

        self.bswirl.link.run_beside(self, "log place", work, done, self.bswirl.tell_problem)

    @property
    def log_place(self) -> dict[str, Any]:
        """Where one reads, for the next start."""
        return {"words": self._searched, "at": self.log_view.place}

    @on(LogView.TailWanted)
    def _back_to_tail(self) -> None:
        def read() -> list[LogLine]:
            self._tail.rewind()
            return self._tail.read()

        def done(lines: list[LogLine]) -> None:
            self.log_view.show_tail(lines)
            self.name_log()

        self.bswirl.link.run_beside(self, "log tail", read, done, self.bswirl.tell_problem)

    # searching

    def bring_forward(self, pane: Widget) -> None:
        """Shows a pane, whether or not there is room for others beside it, and gives it the keys."""
        raise NotImplementedError

    def action_log_search(self) -> None:
        """From any pane."""
        self.bring_forward(self.log_view)
        self._open_search()

    @on(LogView.SearchWanted)
    def _open_search(self) -> None:
        self._anchor = self.log_view.below_sight
        self.query_one(SearchLine).open(self._searched)

    @on(SearchLine.Changed)
    def _search_changed(self, event: SearchLine.Changed) -> None:
        if event.words == self._searched:
            return
        self._searched, self._go_on = event.words, None
        self.log_view.search_for(event.words)
        if event.words:
            self._look(False, self._anchor)

    @on(SearchLine.Closed)
    def _search_closed(self) -> None:
        self.log_view.focus()

    @on(LogView.Step)
    def _step_found(self, event: LogView.Step) -> None:
        if not self._searched:
            self._open_search()
            return
        if self._go_on is not None and self._go_on[0] == event.below:
            self._look(*self._go_on)
            return
        line_here = self.log_view.found_line
        above, below = line_here if line_here is not None else (self.log_view.below_sight,) * 2
        self._look(event.below, below if event.below else above)

    def _look(self, below: bool, start: int) -> None:
        """Searches from a byte of the file on, and shows what was found."""
        words, path, here = self._searched, self._tail.path, self.log_view.bytes_here

        def work() -> tuple[Search, list[LogLine]]:
            try:
                found = (find_below if below else find_above)(path, words, start)
                near = found.at is None or found.at in here
                return found, [] if near or found.at is None else part_around(path, found.at)
            except OSError as error:
                raise BswirlError(
                    f"{path}: {error.strerror or error}", "the run's folder must be there"
                ) from error

        def done(result: tuple[Search, list[LogLine]]) -> None:
            if words == self._searched:
                self._searched_through(below, *result)

        self.bswirl.link.run_beside(self, "log search", work, done, self.bswirl.tell_problem)

    def _searched_through(self, below: bool, found: Search, part: list[LogLine]) -> None:
        self._go_on = None
        if found.at is not None:
            if not self.log_view.has(found.at):
                self.log_view.show_part(part)
            self.log_view.go_to(found.at)
            self.name_log()
            return
        way = "below" if below else "above"
        if found.go_on is None:
            self.bswirl.say(line(f"Not {way} here: {self._searched}"))
            return
        self._go_on = (below, found.go_on)
        self.bswirl.say(line(f"Not in the next 64 MB {way}; the same key looks on."))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While words are typed, letters are letters."""
        if isinstance(self.focused, Input):
            return action in ("screen_back",)
        return super().check_action(action, parameters)
