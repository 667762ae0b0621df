"""The base of panes that draw themselves line by line."""

from __future__ import annotations

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.widget import Widget


class LineView(ScrollView, can_focus=True):
    """Its scrollbar has its place at all times, so that other lines never mean another layout.

    A new layout would redraw every pane, which a thin line to the terminal feels.
    """

    ALLOW_SELECT = False

    def set_line_count(self, count: int) -> None:
        """Says how many lines there are to scroll through."""
        size = Size(self.scrollable_content_region.width, count)
        if size == self.virtual_size:
            return
        self.set_reactive(Widget.virtual_size, size)
        height = self.scrollable_content_region.height
        self.vertical_scrollbar.window_size = height
        self.vertical_scrollbar.window_virtual_size = max(count, height)
        self.scroll_y = self.validate_scroll_y(self.scroll_y)
        self.scroll_target_y = self.scroll_y

    def jump(self, y: int) -> None:
        """Scrolls there at once."""
        self.scroll_to(y=y, animate=False, force=True)
