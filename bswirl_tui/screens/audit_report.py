"""The audit report, and the steps of one cell of its confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from bswirl.audit.records import AuditedItem
from bswirl.errors import BswirlError
from bswirl_tui import actions
from bswirl_tui.glyphs import glyphs
from bswirl_tui.link import ProjectChanged
from bswirl_tui.screens.base import SubScreen
from bswirl_tui.screens.dialogs import Choice, Choose
from bswirl_tui.state import AppState
from bswirl_tui.text import BLANK, Paragraph, clean
from bswirl_tui.themes import palette
from bswirl_tui.widgets.bars import KeyBar, Rule, StatusBar
from bswirl_tui.widgets.row_list import RowList
from bswirl_tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from bswirl.audit.report import ReportRow
    from bswirl.client import Client
    from bswirl_tui.report_text import Report

GROUPINGS = ("judge", "prompt", "depth")
VOTES = ("final", "blind")
CELL_ACTIONS = ("report.both_good", "report.judge_good", "report.people_good", "report.both_bad")
CELLS = {
    "1": ("judge1-human1", "both say good"),
    "2": ("judge1-human0", "the judge says good, people not"),
    "3": ("judge0-human1", "people say good, the judge not"),
    "4": ("judge0-human0", "both say not good"),
}


def _subject(row: ReportRow) -> tuple[object, ...]:
    """Whom or what a row is of."""
    return row.judge, row.model, row.prompt_sha, row.depth


class ReportRows(RowList):
    """A line a judge, prompt or depth, with rates from the random draws."""

    HAS_HEADER = True

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[ReportRow] = ()

    def show_rows(self, rows: Sequence[ReportRow], title: str) -> None:
        """Replaces the rows; the cursor stays on what its row is of."""
        before = [_subject(row) for row in self.rows[self.cursor : self.cursor + 1]]
        self.rows = rows
        self.styles.height = len(rows) + 2  # with title and header, up to the style sheet's limit
        self.name_pane(Text(title))
        self.rows_changed()
        if (at := next((at for at, row in enumerate(rows) if [_subject(row)] == before), None)) is not None:
            self.place_cursor(at)

    def row_count(self) -> int:
        return len(self.rows)

    def draw_header(self, width: int) -> Text:
        if not self.rows:
            return Text()
        from bswirl_tui.report_text import header

        return header(width, palette(self.app))

    def draw_row(self, index: int, width: int) -> Text:
        from bswirl_tui.report_text import row_line

        return row_line(self.rows[index], width)


class AuditReportScreen(SubScreen):
    """Made off the UI loop, and again when somebody labels."""

    CALLED = "the report"
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.REPORT)]

    def __init__(self, state: AppState) -> None:
        super().__init__(state)
        self.by, self.votes = GROUPINGS[0], VOTES[0]
        self._report: Report | None = None
        self._making = False
        self._stale = False

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "audit report")
        with Container(id="report-panes"):
            yield ReportRows()
            yield Rule(id="report-rule")
            yield TextView(id="report-about")
        yield KeyBar()

    @property
    def rows(self) -> ReportRows:
        return self.query_one(ReportRows)

    @property
    def about(self) -> TextView:
        return self.query_one("#report-about", TextView)

    def on_mount(self) -> None:
        by, votes = self.kept.get("by"), self.kept.get("votes")
        self.by, self.votes = by if by in GROUPINGS else self.by, votes if votes in VOTES else self.votes
        self.rows.focus()
        cells = " ".join(actions.spec(name).key_display for name in CELL_ACTIONS)
        self.query_one(KeyBar).name_keys({"report.cell": f"or {cells} lists steps"})
        self.watch(self.rows, "cursor", self._show_row, init=False)
        self.about.show([BLANK, Paragraph(Text(f"counting{glyphs().ellipsis}", palette(self.app).muted))])
        self._make()

    def project_changed(self, change: ProjectChanged) -> None:
        """Labels or verdicts make it another report."""
        if change.topics & {"labels", "verdicts"}:
            self._make()

    def _make(self) -> None:
        if self._making:
            self._stale = True
            return
        self._making, self._stale = True, False
        by, votes = self.by, self.votes

        def work(client: Client) -> Report:
            from bswirl_tui.report_text import prepare

            return prepare(client.audit_record(), by, votes)

        self.bswirl.ask_owner(self, "audit report", work, self._made, failed=self._failed, lane="slow")

    def _failed(self, error: BswirlError) -> None:
        self._making = False
        self.about.show([BLANK, Paragraph(Text(clean(str(error)), palette(self.app).bad))])

    def _made(self, report: Report) -> None:
        self._making = False
        self._report = report
        by = {"judge": "by judge", "prompt": "by prompt", "depth": "by depth"}[report.made.by]
        votes = "" if report.made.votes == "final" else f"{glyphs().separator}blind votes alone"
        decided = report.made.drawn.decided
        words = f"{by}{votes}{glyphs().separator}{decided} random draws decided"
        self.rows.show_rows(report.made.rows, f" Rates {words} ")
        row = self.row_kept(range(len(report.made.rows)))
        if row is not None:
            self.rows.place_cursor(row)
        self._show_row()
        if self._stale:
            self._make()
        if self.kept_within.get("key") in CELLS:
            self._list(self.kept_within["key"])
            self.bswirl.tell_where()

    def place(self) -> dict[str, Any]:
        return {"screen": "report", "by": self.by, "votes": self.votes, "row": self.rows.cursor}

    @property
    def row_here(self) -> ReportRow | None:
        rows = self.rows.rows
        return rows[self.rows.cursor] if self.rows.cursor < len(rows) else None

    def _show_row(self) -> None:
        from bswirl.audit.tables import without_rates
        from bswirl_tui.report_text import row_paragraphs, table_paragraphs

        report, row, colours = self._report, self.row_here, palette(self.app)
        if report is None or row is None:
            return
        parts: list[Paragraph] = []
        if why := without_rates(report.made):
            words = f"{why[0].upper()}{why[1:]}; the queue makes some."
            parts += [Paragraph(Text(words, colours.warn)), BLANK]
        self.about.name_pane(Text(" In full "))
        parts += [*row_paragraphs(row, colours), *table_paragraphs(report, colours)]
        self.about.show(parts, keep_scroll=True)

    # keys

    def action_report_by(self) -> None:
        self.by = GROUPINGS[(GROUPINGS.index(self.by) + 1) % len(GROUPINGS)]
        self.rows.place_cursor(0)
        self._make()

    def action_report_votes(self) -> None:
        self.votes = VOTES[(VOTES.index(self.votes) + 1) % len(VOTES)]
        self._make()

    def action_report_cell(self) -> None:
        row = self.row_here
        if row is None:
            return
        choices = [
            Choice(key, words, f"{row.cells[cell]:,}", key=key) for key, (cell, words) in CELLS.items()
        ]

        def chosen(key: str | None) -> None:
            if key is not None:
                self._list(key)

        self.app.push_screen(Choose("Steps of which cell?", choices), chosen)

    @on(RowList.Chosen)
    def _chosen(self) -> None:
        self.action_report_cell()

    def action_report_both_good(self) -> None:
        self._list("1")

    def action_report_judge_good(self) -> None:
        self._list("2")

    def action_report_people_good(self) -> None:
        self._list("3")

    def action_report_both_bad(self) -> None:
        self._list("4")

    def _list(self, key: str) -> None:
        """Lists the steps of a cell."""
        report, row = self._report, self.row_here
        if report is None or row is None:
            return
        from bswirl.audit.report import row_items
        from bswirl_tui.report_text import who

        cell, words = CELLS[key]
        items = row_items(report.record, row, cell, votes=report.made.votes)
        screen = CellScreen(self.state, key, f"{who(row)}: {words}", items)
        screen.kept, self.kept_within = self.kept_within, {}
        self.app.push_screen(screen)


class CellItems(RowList):
    """Labelled steps."""

    def __init__(self, items: Sequence[AuditedItem]) -> None:
        super().__init__()
        self.items = items

    def row_count(self) -> int:
        return len(self.items)

    def empty_lines(self) -> list[str]:
        return ["", "No labelled step is in this cell."]

    def draw_row(self, index: int, width: int) -> Text:
        from bswirl_tui.report_text import item_line

        return item_line(self.items[index], width, palette(self.app))


class CellScreen(SubScreen):
    """The steps of one cell; enter shows one in its tree."""

    CALLED = "the report's steps"
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.CELL)]

    def __init__(self, state: AppState, key: str, title: str, items: Sequence[AuditedItem]) -> None:
        super().__init__(state)
        self._key = key
        self._title = title
        self._items = items

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "audit report")
        yield CellItems(self._items)
        yield KeyBar()

    def on_mount(self) -> None:
        rows = self.query_one(CellItems)
        rows.name_pane(Text(f" {clean(self._title, one_line=True, limit=100)}: {len(self._items):,} "))
        rows.focus()
        row = self.row_kept([item.action_id for item in self._items])
        if row is not None:
            rows.place_cursor(row)

    def place(self) -> dict[str, Any]:
        here = self._items[self.query_one(CellItems).cursor].action_id if self._items else None
        return {"screen": "cell", "key": self._key, "row": here}

    @on(RowList.Chosen)
    def _chosen(self) -> None:
        self.action_cell_open()

    def action_cell_open(self) -> None:
        rows = self.query_one(CellItems)
        if self._items:
            item = self._items[rows.cursor]
            self.bswirl.show_in_tree(item.question_id, item.action_id)
