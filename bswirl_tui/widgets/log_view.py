"""A run's log as it grows, or a part of it around what was searched for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import BindingType
from textual.message import Message

from bswirl_tui import actions
from bswirl_tui.glyphs import glyphs
from bswirl_tui.log_file import LogLine
from bswirl_tui.text import Paragraph, clean
from bswirl_tui.themes import palette
from bswirl_tui.widgets.text_view import MARGIN, TextView

KEPT_LINES = 5000
_PAST_ANY = 1 << 62  # byte of a file
SHOWN_CHARACTERS = 20_000  # of one line


class LogView(TextView):
    """Follows the newest line until one scrolls up."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.LOG)]

    class TailWanted(Message):
        """The log's end is wanted, and only a part of it is here."""

    class SearchWanted(Message):
        """Words are to be typed."""

    class Step(Message):
        """The next place with the words is wanted, below this one or above it."""

        def __init__(self, below: bool) -> None:
            super().__init__()
            self.below = below

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, placeholder="Nothing logged yet.")
        self.following = True
        self.on_follow: Callable[[bool], None] = lambda _: None
        self.lines: list[LogLine] = []
        self.is_part = False  # a part of the log; what is appended is not shown
        self._words = ""
        self._found: int | None = None  # the line that has the words

    # lines

    def append(self, lines: Sequence[LogLine]) -> None:
        """Adds lines below."""
        if not lines or self.is_part:
            return
        fresh = self._paragraphs_of(lines)
        self.lines += lines
        kept = [*self._paragraphs, *fresh]
        if len(kept) > KEPT_LINES:
            dropped = len(kept) - KEPT_LINES
            gone = self._starts[dropped] if dropped < len(self._starts) else len(self._lines)
            top = self.scroll_offset.y
            self._paragraphs, self.lines = kept[dropped:], self.lines[dropped:]
            self._found = None if self._found is None or self._found < dropped else self._found - dropped
            self._wrap()
            if not self.following:
                self.jump(max(0, top - gone))  # the lines that one reads stay where they are
        else:
            self._paragraphs = kept
            self._wrap_more(fresh)
        self._stay_at_end()
        self.refresh_changed()

    def show_part(self, lines: Sequence[LogLine]) -> None:
        """Shows a part of the log in place of its end."""
        self.is_part = True
        self._replace(lines)

    def show_tail(self, lines: Sequence[LogLine]) -> None:
        """Shows the log's end again, and follows it."""
        self.is_part = False
        self._replace(lines)
        self._follow(True)
        self._stay_at_end()

    def _stay_at_end(self) -> None:
        """Goes to the newest line once it is laid out, unless one has gone elsewhere by then."""

        def move() -> None:
            if self.following:
                self.action_move_bottom()

        if self.following:
            self.call_after_refresh(move)

    def _replace(self, lines: Sequence[LogLine]) -> None:
        self.lines = list(lines)
        self._found = None
        self.show(self._paragraphs_of(lines), keep_scroll=True)

    def _paragraphs_of(self, lines: Sequence[LogLine]) -> list[Paragraph]:
        muted = str(palette(self.app).muted)
        return [self._paragraph(entry.text, muted) for entry in lines]

    def _paragraph(self, text: str, muted: str) -> Paragraph:
        """A log line; its time stands back."""
        stamp, space, rest = text.partition(" ")
        if space and len(stamp) == len("2026-01-01T00:00:00.000Z") and stamp.endswith("Z"):
            shown = clean(rest, limit=SHOWN_CHARACTERS)
            return Paragraph(Text(shown), Text(clean(stamp[11:19], one_line=True), muted), indent=9)
        return Paragraph(Text(clean(text, limit=SHOWN_CHARACTERS)))

    def _wrap_more(self, fresh: list[Paragraph]) -> None:
        width = self.scrollable_content_region.width - 2 * MARGIN
        if width <= 0:  # out of sight; all is wrapped once it is shown
            self._wrapped_to = width
            return
        if width != self._wrapped_to:
            self._wrap()
            return
        for paragraph in fresh:
            self._starts.append(len(self._lines))
            self._lines += paragraph.lines(width)
        self.set_line_count(len(self._lines))

    def _scroll_to_focus(self) -> None:
        if self.following:
            self.action_move_bottom()
        elif self._found is not None:
            self._show_found()

    # searching

    @property
    def below_sight(self) -> int:
        """The byte of the file just after the last line in sight; past any where none is in sight yet."""
        if not self._starts or self.following:
            return _PAST_ANY if not self.lines else self._end_of(len(self.lines) - 1)
        bottom = self.scroll_offset.y + self.scrollable_content_region.height
        return self._end_of(max(0, bisect_right(self._starts, bottom - 1) - 1))

    @property
    def place(self) -> int | None:
        """The byte of the file where one reads: what was found, else the first line in sight."""
        if self.following or not self._starts:
            return None
        top = max(0, bisect_right(self._starts, self.scroll_offset.y) - 1)
        return self.lines[top if self._found is None else self._found].at

    @property
    def found_line(self) -> tuple[int, int] | None:
        """Where in the file the line that was found begins, and where the one after it does."""
        if self._found is None:
            return None
        return self.lines[self._found].at, self._end_of(self._found)

    def _end_of(self, index: int) -> int:
        entry = self.lines[index]
        if index + 1 < len(self.lines):
            return self.lines[index + 1].at
        return entry.at + len(entry.text.encode("utf-8", "replace")) + 1

    def search_for(self, words: str) -> None:
        """Marks these words wherever they are in sight."""
        self._words = clean(words, one_line=True).casefold()
        self.refresh_changed()

    def has(self, at: int) -> bool:
        """Whether the line with that byte of the file is here."""
        return at in self.bytes_here

    @property
    def bytes_here(self) -> range:
        """The bytes of the file whose lines are here."""
        return range(self.lines[0].at, self._end_of(len(self.lines) - 1)) if self.lines else range(0)

    def go_to(self, at: int) -> None:
        """Brings the line with that byte into sight and marks it."""
        self._found = max(0, bisect_right([entry.at for entry in self.lines], at) - 1)
        self._follow(False)
        self._show_found()
        self.refresh_changed()

    def _show_found(self) -> None:
        """Brings the line that was found into sight, unless it is there."""
        if self._found is None or self._found >= len(self._starts):
            return
        start, height = self._starts[self._found], self.scrollable_content_region.height
        if not self.scroll_offset.y <= start < self.scroll_offset.y + height:
            self.jump(max(0, start - height // 2))

    def draw_line(self, y: int) -> tuple[Text, Style]:
        text, style = super().draw_line(y)
        if not self._words or not self._lines:
            return text, style
        text, colours = text.copy(), palette(self.app)
        plain = text.plain.casefold()
        if len(plain) == len(text.plain):  # else letters changed their number, and with it their places
            at = plain.find(self._words)
            while at >= 0:
                text.stylize(colours.accent + Style(reverse=True), at, at + len(self._words))
                at = plain.find(self._words, at + len(self._words))
        if self._found is not None and self._starts[self._found] == y + self.scroll_offset.y:
            text = Text.assemble((glyphs().closed, colours.accent)) + text[MARGIN:]
        return text, style

    # keys

    def _follow(self, following: bool) -> None:
        if following != self.following:
            self.following = following
            self.on_follow(following)

    def action_log_follow(self) -> None:
        if self.is_part:
            self.post_message(self.TailWanted())
            return
        self._follow(not self.following)
        if self.following:
            self.action_move_bottom()

    def action_log_search(self) -> None:
        self.post_message(self.SearchWanted())

    def action_log_next(self) -> None:
        self.post_message(self.Step(below=True))

    def action_log_previous(self) -> None:
        self.post_message(self.Step(below=False))

    def action_move_up(self) -> None:
        self._follow(False)
        super().action_move_up()

    def action_move_page_up(self) -> None:
        self._follow(False)
        super().action_move_page_up()

    def action_move_top(self) -> None:
        self._follow(False)
        super().action_move_top()
