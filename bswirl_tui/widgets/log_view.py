"""A run's log as it grows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType

from bswirl_tui import actions
from bswirl_tui.text import Paragraph, clean
from bswirl_tui.themes import palette
from bswirl_tui.widgets.text_view import MARGIN, TextView

FIRST_BYTES = 256 << 10  # of the log's end, shown at first
KEPT_LINES = 5000


class LogTail:
    """Reads what was appended to a log since the last time. Not for the UI loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset: int | None = None
        self._rest = b""

    def read(self) -> list[str]:
        """The whole lines that came since, at first those at the end of the file."""
        try:
            with self._path.open("rb") as log:
                size = log.seek(0, 2)
                if self._offset is None or size < self._offset:
                    self._offset = max(0, size - FIRST_BYTES)
                log.seek(self._offset)
                data = log.read(FIRST_BYTES)
        except OSError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [whole.decode("utf-8", "replace") for whole in lines]


class LogView(TextView):
    """Follows the newest line until one scrolls up."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.LOG)]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, placeholder="Nothing logged yet.")
        self.following = True
        self.on_follow: Callable[[bool], None] = lambda _: None

    def append(self, lines: list[str]) -> None:
        """Adds lines below."""
        if not lines:
            return
        colours = palette(self.app)
        fresh = [self._paragraph(text, str(colours.muted)) for text in lines]
        kept = [*self._paragraphs, *fresh]
        if len(kept) > KEPT_LINES:
            self._paragraphs = kept[-KEPT_LINES:]
            self._wrap()
        else:
            self._paragraphs = kept
            self._wrap_more(fresh)
        if self.following:
            self.call_after_refresh(self.action_move_bottom)
        self.refresh_changed()

    def _paragraph(self, text: str, muted: str) -> Paragraph:
        """A log line; its time stands back."""
        stamp, space, rest = text.partition(" ")
        if space and len(stamp) == len("2026-01-01T00:00:00.000Z") and stamp.endswith("Z"):
            return Paragraph(Text(clean(rest)), Text(stamp[11:19], muted), indent=9)
        return Paragraph(Text(clean(text)))

    def _wrap_more(self, fresh: list[Paragraph]) -> None:
        width = self.scrollable_content_region.width - 2 * MARGIN
        if width <= 0:
            return
        for paragraph in fresh:
            self._starts.append(len(self._lines))
            self._lines += paragraph.lines(width)
        self.set_line_count(len(self._lines))

    def _scroll_to_focus(self) -> None:
        if self.following:
            self.action_move_bottom()

    def _follow(self, following: bool) -> None:
        if following != self.following:
            self.following = following
            self.on_follow(following)

    def action_log_follow(self) -> None:
        self._follow(not self.following)
        if self.following:
            self.action_move_bottom()

    def action_move_up(self) -> None:
        self._follow(False)
        super().action_move_up()

    def action_move_page_up(self) -> None:
        self._follow(False)
        super().action_move_page_up()

    def action_move_top(self) -> None:
        self._follow(False)
        super().action_move_top()
