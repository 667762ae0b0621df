"""A question's tree of states and branches, one line an action."""

from __future__ import annotations

import re
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import BindingType
from textual.message import Message

from bswirl.records import Action, QuestionShifts, QuestionTree
from bswirl_tui import actions
from bswirl_tui.glyphs import glyphs
from bswirl_tui.outline import ROOT, Group, Line, Outline
from bswirl_tui.text import (
    advantage_cell,
    clean,
    count,
    fit,
    line,
    mark,
    reward_cell,
    reward_cells,
    right,
    signed,
)
from bswirl_tui.themes import Palette, palette
from bswirl_tui.widgets.row_list import RowList

NUMBERED = 60  # cells from which every line shows its action's number
LEVELS = 4  # so many levels at once are left out, so that few moves of the cursor shift the outline
REWARD_CELLS = 3  # of the column of rewards, and of its heading, at least
STEP_CELLS = 26  # of a step's words that no depth may take


class TreeView(RowList):
    """Columns (reward, advantage, samples, backbone) stand left of the outline, so that siblings compare."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.TREE)]
    HAS_HEADER = True

    class StepSelected(Message):
        """The cursor stands on another step (or on the question: ROOT)."""

        def __init__(self, key: int) -> None:
            super().__init__()
            self.key = key

    class CompareWanted(Message):
        """The group under the cursor shall stand side by side."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.name_pane(Text(" Tree "))
        self.words = ""  # what is searched for
        self.outline: Outline | None = None
        self._words: tuple[str, ...] = ()
        self._reward_cells = REWARD_CELLS
        self._drawn_from = 0  # the level at which the outline as drawn begins

    # filling

    def show_tree(self, tree: QuestionTree, shifts: QuestionShifts | None = None) -> None:
        """Shows a tree. The same question keeps cursor and open lines; another opens its first backbone."""
        before = self.outline
        self._reward_cells = max(REWARD_CELLS, reward_cells(tree.actions) + 1)
        if before is not None and self.shows(tree):
            key = self.key
            self.outline = Outline(tree, before.opened, shifts or before.shifts)
            self._goto(key if key is not None else ROOT)
        else:
            self.outline = Outline(tree, shifts=shifts)
            path = self.outline.backbone()
            self.outline.open_path(path)
            self.jump(0)
            self._goto(path[0] if path else ROOT)
        self._set_title(tree)

    def show_shifts(self, shifts: QuestionShifts) -> None:
        """Shows other log-prob shifts of the same tree."""
        if self.outline is not None:
            self.outline.shifts = shifts
            self.refresh_changed()

    def show_words(self, words: str) -> None:
        """Marks the steps with these words."""
        self.words = words
        self.refresh_changed()

    def clear(self, *words: str) -> None:
        """Shows no tree, with paragraphs in its place."""
        self.outline = None
        self._words = words
        self.name_pane(Text(" Tree "))
        self.place_cursor(0)
        self.rows_changed()

    def _set_title(self, tree: QuestionTree) -> None:
        facts = [count(len(tree.states), "state"), count(len(tree.actions), "action")]
        if not tree.actions:
            facts = ["no steps yet"]
        title = Text(" Tree ").append_text(line(tree.question.address, limit=40))
        self.name_pane(title.append(glyphs().separator + glyphs().separator.join(facts) + " "))

    # where the cursor is

    @property
    def current(self) -> Line | None:
        """The line under the cursor."""
        lines = self.outline.lines if self.outline else []
        return lines[self.cursor] if self.cursor < len(lines) else None

    @property
    def key(self) -> int | None:
        return self.current.key if self.current else None

    @property
    def action_here(self) -> Action | None:
        """The action under the cursor; None on the question's line."""
        return self.current.action if self.current else None

    def shows(self, tree: QuestionTree) -> bool:
        """Whether that question is on screen."""
        shown = self.outline
        return shown is not None and shown.tree.question.question_id == tree.question.question_id

    def goto(self, action_id: int) -> None:
        """Puts the cursor on an action, opening what hides it, or on the question (ROOT)."""
        if self.outline is None:
            return
        if action_id == ROOT:
            self._goto(ROOT)
        elif self.outline.action(action_id) is not None:
            self.outline.reveal(action_id)
            self._goto(action_id)

    def _goto(self, key: int) -> None:
        if self.outline is None:
            return
        index = self.outline.index(key)
        self.rows_changed()
        self.place_cursor(index if index is not None else min(self.cursor, len(self.outline.lines) - 1))
        self.post_message(self.StepSelected(self.key or ROOT))

    def watch_cursor(self, before: int, after: int) -> None:
        super().watch_cursor(before, after)
        if self._drawn_from != self._first_level(self.scrollable_content_region.width):
            self.refresh_changed()
        if before != after and self.current is not None:
            self.post_message(self.StepSelected(self.current.key))

    def keep_cursor_in_sight(self) -> None:
        """Scrolls on by a third of the pane: a scroll sends all of it, so there shall not be one a move."""
        top, rows = self.scroll_offset.y, self.page_rows
        if self.cursor < top:
            self.jump(max(0, self.cursor - rows // 3))
        elif self.cursor >= top + rows:
            self.jump(self.cursor - rows + 1 + rows // 3)

    # drawing

    def row_count(self) -> int:
        return len(self.outline.lines) if self.outline else 0

    def empty_lines(self) -> list[str]:
        return ["", *self._words] if self._words else []

    def draw_header(self, width: int) -> Text:
        shift = "  shift" if self.outline is not None and self.outline.shifts.shifts else ""
        text = Text(
            f"  {'rew':>{self._reward_cells}}   adv  {glyphs().times}n{shift}   step", palette(self.app).muted
        )
        if width >= NUMBERED:
            return fit(text, width - 8).append("  number", palette(self.app).muted)
        return text

    def _first_level(self, width: int) -> int:
        """The level at which the outline begins: deep down, the upper ones are left out."""
        action = self.action_here
        if self.outline is None or action is None:
            return 0
        room = width - self._columns(self.outline, action, palette(self.app)).cell_len - STEP_CELLS
        return max(0, -(-(action.depth - max(LEVELS, room // 2)) // LEVELS) * LEVELS)

    def draw_row(self, index: int, width: int) -> Text:
        outline, colours = self.outline, palette(self.app)
        if outline is None:
            return Text()
        self._drawn_from = self._first_level(width)
        entry = outline.lines[index]
        action = entry.action
        if action is None:
            question = line(outline.tree.question.text, colours.strong, limit=width)
            self._mark_words(question, colours)
            return Text.assemble(" ", self._follows(entry, colours), question)
        text = self._columns(outline, action, colours)
        first = self._drawn_from
        if first:
            text.append(glyphs().ellipsis, colours.faint)
        text.append(entry.guides[2 * first :], colours.faint)
        text.append_text(self._follows(entry, colours))
        step = line(action.text, colours.answer if action.is_answer else "", limit=width)
        self._mark_words(step, colours)
        text.append_text(step)
        if width < NUMBERED:
            return text
        number = f" {action.action_id}"
        return fit(text, width - len(number)).append(number, colours.muted)

    def _mark_words(self, text: Text, colours: Palette) -> None:
        if self.words:
            found = re.compile(re.escape(clean(self.words, one_line=True)), re.IGNORECASE)
            text.highlight_regex(found, colours.warn + Style(bold=True, underline=True))

    def _columns(self, outline: Outline, action: Action, colours: Palette) -> Text:
        signs = glyphs()
        matches = bool(self.words) and self.words.lower() in action.text.lower()
        text = Text().append(signs.match if matches else " ", colours.warn)
        text.append_text(mark(action, colours)).append(" ")
        text.append_text(right(reward_cell(action, colours), self._reward_cells)).append(" ")
        text.append_text(right(advantage_cell(action.advantage, colours), 5)).append(" ")
        times = f"{signs.times}{action.samples}" if action.samples else ""
        text.append(f"{times:<3}", colours.muted).append(" ")
        if outline.shifts.shifts:
            found = outline.shift(action)
            text.append(f"{_six_cells(found.shift if found else None):>6} ", colours.muted)
        return text.append(signs.backbone if action.backbone else " ", colours.accent).append(" ")

    def _follows(self, entry: Line, colours: Palette) -> Text:
        """Whether the line is open, and what sort of group it leads to."""
        if entry.group is None:
            return Text("  ")
        signs = glyphs()
        arrow = signs.opened if entry.opened else signs.closed
        return Text.assemble((arrow, colours.muted), group_sign(entry.group, colours), " ")

    # keys

    def action_tree_open(self) -> None:
        entry = self.current
        if self.outline is None or entry is None or entry.group is None:
            return
        if self.outline.set_open(entry.key, True):
            self.rows_changed()
        else:
            self.cursor += 1

    def action_tree_close(self) -> None:
        entry = self.current
        if self.outline is None or entry is None:
            return
        if entry.opened and self.outline.set_open(entry.key, False):
            self.rows_changed()
        elif entry.action is not None:
            self.cursor = self.outline.index(self.outline.parent(entry.key)) or 0

    def action_tree_toggle(self) -> None:
        entry = self.current
        if (
            self.outline is not None
            and entry is not None
            and self.outline.set_open(entry.key, not entry.opened)
        ):
            self.rows_changed()

    def action_tree_compare(self) -> None:
        self.post_message(self.CompareWanted())

    def action_tree_sibling_next(self) -> None:
        self._to_sibling(1)

    def action_tree_sibling_previous(self) -> None:
        self._to_sibling(-1)

    def _to_sibling(self, direction: int) -> None:
        if self.outline is None or self.action_here is None:
            return
        siblings = [action.action_id for action in self.outline.group_of(self.action_here).actions]
        place = siblings.index(self.action_here.action_id) + direction
        if 0 <= place < len(siblings):
            self.cursor = self.outline.index(siblings[place]) or 0

    def action_tree_backbone(self) -> None:
        if self.outline is None or self.key is None:
            return
        key = self.key
        self.outline.open_path([key, *self.outline.backbone(key)])
        self._goto(key)

    def action_tree_open_all(self) -> None:
        if self.outline is not None and self.key is not None:
            key = self.key
            self.outline.open_below(key)
            self._goto(key)

    def action_tree_close_all(self) -> None:
        if self.outline is not None:
            self.outline.close_all()
            self._goto(ROOT)


def _six_cells(shift: float | None) -> str:
    """A shift with as many decimals as its column has room for."""
    if shift is None:
        return glyphs().dash
    return next((said for digits in (2, 1) if len(said := signed(shift, digits)) <= 6), signed(shift, 0))


def group_sign(group: Group, colours: Palette) -> Text:
    """The sign of a group: live, dead or not rated."""
    signs = glyphs()
    match group.kind:
        case "live":
            return Text(signs.live, colours.good)
        case "dead":
            return Text(signs.dead, colours.muted)
        case _:
            return Text(signs.unjudged, colours.muted)
