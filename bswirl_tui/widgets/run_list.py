"""The list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.binding import BindingType

from bswirl.launch import RoundsWork
from bswirl.records import Run
from bswirl_tui import actions
from bswirl_tui.glyphs import glyphs
from bswirl_tui.rounds_text import NAME_CELLS, Listed, grouped, work_line
from bswirl_tui.runs_text import list_cells, now, queue_words
from bswirl_tui.text import fit
from bswirl_tui.themes import palette
from bswirl_tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from bswirl_tui.app import BswirlApp

_WITH_RESULT = 110
Column = tuple[str, int, int]  # name, width, and the width of the list from which it is shown
_COLUMNS: tuple[Column, ...] = (
    ("run", 5, 0),
    ("kind", 9, 0),
    ("name", NAME_CELLS, 0),
    ("status", 10, 0),
    ("progress", 15, 0),
    ("time", 12, 0),
    ("age", 5, 0),
    ("by", 12, 100),
    ("result", 0, _WITH_RESULT),
)


class RunList(RowList):
    """The queue, then what has ended, newest first; runs of rounds stand under a line of their rounds."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.CHOICE)]
    HAS_HEADER = True

    def __init__(self) -> None:
        super().__init__()
        self.name_pane(Text(" Runs "))
        self.runs: list[Run] | None = None
        self._works: list[RoundsWork] = []
        self._rows: list[Listed] = []

    @property
    def current(self) -> Run | None:
        """The run under the cursor."""
        row = self._row
        return row if isinstance(row, Run) else None

    @property
    def current_work(self) -> RoundsWork | None:
        """The rounds under the cursor."""
        row = self._row
        return row if isinstance(row, RoundsWork) else None

    @property
    def _row(self) -> Listed | None:
        return self._rows[self.cursor] if self.cursor < len(self._rows) else None

    @property
    def row_ids(self) -> list[int | str]:
        """What tells each line from the others: a run's number, the start of rounds."""
        return [row.begun if isinstance(row, RoundsWork) else row.run_id for row in self._rows]

    def show_runs(self, runs: list[Run], works: Sequence[RoundsWork] = ()) -> None:
        """Replaces the list; the cursor stays where it was."""
        before = _name(self._row)
        self.runs, self._works = runs, list(works)
        self._rows = grouped(runs, works)
        self.name_pane(Text(f" Runs {queue_words(runs)} "))
        self.rows_changed()
        names = [_name(row) for row in self._rows]
        if before is not None and before in names:
            self.place_cursor(names.index(before))

    def show_works(self, works: list[RoundsWork]) -> None:
        """Shows rounds anew where they stand otherwise than shown."""
        if self.runs is not None and works != self._works:
            self.show_runs(self.runs, works)

    def row_count(self) -> int:
        return len(self._rows)

    def empty_lines(self) -> list[str]:
        if self.runs is None:
            return ["", "loading"]
        key = actions.spec("run.new").key_display
        return ["", "No runs yet.", "", f"Press {key} to generate, judge, train or evaluate."]

    def draw_header(self, width: int) -> Text:
        muted = palette(self.app).muted
        return self._columns({name: Text(name, muted) for name, _, _ in _COLUMNS}, width)

    def draw_row(self, index: int, width: int) -> Text:
        row, colours = self._rows[index], palette(self.app)
        if isinstance(row, RoundsWork):
            return work_line(row, {run.run_id: run for run in self.runs or []}, colours, width, now())
        cells = list_cells(row, colours, now(), stopping=cast("BswirlApp", self.app).state.is_stopping(row))
        work = next((work for work in self._works if row.run_id in work.stages), None)
        if work is not None:
            cells["name"] = Text(f"{glyphs().guide_branch}{work.stages[row.run_id]}")
        if row.status == "queued" and width < _WITH_RESULT:
            return self._waiting(cells, width)
        return self._columns(cells, width)

    def _waiting(self, cells: dict[str, Text], width: int) -> Text:
        """A queued run where no column is wide enough for what it waits for."""
        first = [name for name, _, _ in _COLUMNS].index("progress")
        text = self._columns(cells, width, _COLUMNS[:first])
        return text.append_text(fit(cells["result"], max(0, width - text.cell_len)))

    def _columns(self, cells: dict[str, Text], width: int, columns: Sequence[Column] = _COLUMNS) -> Text:
        text = Text(" ")
        for name, cells_wide, shown_from in columns:
            if width < shown_from:
                continue
            room = cells_wide or max(0, width - text.cell_len - 1)
            text.append_text(fit(cells[name].copy(), room)).append(" ")
        return text


def _name(row: Listed | None) -> tuple[str, object] | None:
    """What tells a line from others when the list is read anew."""
    if isinstance(row, RoundsWork):
        return "rounds", row.begun
    return None if row is None else ("run", row.run_id)
