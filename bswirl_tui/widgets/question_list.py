"""The list of questions: pages of rows, fetched when they come into sight."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.binding import BindingType
from textual.message import Message

from bswirl.records import QuestionRow
from bswirl_tui import actions
from bswirl_tui.ahead import PAGE
from bswirl_tui.glyphs import glyphs
from bswirl_tui.query import Query
from bswirl_tui.text import fit_end, line, mean_reward
from bswirl_tui.themes import Palette, palette
from bswirl_tui.widgets.row_list import RowList

KEPT_PAGES = 30
WIDE = 46  # cells from which the address has a column
WIDER = 64
WIDE_NUMBERS, WIDER_NUMBERS = 15, 27  # cells of the numbers before it
ADDRESS = 14  # cells that it has at least
LEAST_TEXT = 10  # cells of a question's words that no address takes


class QuestionList(RowList):
    """Any number of questions, of which it holds the pages around those in sight."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.CHOICE)]
    HAS_HEADER = True

    class PageWanted(Message):
        """A page of rows is needed."""

        def __init__(self, query: Query, page: int) -> None:
            super().__init__()
            self.query = query
            self.page = page

    class QuestionSelected(Message):
        """The cursor has come to rest on another question."""

        def __init__(self, row: QuestionRow) -> None:
            super().__init__()
            self.row = row

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.name_pane(Text(" Questions "))
        self.query_shown = Query()
        self.total: int | None = None
        self.selected: QuestionRow | None = None
        self._pages: dict[int, list[QuestionRow]] = {}
        self._asked: set[int] = set()
        self._wanted: int | None = None
        self._longest = 0  # cells of the longest address that was read

    # filling

    def reset(self, query: Query, index: int = 0) -> None:
        """Shows another selection, with the cursor on one of its rows."""
        self.query_shown = query
        self.total = None
        self.selected = None
        self._pages.clear()
        self._asked.clear()
        self._wanted = index
        self._longest = 0
        self.rows_changed()
        self._ask(index // PAGE)

    def invalidate(self) -> None:
        """Fetches what is in sight anew and forgets the rest."""
        first = self.scroll_offset.y // PAGE
        last = (self.scroll_offset.y + self.page_rows) // PAGE
        kept = {*range(first, last + 1), self.cursor // PAGE}
        self._pages = {page: rows for page, rows in self._pages.items() if page in kept}
        self._asked.clear()
        for page in sorted(kept):
            self._ask(page)

    def set_page(self, query: Query, page: int, rows: list[QuestionRow], total: int) -> None:
        """Takes in a page, unless another selection is shown by now."""
        if query != self.query_shown:
            return
        self._pages[page] = rows
        longest = max((cell_len(line(row.address).plain) for row in rows), default=0)
        self._longest = max(self._longest, longest)
        while len(self._pages) > KEPT_PAGES:
            farthest = max(self._pages, key=lambda kept: abs(kept - page))
            del self._pages[farthest]
            self._asked.discard(farthest)
        changed = total != self.total
        self.total = total
        self._set_title()
        if changed:
            self.rows_changed()
        if self._wanted is not None:
            self.place_cursor(self._wanted)
            self._wanted = None
        self._follow_selected(page)
        self.refresh_changed()

    def row(self, index: int) -> QuestionRow | None:
        """A row, where its page is here."""
        page = self._pages.get(index // PAGE)
        place = index % PAGE
        return page[place] if page is not None and place < len(page) else None

    def index_of(self, question_id: int) -> int | None:
        """Where a question stands, as far as its page is here."""
        for page, rows in self._pages.items():
            for place, row in enumerate(rows):
                if row.question_id == question_id:
                    return page * PAGE + place
        return None

    def go_to(self, index: int) -> None:
        """Puts the cursor on a row and selects it, also where the cursor is there already."""
        if index == self.cursor:
            self._select(self.row(index))
        else:
            self.cursor = index

    def watch_cursor(self, before: int, after: int) -> None:
        super().watch_cursor(before, after)
        if before != after:
            self._select(self.row(after))
            if self.selected is None:  # hidden, the list draws no row and would not ask for it
                self._ask(after // PAGE)

    def _select(self, row: QuestionRow | None) -> None:
        self.selected = row
        if row is not None:
            self.post_message(self.QuestionSelected(row))

    def _follow_selected(self, page: int) -> None:
        """Keeps the cursor on the selected question when rows moved; selects one where none is."""
        under = self.row(self.cursor)
        if self.selected is None:
            self._select(under)
            return
        wanted = self.selected.question_id
        if under is not None and under.question_id == wanted:
            self.selected = under
            return
        for place, row in enumerate(self._pages[page]):
            if row.question_id == wanted:
                self.selected = row
                self.place_cursor(page * PAGE + place)
                return

    def _ask(self, page: int) -> None:
        if page not in self._asked:
            self._asked.add(page)
            self.post_message(self.PageWanted(self.query_shown, page))

    def _set_title(self) -> None:
        words = self.query_shown.words()
        title = f"{self.total or 0:,}" + (f"{glyphs().separator}{words}" if words else "")
        self.name_pane(Text(f" Questions {title} "))

    # drawing

    def row_count(self) -> int:
        return self.total or 0

    def empty_lines(self) -> list[str]:
        if self.total is None:
            return ["", f"loading{glyphs().ellipsis}"]
        if self.query_shown.narrows:
            clear = actions.spec("question.clear").key_display
            return ["", "No question fits.", "", f"Press {clear} to show all."]
        return ["", "No questions yet."]

    def draw_header(self, width: int) -> Text:
        signs, colours = glyphs(), palette(self.app)
        if width < WIDE:
            return Text(f"  {signs.live} mean question", colours.muted)
        more = " dead solved" if width >= WIDER else ""
        cells = self._address_cells(width)
        return Text(f" live mean  lab{more} {'question':<{cells}} text", colours.muted)

    def _address_cells(self, width: int) -> int:
        """What the longest address takes, as far as the question's words can spare it."""
        before = WIDE_NUMBERS if width < WIDER else WIDER_NUMBERS
        return max(ADDRESS, min(self._longest, width - before - 2 - LEAST_TEXT))

    def draw_row(self, index: int, width: int) -> Text:
        row = self.row(index)
        colours = palette(self.app)
        if row is None:
            self._ask(index // PAGE)
            return Text(f"   {glyphs().ellipsis}", colours.faint)
        return self._narrow(row, colours, width) if width < WIDE else self._wide(row, colours, width)

    def _narrow(self, row: QuestionRow, colours: Palette, width: int) -> Text:
        return Text.assemble(
            (_number(row.live_groups, 3), _live_style(row, colours)),
            (f" {mean_reward(row.mean_reward):>4} ", colours.muted),
            line(row.text, "" if row.samples else colours.muted, limit=width),
        )

    def _wide(self, row: QuestionRow, colours: Palette, width: int) -> Text:
        text = Text(_number(row.live_groups, 5), _live_style(row, colours))
        text.append(f" {mean_reward(row.mean_reward):>4}", "" if row.samples else colours.faint)
        text.append(_number(row.labelled, 5), colours.human if row.labelled else colours.faint)
        if width >= WIDER:
            solved = f"{row.solved}/{row.trajectories}" if row.trajectories else glyphs().unjudged
            text.append(_number(row.dead_groups, 5), colours.muted)
            text.append(f"{solved:>7}", colours.good if row.solved else colours.muted)
        address = fit_end(line(row.address, colours.muted), self._address_cells(width))
        question = line(row.text, "" if row.samples else colours.muted, limit=width)
        return (
            Text(end="").append_text(text).append(" ").append_text(address).append(" ").append_text(question)
        )


def _number(value: int, cells: int) -> str:
    return f"{value or glyphs().unjudged:>{cells}}"


def _live_style(row: QuestionRow, colours: Palette) -> Style:
    return colours.good if row.live_groups else colours.faint
