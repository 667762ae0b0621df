"""The base of panes that draw themselves line by line, and send a terminal no more than what changed."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from bswirl_tui.text import fit, segments


class LineView(ScrollView, can_focus=True):
    """Its scrollbar has its place at all times, so that other lines never mean another layout.

    A new layout would redraw every pane, which a thin line to the terminal feels.
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._drawn: dict[int, tuple[Text, Style]] = {}
        self._title = ""

    def draw_line(self, y: int) -> tuple[Text, Style]:
        """What stands on line `y` of the pane, and the style below it."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        text, style = self._drawn[y] = self._fitted(y, width)
        return Strip(segments(text, self.app.console)).adjust_cell_length(width).apply_style(style).simplify()

    def _fitted(self, y: int, width: int) -> tuple[Text, Style]:
        text, style = self.draw_line(y)
        text = fit(text, width)
        text.stylize_before(text.style)
        return text, style

    def refresh_changed(self) -> None:
        """Redraws the lines that show something else now, and no others."""
        width = self.scrollable_content_region.width
        for y in range(self.scrollable_content_region.height):
            if y not in self._drawn or self._drawn[y] != self._fitted(y, width):
                self.refresh(Region(0, y, width, 1))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = new_value
        if round(old_value) != round(new_value):
            self.refresh_changed()

    def name_pane(self, title: Text) -> None:
        """Sets the title, if it is another one: that redraws the whole pane."""
        if title.markup != self._title:
            self._title = title.markup
            self.border_title = title

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

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()
