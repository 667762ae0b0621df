"""The audit queue: one step after the other, one key a vote, and what the judge said of the last one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.widgets import Static

from bswirl.errors import BswirlError
from bswirl_tui import actions
from bswirl_tui.audit_text import (
    headline,
    item_document,
    looked_at_note,
    pane_name,
    reason_keys,
    reason_paragraphs,
    reveal_paragraphs,
    waiting_paragraphs,
)
from bswirl_tui.link import ProjectChanged
from bswirl_tui.screens.audit_entry import AuditEntry
from bswirl_tui.screens.audit_setup import Unsent
from bswirl_tui.screens.base import SubScreen
from bswirl_tui.screens.dialogs import Ask, Confirm
from bswirl_tui.sitting import Sitting, ask_of
from bswirl_tui.state import AppState
from bswirl_tui.text import Paragraph, clean
from bswirl_tui.themes import palette
from bswirl_tui.troubles import when_free
from bswirl_tui.votes_cast import QueueOptions
from bswirl_tui.widgets.bars import KeyBar, Rule, StatusBar
from bswirl_tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from bswirl.audit.records import AuditItem, AuditPosition
    from bswirl_tui.app import BswirlApp

LOOKS = 4  # in the time for which a step is reserved: whether it is to be reserved anew

# What keys do while the short list of reasons is open, as the foot of the screen says; others are not taken.
WHILE_CHOOSING = frozenset(
    ("audit_good", "audit_bad", "audit_pick", "audit_guidelines", "audit_reason", "screen_back")
)


class AuditScreen(AuditEntry, SubScreen):
    """Shows a sitting. Votes go their way in the background; the next step is there before they arrive."""

    KEYS_ARE_VOTES = True  # no dialog opens here by itself, except about a vote

    CALLED = "the audit"
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.AUDIT)]

    def __init__(self, state: AppState, sitting: Sitting) -> None:
        super().__init__(state)
        self.sitting = sitting
        self._reasons: tuple[str, ...] = ()
        self._choosing = False  # the next key picks a reason
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, "audit")
        yield Static(id="audit-head", markup=False)
        with Container(id="audit-panes"):
            yield TextView(id="audit-item")
            yield Rule(id="audit-rule")
            with Vertical(id="audit-side"):
                yield TextView(id="audit-last")
                yield TextView(id="audit-guide")
        yield KeyBar()

    @property
    def item_view(self) -> TextView:
        return self.query_one("#audit-item", TextView)

    @property
    def last_view(self) -> TextView:
        return self.query_one("#audit-last", TextView)

    @property
    def guide_view(self) -> TextView:
        return self.query_one("#audit-guide", TextView)

    def on_mount(self) -> None:
        self.item_view.focus()
        self.guide_view.name_pane(Text(" Guidelines "))
        self._read_settings()
        self.set_interval(max(1.0, 60 * self.sitting.options.reserve_minutes / LOOKS), self._keep_step)

    def _keep_step(self) -> None:
        if self in self.app.screen_stack:
            self.sitting.keep_step()

    def on_screen_resume(self) -> None:
        if self.sitting.looked_at is None and self.sitting.current is not None:
            self.sitting.clock.go()
        self.show_sitting()

    def on_screen_suspend(self) -> None:
        self.sitting.clock.stop()

    def _read_settings(self) -> None:
        project = self.bswirl.project

        def work() -> tuple[tuple[str, ...], str]:
            from bswirl.project import load_settings
            from bswirl.settings.audit import read_guidelines

            settings = load_settings(project).audit
            try:
                words = read_guidelines(settings)
            except BswirlError as error:
                words = str(error)
            return settings.reasons, words

        def done(found: tuple[tuple[str, ...], str]) -> None:
            self._reasons = found[0]
            self.guide_view.show([Paragraph(Text(clean(found[1])))])

        self.bswirl.link.run_beside(self, "audit settings", work, done, self.bswirl.tell_problem)

    def place(self) -> dict[str, Any]:
        return {"screen": "audit", "options": asdict(self.sitting.options)}

    # what is shown

    @property
    def _is_made(self) -> bool:
        """Whether its parts are there: not yet when it was just opened, no more once it is taken down."""
        return self.is_mounted and bool(self.query("#audit-head"))

    def show_sitting(self) -> None:
        """Draws what changed in the sitting."""
        if not self._is_made:
            return
        sitting, colours = self.sitting, palette(self.app)
        self.query_one("#audit-head", Static).update(
            headline(sitting, colours, self.state.stats.get("conflicts", 0), self.size.width)
        )
        self._show_item()
        last = sitting.looked_at or (sitting.entries[-1] if sitting.entries else None)
        name = " This step " if sitting.looked_at is not None else " Your last vote "
        self.query_one(KeyBar).mode = reason_keys(colours) if self._choosing else None
        if self._choosing:
            self.last_view.name_pane(Text(" Why? "))
            self.last_view.show(reason_paragraphs(self._reasons, colours))
            return
        self.last_view.name_pane(Text(name))
        self.last_view.show(reveal_paragraphs(last, sitting, colours))

    def _show_item(self) -> None:
        """The step; the same one keeps its place."""
        sitting, colours = self.sitting, palette(self.app)
        item, entry = sitting.shown, sitting.looked_at
        drawn = (item.draw_id if item else None, entry is not None, self.app.theme)
        if item is None:
            self.item_view.name_pane(Text(" Audit "))
            self.item_view.show(waiting_paragraphs(sitting, colours))
        else:
            note = looked_at_note(entry) if entry is not None else ""
            self.item_view.name_pane(Text(pane_name(entry)))
            open_judge = not item.blind and entry is None
            document = item_document(item, colours, note, judge=open_judge)
            self.item_view.show(document.paragraphs, focus=document.focus, keep_scroll=drawn == self._drawn)
        self._drawn = drawn

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self._is_made:
            self.show_sitting()

    def project_changed(self, change: ProjectChanged) -> None:
        """There may be steps again."""
        if self.sitting.current is None and change.topics & {"questions", "labels", "verdicts"}:
            self.sitting.poke()
        self.show_sitting()

    # votes

    def action_audit_good(self) -> None:
        if self._choosing:
            self.action_audit_pick("1")
        else:
            self._vote("1")

    def action_audit_bad(self) -> None:
        if self._choosing:
            self.action_audit_pick("0")
        else:
            self._vote("0")

    def action_audit_unsure(self) -> None:
        self._vote("unsure")

    def action_audit_skip(self) -> None:
        self._vote("skip")

    def _vote(self, value: str) -> None:
        item = self.sitting.shown
        if self.sitting.vote(value):
            if item is not None and item.blind:
                self._uncover_last()  # what counts as revealed must have been in sight
            return
        self.show_sitting()

    def _uncover_last(self) -> None:
        """Closes the guidelines where they cover the pane of the last vote."""
        if self.has_class("-narrow", "-guided"):
            self.remove_class("-guided")
            if self.focused is self.guide_view:
                self.item_view.focus()

    def action_audit_flag(self) -> None:
        if self.sitting.takes():
            self.sitting.flag()

    def action_audit_undo(self) -> None:
        self.sitting.undo()

    def action_audit_change(self) -> None:
        self.sitting.look_back()

    def action_audit_go_on(self) -> None:
        if self.sitting.outbox.problem is not None:
            self.sitting.outbox.again()
        self.sitting.go_on()
        self.show_sitting()

    def action_audit_advance(self) -> None:
        self.sitting.advance = not self.sitting.advance
        self.show_sitting()

    # reasons

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a reason is chosen, nothing votes, moves on or leaves unnamed."""
        if self._choosing and action.startswith(("audit_", "screen_")):
            return action in WHILE_CHOOSING
        return super().check_action(action, parameters)

    def _choose(self, choosing: bool) -> None:
        """Opens or closes the short list; other keys hold then."""
        self._choosing = choosing
        self.refresh_bindings()

    def action_audit_reason(self) -> None:
        """The next key picks; on this screen and not in a dialog, so that no fast key goes astray."""
        if self._choosing or self.sitting.takes():
            self._choose(not self._choosing)
            self._uncover_last()
            self.show_sitting()

    def action_audit_pick(self, key: str) -> None:
        if not self._choosing:
            return
        self._choose(False)
        place = 9 if key == "0" else int(key) - 1 if key.isdigit() else None
        if place is None:
            self.sitting.give_reason(None)
        elif place < len(self._reasons):
            self.sitting.give_reason(self._reasons[place])
        else:
            self.bswirl.warn("There is no reason with that number.")
        self.show_sitting()

    def _type_reason(self) -> None:
        """A line of words, or the number of one on the short list."""
        sitting, item, entry = self.sitting, self.sitting.shown, self.sitting.looked_at
        self._choose(False)
        self.show_sitting()
        if item is None:
            return

        def give(words: str | None) -> None:
            if words is None or not sitting.is_at(item) or sitting.looked_at is not entry:
                return
            number = int(words) if words.isascii() and words.isdigit() else 0
            listed = 0 < number <= len(self._reasons)
            sitting.give_reason(self._reasons[number - 1] if listed else words or None)

        known = entry.now.reason if entry is not None else sitting.draft.reason
        self.app.push_screen(Ask("Why?", item.detail.action.text[:400], known or ""), give)

    # elsewhere

    def action_audit_tree(self) -> None:
        """The step among its siblings. Before blind votes on the question that would give the judge away."""
        item = self.sitting.shown
        if item is None:
            return
        if not self.sitting.gives_away(item.detail.question.address):
            self._open_tree(item)
            return

        def answered(yes: bool | None) -> None:
            if yes and self.sitting.is_at(item):
                self._open_tree(item)

        words = "The tree shows the judge's verdicts. Your votes on this question will not count as blind."
        self.app.push_screen(Confirm("Look before you vote?", words), answered)

    def _open_tree(self, item: AuditItem) -> None:
        """Opens it where it is on record that it was looked at, whatever happens next."""
        question = item.detail.question
        self.sitting.saw(question.address)
        self.bswirl.show_in_tree(question.question_id, item.detail.action.action_id)

    def action_audit_order(self) -> None:
        self.choose_order()

    def action_audit_guidelines(self) -> None:
        if self._choosing:
            self._type_reason()
            return
        self.toggle_class("-guided")
        if self.focused is None or not self.focused.display:
            self.item_view.focus()

    def action_audit_next_pane(self) -> None:
        self.focus_next()

    def action_audit_previous_pane(self) -> None:
        self.focus_previous()

    def action_screen_back(self) -> None:
        if self._choosing:
            self.action_audit_reason()
        elif self.sitting.looked_at is not None:
            self.sitting.go_on()
        else:
            self.app.pop_screen()

    def action_audit_leave(self) -> None:
        self.app.pop_screen()


def new_sitting(app: BswirlApp, options: QueueOptions, position: AuditPosition) -> Sitting:
    """A sitting of this app's auditor, beginning where they were."""
    return Sitting(
        ask_of(app.ask_owner, app),
        options,
        position,
        changed=app.sitting_changed,
        failed=lambda error: when_free(app, lambda: ask_unsent(app, error)),
        said=app.warn,
        seen=app.reattaching.trees_seen,
        keep_seen=app.reattaching.see_tree,
    )


def ask_unsent(app: BswirlApp, error: BswirlError) -> None:
    """A vote did not reach the record: it is kept, and the auditor says what to do."""
    sitting = app.sitting
    first = sitting.outbox.first if sitting is not None else None
    if sitting is None or first is None or sitting.outbox.problem is not error:
        return

    def answered(answer: str | None) -> None:
        if answer == "again":
            sitting.outbox.again()
        elif answer == "drop" and sitting.outbox.first is first:  # else it was recorded meanwhile
            sitting.give_up()

    behind = len(sitting.outbox) - 1
    words = first.words + (f", and {behind} after it" if behind else "")
    app.push_screen(Unsent(words[0].upper() + words[1:], error.message, error.remedy), answered)
