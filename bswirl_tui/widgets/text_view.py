"""A pane of wrapped text that draws only the lines in sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import BindingType

from bswirl_tui import actions
from bswirl_tui.text import Paragraph
from bswirl_tui.widgets.line_view import LineView

MARGIN = 1  # cells left and right of the text


class TextView(LineView):
    """Shows paragraphs, wrapped to its width, and scrolls them by line."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.TEXT)]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"text--empty"}

    def __init__(self, *, id: str | None = None, placeholder: str = "") -> None:  # noqa: A002
        super().__init__(id=id)
        self._placeholder = placeholder  # what an empty pane says
        self._paragraphs: Sequence[Paragraph] = ()
        self._focus: tuple[int, int] | None = None
        self._starts: list[int] = []
        self._lines: list[Text] = []
        self._wrapped_to = -1

    @property
    def plain(self) -> str:
        """All that is shown, wrapped."""
        return "\n".join(line.plain for line in self._lines)

    def show(
        self,
        paragraphs: Sequence[Paragraph],
        *,
        focus: tuple[int, int] | None = None,
        keep_scroll: bool = False,
    ) -> None:
        """Replaces the text. `focus` names a range of paragraphs to bring into sight; else the top is."""
        self._paragraphs = paragraphs
        self._focus = focus
        self._wrap()
        if not keep_scroll:
            self._scroll_to_focus()
        self.refresh_changed()

    def _line_at(self, index: int) -> Text | None:
        return self._lines[index] if 0 <= index < len(self._lines) else None

    def _wrap(self) -> None:
        width = self.scrollable_content_region.width - 2 * MARGIN
        self._wrapped_to = width
        self._starts, self._lines = [], []
        if width > 0:
            for paragraph in self._paragraphs:
                self._starts.append(len(self._lines))
                self._lines += paragraph.lines(width)
        self.set_line_count(len(self._lines))

    def _scroll_to_focus(self) -> None:
        """Shows the focus as a whole where it fits, else its beginning; the top where both fit."""
        target = 0
        if self._focus is not None and self._starts:
            first, last = self._focus
            start = self._starts[first]
            end = self._starts[last + 1] if last + 1 < len(self._starts) else len(self._lines)
            height = self.scrollable_content_region.height
            if end > height:
                target = min(start, end - height)
        self.jump(target)

    def on_resize(self) -> None:
        if self.scrollable_content_region.width - 2 * MARGIN != self._wrapped_to:
            self._wrap()
        self._scroll_to_focus()
        self.refresh_changed()

    def draw_line(self, y: int) -> tuple[Text, Style]:
        if not self._lines and y == 1:
            return Text(" " * MARGIN + self._placeholder), self.get_component_rich_style("text--empty")
        line = self._line_at(y + self.scroll_offset.y)
        return (Text() if line is None else Text(" " * MARGIN) + line), self.rich_style

    # keys

    def _scroll_by(self, lines: int) -> None:
        self.jump(self.scroll_offset.y + lines)

    def action_move_down(self) -> None:
        self._scroll_by(1)

    def action_move_up(self) -> None:
        self._scroll_by(-1)

    def action_move_page_down(self) -> None:
        self._scroll_by(max(1, self.scrollable_content_region.height - 1))

    def action_move_page_up(self) -> None:
        self._scroll_by(-max(1, self.scrollable_content_region.height - 1))

    def action_move_top(self) -> None:
        self.jump(0)

    def action_move_bottom(self) -> None:
        self.jump(len(self._lines))
