"""A list that draws only the lines in sight, with a cursor and vim keys: the base of every list and tree."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive

from bswirl_tui import actions
from bswirl_tui.widgets.line_view import LineView


class RowList(LineView):
    """Subclasses say how many rows there are and draw one of them."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.ROWS)]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--cursor", "rows--header", "rows--empty"}
    HAS_HEADER: ClassVar[bool] = False

    cursor: reactive[int] = reactive(0, init=False, repaint=False)

    class Chosen(Message):
        """Enter was pressed on a row, or the row under the cursor was clicked."""

        def __init__(self, rows: RowList, index: int) -> None:
            super().__init__()
            self.rows = rows
            self.index = index

        @property
        def control(self) -> RowList:
            return self.rows

    # what subclasses say

    def row_count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def draw_row(self, index: int, width: int) -> Text:
        """A row as one line."""
        raise NotImplementedError

    def draw_header(self, width: int) -> Text:
        """The line above the rows, where HAS_HEADER."""
        raise NotImplementedError

    def empty_lines(self) -> list[str]:
        """What to say in place of rows."""
        return []

    # cursor

    @property
    def page_rows(self) -> int:
        """How many rows are in sight."""
        return max(1, self.scrollable_content_region.height - self.HAS_HEADER)

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, self.row_count() - 1))

    def watch_cursor(self, before: int, after: int) -> None:
        if before == after:
            return
        self._redraw_row(before)
        self._redraw_row(after)
        self.keep_cursor_in_sight()

    def place_cursor(self, index: int) -> None:
        """Moves the cursor without telling anyone."""
        self.set_reactive(RowList.cursor, self.validate_cursor(index))
        self.keep_cursor_in_sight()
        self.refresh_changed()

    def keep_cursor_in_sight(self) -> None:
        top = self.scroll_offset.y
        if self.cursor < top:
            self.jump(self.cursor)
        elif self.cursor >= top + self.page_rows:
            self.jump(self.cursor - self.page_rows + 1)

    def rows_changed(self) -> None:
        """Call this when rows came or went: sets the scrolling range and redraws."""
        self.set_line_count(self.row_count() + self.HAS_HEADER)
        self.set_reactive(RowList.cursor, self.validate_cursor(self.cursor))
        self.refresh_changed()

    def _redraw_row(self, index: int) -> None:
        self.refresh_line(index + self.HAS_HEADER)

    # drawing

    def draw_line(self, y: int) -> tuple[Text, Style]:
        width = self.scrollable_content_region.width
        if self.HAS_HEADER and y == 0:
            return self.draw_header(width), self.get_component_rich_style("rows--header")
        index = y - self.HAS_HEADER + self.scroll_offset.y
        if self.row_count() == 0:
            return self._empty_line(index, width), self.get_component_rich_style("rows--empty")
        if index >= self.row_count():
            return Text(), self.rich_style
        text = self.draw_row(index, width)
        if index != self.cursor:
            return text, self.rich_style
        if self.app.native_ansi_color:
            text = Text(text.plain)  # in reverse, other colours would be unreadable
        return text, self.get_component_rich_style("rows--cursor")

    def _empty_line(self, index: int, width: int) -> Text:
        lines = [""]
        for paragraph in self.empty_lines():
            wrapped = Text(paragraph).wrap(self.app.console, max(1, width - 2))
            lines += [part.plain for part in wrapped] or [""]
        return Text(f" {lines[index]}" if index < len(lines) else "")

    # events

    def on_resize(self) -> None:
        self.rows_changed()
        self.keep_cursor_in_sight()

    def on_focus(self) -> None:
        self._redraw_row(self.cursor)

    def on_blur(self) -> None:
        self._redraw_row(self.cursor)

    def on_click(self, event: events.Click) -> None:
        index = event.y - self.HAS_HEADER + self.scroll_offset.y
        if event.y < self.HAS_HEADER or not 0 <= index < self.row_count():
            return
        if index == self.cursor:
            self.post_message(self.Chosen(self, index))
        else:
            self.cursor = index

    # keys

    def action_move_down(self) -> None:
        self.cursor += 1

    def action_move_up(self) -> None:
        self.cursor -= 1

    def action_move_page_down(self) -> None:
        self.cursor += max(1, self.page_rows - 1)

    def action_move_page_up(self) -> None:
        self.cursor -= max(1, self.page_rows - 1)

    def action_move_top(self) -> None:
        self.cursor = 0

    def action_move_bottom(self) -> None:
        self.cursor = self.row_count() - 1

    def action_move_choose(self) -> None:
        if self.row_count():
            self.post_message(self.Chosen(self, self.cursor))
