"""Labels on the main screen: set, explain, withdraw."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from rich.text import Text

from bswirl.labels import labels_in_force
from bswirl.records import Action, ActionDetail, Label, QuestionTree
from bswirl_tui import actions
from bswirl_tui.outbox import Letter
from bswirl_tui.screens.base import ProjectScreen
from bswirl_tui.screens.dialogs import Ask, Choice, Choose
from bswirl_tui.text import line, signed
from bswirl_tui.themes import palette

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl_tui.widgets.tree_view import TreeView

T = TypeVar("T")

_VALUES = [
    Choice("1", "good", "correct, and it makes progress", key="1"),
    Choice("0", "bad", "wrong, or it leads nowhere", key="0"),
    Choice("unsure", "unsure", "the judge's verdict stands", key="u"),
]
_SETTING = ("label.good", "label.bad", "label.unsure", "label.with_reason")


class Labelling(ProjectScreen):
    """The part of the main screen that writes labels. A label shows when the owner has it on disk."""

    @property
    def tree_view(self) -> TreeView:
        raise NotImplementedError

    @property
    def awaits_tree(self) -> bool:
        """Whether another question was chosen than the one whose tree is on screen."""
        raise NotImplementedError

    def keep_detail(self, detail: ActionDetail) -> None:
        raise NotImplementedError

    def refresh_tree(self, tree: QuestionTree) -> None:
        raise NotImplementedError

    def action_label_good(self) -> None:
        self._label("1")

    def action_label_bad(self) -> None:
        self._label("0")

    def action_label_unsure(self) -> None:
        self._label("unsure")

    def action_label_with_reason(self) -> None:
        action, question_id = self.step_here(), self._question_here()
        if action is None:
            return

        def chosen(value: str | None) -> None:
            if value is not None:
                self._ask_why(f"Why {value}?", action, question_id, value)

        self.app.push_screen(Choose(f"Label action {action.action_id}", _VALUES), chosen)

    def action_label_reason(self) -> None:
        """Labels stay as they were set: a new reason is a new label of the same value."""
        action, question_id = self.step_here(), self._question_here()
        if action is None:
            return

        def known(detail: ActionDetail) -> None:
            self.keep_detail(detail)
            mine = labels_in_force(detail.labels).get(self.state.auditor)
            if mine is None:
                good, bad, unsure, why = actions.keys_of(*_SETTING)
                sets = f"{good}, {bad} or {unsure} sets one, {why} one with a reason."
                self.tell(f"You have no label on this step yet: {sets}")
                return
            title = f"Reason of your label {mine.value}"
            self._ask_why(title, action, question_id, mine.value, mine.reason or "")

        self.bswirl.ask_owner(
            self, "reason", lambda client: client.action(action.action_id), known, opens=True
        )

    def _ask_why(self, title: str, action: Action, question_id: int, value: str, known: str = "") -> None:
        """Asks for a reason and labels with it; escape leaves everything as it was."""

        def answered(reason: str | None) -> None:
            if reason is not None:
                self._set(action, question_id, value, reason or None)

        self.app.push_screen(Ask(title, action.text[:400], known), answered)

    def action_label_undo(self) -> None:
        """Withdraws the newest label, be it a vote of the audit that is still on its way."""
        sitting = self.bswirl.sitting
        if sitting is not None and sitting.outbox.problem is not None:
            self.tell("A vote of the audit could not be recorded yet: the key was not taken.")
            return
        client_uid = str(uuid.uuid4())
        outline = self.tree_view.outline
        question_id = outline.tree.question.question_id if outline else None
        pressed_at = self.tree_view.key

        def work(client: Client) -> tuple[Label | None, QuestionTree | None]:
            label = client.undo_label(client_uid=client_uid)
            return label, client.tree(question_id) if question_id is not None else None

        def done(result: tuple[Label | None, QuestionTree | None]) -> None:
            label, tree = result
            if label is None:
                self.tell("You have no label left to withdraw.")
                return
            if sitting is not None:
                sitting.withdrawn(label.client_uid)
            if tree is not None and self.tree_view.shows(tree):
                self.refresh_tree(tree)
            shown = self.tree_view.outline
            here = shown is not None and shown.action(label.action_id) is not None
            if here and self.tree_view.key == pressed_at:  # not where one has moved on meanwhile
                self.tree_view.goto(label.action_id)
            where = "" if here else ", on another question"
            self.tell(f"Withdrew your label {label.value} from action {label.action_id}{where}.")

        self._send("taking back your newest label", client_uid, work, done)

    def _send(
        self, words: str, client_uid: str, work: Callable[[Client], T], done: Callable[[T], None]
    ) -> None:
        """Changes the record: where there is a sitting, in the order of the keys, its votes among them."""
        sitting = self.bswirl.sitting
        if sitting is None:
            self.bswirl.ask_owner(self, client_uid, work, done, failed=self.bswirl.show_problem)
            return
        if sitting.outbox.problem is not None:
            self.tell("It waits behind a vote of the audit that could not be recorded yet.")
        sitting.outbox.add(Letter(words, work, done, None, client_uid))

    def step_here(self) -> Action | None:
        """The step to label; None, with a word why, where there is none or another question is on its way."""
        action = self.tree_view.action_here
        if self.awaits_tree:
            self.tell("The next question is still being read: the key was not taken.")
            return None
        if action is None:
            self.tell("Put the cursor on a step to label it.")
        return action

    def _label(self, value: str) -> None:
        action = self.step_here()
        if action is not None:
            self._set(action, self._question_here(), value, None)

    def _question_here(self) -> int:
        """The number of the question on screen; 0 where there is none."""
        outline = self.tree_view.outline
        return outline.tree.question.question_id if outline is not None else 0

    def _set(self, action: Action, question_id: int, value: str, reason: str | None) -> None:
        """Labels a step of that question, which need not be on screen any more."""
        sitting = self.bswirl.sitting
        if sitting is not None and sitting.label(action.action_id, value, reason):
            self._say_voted(action, value)
            return
        client_uid = str(uuid.uuid4())

        def work(client: Client) -> tuple[Label, QuestionTree]:
            label = client.set_label(action.action_id, value, reason=reason, client_uid=client_uid)
            return label, client.tree(question_id)

        def done(result: tuple[Label, QuestionTree]) -> None:
            label, tree = result
            if self.tree_view.shows(tree):
                self.refresh_tree(tree)
            self._say_labelled(label, next(a for a in tree.actions if a.action_id == label.action_id))

        self._send(f"your label {value} on action {action.action_id}", client_uid, work, done)

    def _say_voted(self, action: Action, value: str) -> None:
        colours = palette(self.app)
        words = Text.assemble(
            (f"Voted on action {action.action_id}: ", colours.human), (value, colours.strong)
        )
        words.append("; the audit had asked about it", colours.muted)
        self.bswirl.say(words)

    def _say_labelled(self, label: Label, action: Action) -> None:
        colours = palette(self.app)
        words = Text.assemble(
            (f"Labelled action {label.action_id} as ", colours.human), (label.value, colours.strong)
        )
        if action.advantage is not None:
            words.append(f"; its advantage is now {signed(action.advantage)}", colours.muted)
        if action.conflict:
            words.append("; auditors disagree", colours.warn)
        self.bswirl.say(words)

    def tell(self, words: str) -> None:
        """Says in the line of keys why something was not done."""
        self.bswirl.say(line(words, palette(self.app).warn))
