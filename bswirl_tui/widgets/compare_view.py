"""The pane in which a group's candidates are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import BindingType
from textual.message import Message

from bswirl_tui import actions, side_by_side
from bswirl_tui.candidates import FIRST_DIGIT, Comparison
from bswirl_tui.gold import Gold
from bswirl_tui.side_by_side import Layout
from bswirl_tui.text import Paragraph, line
from bswirl_tui.themes import palette
from bswirl_tui.widgets.line_view import LineView

MARGIN = 1


class CompareView(LineView):
    """Shows a Comparison. The candidate under the cursor is the tree's; this pane asks for another one."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.COMPARE, actions.TEXT)]

    class CandidateWanted(Message):
        """The cursor shall go to another action."""

        def __init__(self, action_id: int) -> None:
            super().__init__()
            self.action_id = action_id

    class Alone(Message):
        """Words were to be compared where there is one candidate."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.comparison: Comparison | None = None
        self.show_gold = Gold.HIDDEN
        self.marked = False
        self.against: int | None = None
        self._first = 0  # of the columns in sight
        self._layout = Layout([], (0, 0))
        self._wrapped: dict[tuple[int, str, int, int | None], Sequence[Text]] = {}
        self._above: list[Text] = []
        self._width = -1

    @property
    def plain(self) -> str:
        """All that is shown, wrapped."""
        return "\n".join(make().plain for make in self._layout.lines)

    @property
    def _room(self) -> int:
        return self.scrollable_content_region.width - 2 * MARGIN

    def compare(self, comparison: Comparison | None) -> None:
        """Shows a group; the same one keeps its place."""
        before = self.comparison
        if comparison is not None:
            comparison = replace(comparison, marked=self.marked, against=self.against)
        self.comparison = comparison
        moved = before is None or comparison is None or before.chosen != comparison.chosen
        same_group = not moved or (
            before is not None
            and comparison is not None
            and [action.action_id for action in before.actions] == [a.action_id for a in comparison.actions]
        )
        if before is None or comparison is None or replace(before, chosen=comparison.chosen) != comparison:
            self._above = []
            self._wrapped.clear()
        if not same_group:
            self._first = 0
        said_before, said = (bool(one and one.verdicts) for one in (before, comparison))
        judged_now = said and not said_before  # what judges said came after the steps
        self._draw(show_cursor=moved or judged_now, from_top=not same_group)

    def set_gold(self, shown: Gold) -> None:
        """Shows or hides the gold solution."""
        self.show_gold = shown
        self._above = []
        self._draw()
        if shown is not Gold.HIDDEN:
            self.jump(0)

    def _mark(self) -> None:
        if self.comparison is not None:
            self.comparison = replace(self.comparison, marked=self.marked, against=self.against)
        self._draw()

    def _draw(self, *, show_cursor: bool = False, from_top: bool = False) -> None:
        comparison, width, colours = self.comparison, self._room, palette(self.app)
        if comparison is None or width <= 0:
            self._layout = Layout([], (0, 0))
            self.set_line_count(0)
            self.refresh_changed()
            return
        address = line(comparison.outline.tree.question.address, limit=60)
        self.name_pane(Text(" Compare ").append_text(address).append(" "))
        if not self._above:
            gold = self.show_gold
            self._above = side_by_side.problem_lines(comparison, width, colours, gold=gold)
        if side_by_side.in_columns(width):
            fitting = side_by_side.columns_that_fit(width, len(comparison.actions))
            place = comparison.place
            if not self._first <= place < self._first + fitting:  # a page on: not every move shifts columns
                self._first = place if place > self._first else place - fitting + 1
            self._first = max(0, min(self._first, len(comparison.actions) - fitting))
            self._layout = side_by_side.columns(
                comparison, self._above, self._first, width, colours, self._wrap
            )
        else:
            self._layout = side_by_side.cards(comparison, self._above, width, colours, self._wrap)
        self.set_line_count(len(self._layout.lines))
        if from_top or (show_cursor and not side_by_side.in_columns(width)):
            self._show_focus(from_top=from_top)
        self.refresh_changed()

    def _wrap(self, place: int, what: str, width: int) -> Sequence[Text]:
        comparison = self.comparison
        if comparison is None:
            return ()
        marks = comparison.reference.action_id if comparison.marked and what == "step" else None
        key = (place, what, width, marks)
        if key not in self._wrapped:
            text = side_by_side.texts(comparison, place, what, palette(self.app))
            self._wrapped[key] = Paragraph(text).lines(max(1, width)) if text else []
        return self._wrapped[key]

    def _show_focus(self, *, from_top: bool) -> None:
        """Scrolls as little as it takes to see what matters; a long one from its beginning."""
        first, last = self._layout.focus
        height = self.scrollable_content_region.height
        top = 0 if from_top else self.scroll_offset.y
        if last > top + height:
            top = last - height
        self.jump(min(top, first))

    # drawing

    def draw_line(self, y: int) -> tuple[Text, Style]:
        index = y + self.scroll_offset.y
        lines = self._layout.lines
        text = lines[index]() if 0 <= index < len(lines) else Text()
        return (Text(" " * MARGIN) + text if text else Text()), self.rich_style

    def on_resize(self) -> None:
        if self._room != self._width:
            self._width = self._room
            self._above = []
            self._wrapped.clear()
        self._draw(show_cursor=True, from_top=True)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._above = []
        self._wrapped.clear()
        if self.is_mounted:
            self._draw()

    # keys

    def _want(self, place: int) -> None:
        if self.comparison is not None and 0 <= place < len(self.comparison.actions):
            self.post_message(self.CandidateWanted(self.comparison.actions[place].action_id))

    def _step(self, direction: int) -> None:
        if self.comparison is not None:
            self._want(self.comparison.place + direction)

    def action_compare_next(self) -> None:
        self._step(1)

    def action_compare_previous(self) -> None:
        self._step(-1)

    def action_compare_pick(self, key: str) -> None:
        self._want(int(key) - FIRST_DIGIT)

    def action_compare_follow(self) -> None:
        comparison = self.comparison
        group = comparison.outline.group_after(comparison.chosen) if comparison is not None else None
        if group is not None:
            self.post_message(self.CandidateWanted(group.backbone.action_id))

    def action_compare_before(self) -> None:
        parent = self.comparison.outline.parent(self.comparison.chosen) if self.comparison else 0
        if parent:
            self.post_message(self.CandidateWanted(parent))

    @property
    def _is_alone(self) -> bool:
        """Whether there is no other candidate, which is said then."""
        alone = self.comparison is not None and len(self.comparison.actions) == 1
        if alone:
            self.post_message(self.Alone())
        return alone

    def action_compare_words(self) -> None:
        if not self._is_alone:
            self.marked = not self.marked
            self._mark()

    def action_compare_against(self) -> None:
        if self.comparison is not None and not self._is_alone:
            self.against, self.marked = self.comparison.chosen, True
            self._mark()

    def action_move_down(self) -> None:
        if side_by_side.in_columns(self._room):
            self.jump(self.scroll_offset.y + 1)
        else:
            self._step(1)

    def action_move_up(self) -> None:
        if side_by_side.in_columns(self._room):
            self.jump(self.scroll_offset.y - 1)
        else:
            self._step(-1)

    def action_move_page_down(self) -> None:
        self.jump(self.scroll_offset.y + max(1, self.scrollable_content_region.height - 1))

    def action_move_page_up(self) -> None:
        self.jump(self.scroll_offset.y - max(1, self.scrollable_content_region.height - 1))

    def action_move_top(self) -> None:
        self._want(0)
        self.jump(0)

    def action_move_bottom(self) -> None:
        self._want(len(self.comparison.actions) - 1 if self.comparison else 0)
