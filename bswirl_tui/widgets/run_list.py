"""The list of runs."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType

from bswirl.records import Run
from bswirl_tui import actions
from bswirl_tui.runs_text import list_cells, now, queue_order, queue_words
from bswirl_tui.text import fit
from bswirl_tui.themes import palette
from bswirl_tui.widgets.row_list import RowList

# name, width, and the width of the list from which the column is shown
_COLUMNS = (
    ("run", 5, 0),
    ("kind", 9, 0),
    ("name", 17, 0),
    ("status", 10, 0),
    ("progress", 16, 0),
    ("time", 9, 0),
    ("age", 5, 0),
    ("by", 12, 100),
    ("result", 0, 110),
)


class RunList(RowList):
    """The queue, then what has ended, newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.CHOICE)]
    HAS_HEADER = True

    def __init__(self) -> None:
        super().__init__()
        self.name_pane(Text(" Runs "))
        self.runs: list[Run] | None = None

    @property
    def current(self) -> Run | None:
        """The run under the cursor."""
        return self.runs[self.cursor] if self.runs and self.cursor < len(self.runs) else None

    def show_runs(self, runs: list[Run]) -> None:
        """Replaces the list; the cursor stays on its run."""
        before = self.current
        self.runs = runs = queue_order(runs)
        self.name_pane(Text(f" Runs {queue_words(runs)} "))
        self.rows_changed()
        numbers = [run.run_id for run in runs]
        if before is not None and before.run_id in numbers:
            self.place_cursor(numbers.index(before.run_id))

    def row_count(self) -> int:
        return len(self.runs or ())

    def empty_lines(self) -> list[str]:
        if self.runs is None:
            return ["", "loading"]
        key = actions.spec("run.new").key_display
        return ["", "No runs yet.", "", f"Press {key} to generate, judge, train or evaluate."]

    def draw_header(self, width: int) -> Text:
        muted = palette(self.app).muted
        return self._columns({name: Text(name, muted) for name, _, _ in _COLUMNS}, width)

    def draw_row(self, index: int, width: int) -> Text:
        run = (self.runs or [])[index]
        return self._columns(list_cells(run, palette(self.app), now()), width)

    def _columns(self, cells: dict[str, Text], width: int) -> Text:
        text = Text(" ")
        for name, cells_wide, shown_from in _COLUMNS:
            if width < shown_from:
                continue
            room = cells_wide or max(0, width - text.cell_len - 1)
            text.append_text(fit(cells[name].copy(), room)).append(" ")
        return text
