"""Choosing which runs are drawn over each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from bswirl.records import Run
from bswirl_tui import actions
from bswirl_tui.charts.view import letters_of
from bswirl_tui.glyphs import glyphs
from bswirl_tui.screens.dialogs import Dialog
from bswirl_tui.text import line, status
from bswirl_tui.themes import line_styles, palette
from bswirl_tui.widgets.row_list import RowList


class _Runs(RowList):
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.CHOICE)]

    def __init__(self, runs: Sequence[Run], chosen: list[int]) -> None:
        super().__init__()
        self._runs = runs
        self._chosen = chosen
        self.styles.height = min(14, max(1, len(runs)))

    def row_count(self) -> int:
        return len(self._runs)

    def draw_row(self, index: int, _width: int) -> Text:
        run, colours = self._runs[index], palette(self.app)
        text = Text(" ")
        if run.run_id in self._chosen:
            place = self._chosen.index(run.run_id)
            styles = line_styles(self.app)
            letter = letters_of(place, 2)
            text.append(
                f"{letter} ", styles[place % len(styles)] if len(self._chosen) > 1 else colours.strong
            )
        else:
            text.append("  ")
        text.append(f"{run.run_id:>4} ", colours.strong).append_text(line(run.name, limit=30)).append("  ")
        return text.append_text(status(run, colours))


class PickRuns(Dialog[tuple[int, ...]]):
    """Space takes a run or leaves it; enter is done, and takes the one under the cursor where none is.

    The cursor begins on the first run that is not drawn yet.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "take", show=False)]

    def __init__(self, runs: Sequence[Run], chosen: Sequence[int], most: int) -> None:
        signs = glyphs()
        draws = f"{actions.spec('move.choose').key_display} draws them"
        super().__init__("Runs", signs.separator.join(("space takes or leaves", draws, f"at most {most}")))
        self._runs = runs
        known = {run.run_id for run in runs}
        self._chosen = [run_id for run_id in chosen if run_id in known]
        self._most = most

    def content(self) -> ComposeResult:
        yield _Runs(self._runs, self._chosen)

    def on_mount(self) -> None:
        rows = self.query_one(_Runs)
        others = (place for place, run in enumerate(self._runs) if run.run_id not in self._chosen)
        rows.place_cursor(next(others, 0))
        rows.focus()

    def action_take(self) -> None:
        rows = self.query_one(_Runs)
        if not self._runs:
            return
        run_id = self._runs[rows.cursor].run_id
        if run_id in self._chosen:
            self._chosen.remove(run_id)
        elif len(self._chosen) < self._most:
            self._chosen.append(run_id)
        rows.refresh_changed()

    @on(RowList.Chosen)
    def _done(self, event: RowList.Chosen) -> None:
        event.stop()
        self.dismiss(tuple(self._chosen) or (self._runs[event.index].run_id,))
