"""Steps on which auditors disagree, with both sides, and the keys that decide between them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from bswirl.audit.records import Conflict
from bswirl.errors import BswirlError
from bswirl.records import ActionDetail
from bswirl_tui import actions
from bswirl_tui.audit_text import (
    WORDS,
    conflict_sides,
    label_paragraph,
    step_document,
    verdict_paragraphs,
)
from bswirl_tui.document import Document
from bswirl_tui.glyphs import glyphs
from bswirl_tui.link import ProjectChanged
from bswirl_tui.screens.base import SubScreen
from bswirl_tui.screens.dialogs import Ask
from bswirl_tui.state import AppState
from bswirl_tui.text import BLANK, Paragraph, fit, fit_end, heading, line
from bswirl_tui.themes import Palette, palette
from bswirl_tui.widgets.bars import KeyBar, Rule, StatusBar
from bswirl_tui.widgets.row_list import RowList
from bswirl_tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.records import Label

_BEFORE_SIDES = 31  # cells of action, question and depth
_LEAST_SIDES = 22  # cells for who says what
_LEAST_WORDS = 18  # cells for the step's words, where there is room for both


class ConflictRows(RowList):
    """A line a step: where, who says what, its words."""

    HAS_HEADER = True

    def __init__(self) -> None:
        super().__init__()
        self.name_pane(Text(" Conflicts "))
        self.conflicts: Sequence[Conflict] | None = None
        self._sides = 0  # cells that the longest of the sides takes

    @property
    def current(self) -> Conflict | None:
        """The one under the cursor."""
        found = self.conflicts or ()
        return found[self.cursor] if self.cursor < len(found) else None

    def show_conflicts(self, conflicts: Sequence[Conflict]) -> None:
        """Replaces the list; the cursor stays on its step."""
        before = self.current
        self.conflicts = conflicts
        self._sides = max((cell_len(conflict_sides(conflict)) for conflict in conflicts), default=0)
        self.name_pane(Text(f" Conflicts {len(conflicts):,} "))
        self.rows_changed()
        numbers = [conflict.action_id for conflict in conflicts]
        if before is not None and before.action_id in numbers:
            self.place_cursor(numbers.index(before.action_id))

    def row_count(self) -> int:
        return len(self.conflicts or ())

    def empty_lines(self) -> list[str]:
        if self.conflicts is None:
            return ["", f"loading{glyphs().ellipsis}"]
        return [
            "",
            "No conflict is open.",
            "",
            "Steps are asked of two people where the audit's `overlap` is above 0.",
        ]

    def draw_header(self, width: int) -> Text:
        if not self.conflicts:
            return Text()
        room = self._sides_room(width)
        return Text(f" {'action':>6} {'question':<16} {'depth':>5} ") + fit(Text("labels"), room) + " step"

    def draw_row(self, index: int, width: int) -> Text:
        conflict, colours = (self.conflicts or ())[index], palette(self.app)
        text = Text(f" {conflict.action_id:>6} ", colours.muted)
        text.append_text(fit_end(line(conflict.address), 16)).append(f" {conflict.depth:>5} ", colours.muted)
        room = self._sides_room(width)
        text.append_text(fit(line(conflict_sides(conflict, room), colours.human), room)).append(" ")
        return text.append_text(line(conflict.text, limit=max(20, width)))

    def _sides_room(self, width: int) -> int:
        """Cells for who says what."""
        return min(max(self._sides, len("labels")), max(_LEAST_SIDES, width - _BEFORE_SIDES - _LEAST_WORDS))


class ConflictsScreen(SubScreen):
    """The list, and the step under the cursor with everything that was said of it."""

    CALLED = "conflicts"
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.CONFLICTS)]

    def __init__(self, state: AppState) -> None:
        super().__init__(state)
        self._details: dict[int, ActionDetail] = {}

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "conflicts")
        with Container(id="conflict-panes"):
            yield ConflictRows()
            yield Rule(id="conflict-rule")
            yield TextView(id="conflict-step")
        yield KeyBar()

    @property
    def rows(self) -> ConflictRows:
        return self.query_one(ConflictRows)

    @property
    def step_view(self) -> TextView:
        return self.query_one("#conflict-step", TextView)

    def on_mount(self) -> None:
        self.rows.focus()
        self.watch(self.rows, "cursor", self._show_step, init=False)
        self._load()

    def on_screen_resume(self) -> None:
        self._load()

    def project_changed(self, change: ProjectChanged) -> None:
        """Others label, too."""
        if change.topics & {"labels", "verdicts"}:
            self._load()

    def place(self) -> dict[str, Any]:
        here = self.rows.current
        return {"screen": "conflicts", "row": here.action_id if here is not None else None}

    def _load(self) -> None:
        def done(conflicts: list[Conflict]) -> None:
            self._details.clear()
            self.rows.show_conflicts(conflicts)
            row = self.row_kept([conflict.action_id for conflict in conflicts])
            if row is not None:
                self.rows.place_cursor(row)
            self._show_step()

        self.bswirl.ask_owner(self, "conflicts", lambda client: client.audit_conflicts(), done)

    def _show_step(self) -> None:
        conflict, colours = self.rows.current, palette(self.app)
        if conflict is None:
            words = "The step of a conflict: who says what and why, and what the judge said."
            self.step_view.name_pane(Text(" Step "))
            self.step_view.show([BLANK, Paragraph(Text(words, colours.muted))])
            return
        detail = self._details.get(conflict.action_id)
        if detail is None:
            self._read_step(conflict.action_id)
            return
        document = conflict_document(conflict, detail, colours)
        self.step_view.name_pane(Text(f" Action {conflict.action_id} "))
        self.step_view.show(document.paragraphs, focus=document.focus)

    def _read_step(self, action_id: int) -> None:
        def done(detail: ActionDetail) -> None:
            self._details[action_id] = detail
            here = self.rows.current
            if here is not None and here.action_id == action_id:
                self._show_step()

        self.bswirl.ask_owner(self, "conflict", lambda client: client.action(action_id), done)

    # keys

    def action_conflict_good(self) -> None:
        self._decide("1")

    def action_conflict_bad(self) -> None:
        self._decide("0")

    def _decide(self, value: str) -> None:
        """Asks why, then decides; escape leaves everything as it was."""
        conflict = self.rows.current
        if conflict is None:
            return

        def answered(reason: str | None) -> None:
            if reason is not None:
                self._adjudicate(conflict, value, reason or None)

        title = f"Action {conflict.action_id} is {WORDS[value]}. Why?"
        self.app.push_screen(Ask(title, conflict.text[:400], placeholder="a reason, or none"), answered)

    def _adjudicate(self, conflict: Conflict, value: str, reason: str | None) -> None:
        """Not over a decision that came after this conflict was shown."""
        client_uid, action_id = str(uuid.uuid4()), conflict.action_id
        newest = max(label.label_id or 0 for label in conflict.votes)

        def work(client: Client) -> tuple[Label, list[Conflict]]:
            label = client.audit_adjudicate(
                action_id, value, reason=reason, since=newest, client_uid=client_uid
            )
            return label, client.audit_conflicts()

        def done(found: tuple[Label, list[Conflict]]) -> None:
            label, conflicts = found
            self.rows.show_conflicts(conflicts)
            self._show_step()
            self.bswirl.say(Text(f"Decided action {label.action_id}: {WORDS[label.value]}."))

        def failed(error: BswirlError) -> None:
            self.bswirl.show_problem(error)

        self.bswirl.ask_owner(self, client_uid, work, done, failed=failed)

    @on(RowList.Chosen)
    def _chosen(self) -> None:
        self.action_conflict_open()

    def action_conflict_open(self) -> None:
        conflict = self.rows.current
        if conflict is not None:
            self.bswirl.show_in_tree(conflict.question_id, conflict.action_id)


def conflict_document(conflict: Conflict, detail: ActionDetail, colours: Palette) -> Document:
    """The step, who says what and why, and what the judge said."""
    document = step_document(detail, colours)
    parts = [*document.paragraphs, BLANK, heading("Auditors", colours)]
    parts += [label_paragraph(label, colours) for label in conflict.votes]
    good, bad = (actions.spec(name).key_display for name in ("conflict.good", "conflict.bad"))
    words = (
        f"{good} (good) and {bad} (not good) decide over all of them. "
        "Until then the judge's verdict is in force."
    )
    parts += [Paragraph(Text(words, colours.muted)), BLANK, heading("Judges", colours)]
    start = document.focus[0] if document.focus else 0
    parts += verdict_paragraphs(detail.verdicts, colours)
    return Document(parts, (start, len(parts) - 1))
