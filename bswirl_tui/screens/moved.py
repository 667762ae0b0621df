"""The held-out actions whose log-prob moved most up to a step of a run, and the way to them in the tree."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from bswirl_tui import actions
from bswirl_tui.glyphs import glyphs
from bswirl_tui.screens.base import SubScreen
from bswirl_tui.state import AppState
from bswirl_tui.text import count, fit_end, line, signed
from bswirl_tui.themes import palette
from bswirl_tui.widgets.bars import KeyBar, StatusBar
from bswirl_tui.widgets.row_list import RowList

SHOWN_ACTIONS = 200
WIDE = 110  # cells from which the question has a column
ADDRESS = 16  # cells of it
WIDER = 160  # cells from which it has twice as many


class MovedList(RowList):
    """A line an action, largest change first."""

    HAS_HEADER = True

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Any] | None = None

    def show_found(self, found: dict[str, Any]) -> None:
        """Shows what the owner said of a probe."""
        self.found = found
        step, before = found["step"], found["before"]
        title = "no probe yet"
        if step is not None:
            since = "the base policy" if before is None else f"step {before:,}"
            title = f"probe at step {step:,}, change since {since}"
        shown, all_of_them = len(found["rows"]), found["actions"]
        how_many = count(all_of_them, "held-out action")
        some = f"{shown:,} of " if shown < all_of_them else ""
        self.name_pane(Text(f" Moved most{glyphs().separator}{title}{glyphs().separator}{some}{how_many} "))
        self.rows_changed()
        self.place_cursor(0)

    def row_count(self) -> int:
        return len(self.found["rows"]) if self.found else 0

    def empty_lines(self) -> list[str]:
        if self.found is None:
            return ["", f"loading{glyphs().ellipsis}"]
        return [
            "",
            "This run has not measured held-out actions up to this step.",
            "",
            "A training run does so every few steps where questions are held out for its probe.",
        ]

    def draw_header(self, width: int) -> Text:
        asked = f"{'question':<{_address(width)}} " if width >= WIDE else ""
        return Text(f"  change    shift R tokens action {asked}step", palette(self.app).muted)

    def draw_row(self, index: int, width: int) -> Text:
        row, colours = (self.found or {})["rows"][index], palette(self.app)
        good = row["reward"] is not None and row["reward"] >= 0.5
        change = row["change"] or 0.0
        style = colours.good if (change > 0) == good else colours.bad
        text = Text.assemble(
            *amounts(row["change"], row["shift"], style),
            ("1" if good else "0", colours.good if good else colours.bad),
            (f" {row['n_tokens'] or 0:>6} {row['action_id']:>6} ", colours.muted),
        )
        if width >= WIDE:
            text.append_text(fit_end(line(row["address"]), _address(width))).append(" ")
        return text.append_text(line(row["text"], limit=width))


def amounts(change: float | None, shift: float | None, style: Style) -> list[tuple[str, Style]]:
    """The cells of a change, in that style, and a shift. What is not finite has neither sign nor colour."""
    if change is None or math.isfinite(change):
        return [(f"{signed(change):>8} ", style), (f"{signed(shift):>8} ", Style())]
    known = signed(shift) if shift is not None and math.isfinite(shift) else ""
    return [(f"{'not finite':>10} {known:>6} ", Style())]


def _address(width: int) -> int:
    return 2 * ADDRESS if width >= WIDER else ADDRESS


class MovedScreen(SubScreen):
    """Enter opens the action in its tree, on the main screen."""

    CALLED = "moved most"
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.MOVED)]

    def __init__(self, state: AppState, run_id: int, step: int | None) -> None:
        super().__init__(state)
        self._run_id = run_id
        self._step = step

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, f"run {self._run_id}")
        yield MovedList()
        yield KeyBar()

    def on_mount(self) -> None:
        rows = self.query_one(MovedList)
        rows.name_pane(Text(" Moved most "))
        rows.focus()
        run_id, step = self._run_id, self._step
        self.bswirl.ask_owner(
            self,
            "moved",
            lambda client: client.moved(run_id, until=step, limit=SHOWN_ACTIONS),
            self._read,
            failed=self.bswirl.show_problem,
        )

    def _read(self, found: dict[str, Any]) -> None:
        rows = self.query_one(MovedList)
        rows.show_found(found)
        row = self.row_kept([entry["action_id"] for entry in found["rows"]])
        if row is not None:
            rows.place_cursor(row)

    def place(self) -> dict[str, Any]:
        rows = self.query_one(MovedList)
        here = rows.found["rows"][rows.cursor]["action_id"] if rows.found and rows.row_count() else None
        return {"screen": "moved", "run": self._run_id, "step": self._step, "row": here}

    @on(RowList.Chosen)
    def _chosen(self) -> None:
        self.action_moved_open()

    def action_moved_open(self) -> None:
        rows = self.query_one(MovedList)
        if rows.found and rows.row_count():
            row = rows.found["rows"][rows.cursor]
            self.bswirl.show_in_tree(row["question_id"], row["action_id"])
