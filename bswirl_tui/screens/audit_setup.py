"""The dialog before the audit queue: in which order steps come, and what is mixed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from bswirl.audit.records import AuditPosition
from bswirl.launch import Option
from bswirl.settings.audit import AuditSettings
from bswirl_tui import actions
from bswirl_tui.audit_text import ORDERS, position_words
from bswirl_tui.glyphs import glyphs
from bswirl_tui.screens.dialogs import Choice, ChoiceList, Dialog
from bswirl_tui.text import clean, line
from bswirl_tui.themes import palette
from bswirl_tui.votes_cast import QueueOptions
from bswirl_tui.widgets.fields import Choices, OptionField
from bswirl_tui.widgets.row_list import RowList


def _options(datasets: Sequence[str], before: QueueOptions) -> list[Option]:
    return [
        Option("blind", "flag", before.blind, "hide the judge until you have voted"),
        Option("dataset", "choice", before.dataset, "only this one", tuple(datasets), optional=True),
        Option("depth", "whole", before.depth, "only steps with this number", optional=True, least=1),
        Option("answers", "flag", before.answers, "answer steps too"),
        Option("slice", "number", before.slice, "random draws, for the report's rates", least=0, most=1),
        Option("repeats", "number", before.repeats, "your own steps, asked once more", least=0, most=1),
        Option("overlap", "number", before.overlap, "steps that others labelled", least=0, most=1),
    ]


_LONGER = {
    "blind": "What the judge said stays hidden until you have voted, so that it cannot lead you.",
    "dataset": "Only steps of questions in this dataset.",
    "depth": "Only steps with this number, counted from the question; empty: any.",
    "answers": "Also final answers. They are compared with gold, so a vote on them rarely changes a reward.",
    "slice": "This share of the queue, from 0 to 1, is drawn at random and not marked: the report's rates "
    "rest on it.",
    "repeats": "This share, from 0 to 1, is steps that you voted on before: it shows how steady you are.",
    "overlap": "This share, from 0 to 1, is steps that others voted on: it shows how far you agree.",
}


class AuditSetup(Dialog[QueueOptions]):
    """Enter on an order begins; tab goes to the options."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *actions.bindings(actions.SETUP),
        Binding("enter", "setup_start", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(
        self,
        position: AuditPosition,
        settings: AuditSettings,
        datasets: Sequence[str],
        before: QueueOptions | None,
    ) -> None:
        (back,) = actions.keys_of("screen.back")
        hint = ("enter begins", "tab goes to the options", f"{back} goes back")
        super().__init__("Audit", glyphs().separator.join(hint))
        self._position = position
        order = position.order if position.order in ORDERS else "random"
        usual = QueueOptions.usual(settings, order)
        self._before = replace(before, reserve_minutes=usual.reserve_minutes) if before else usual
        self.fields = [OptionField(option) for option in _options(sorted(set(datasets)), self._before)]
        self.add_class("setup")

    def content(self) -> ComposeResult:
        yield Static(line(position_words(self._position)), classes="about", markup=False)
        yield ChoiceList([Choice(name, label) for name, (label, _, _) in ORDERS.items()])
        yield Static(id="needs", markup=False)
        with Vertical(classes="fields"):
            yield from self.fields

    def on_mount(self) -> None:
        rows = self.query_one(ChoiceList)
        rows.place_cursor(list(ORDERS).index(self._before.order))
        rows.focus()
        self.watch(rows, "cursor", self._show_needs, init=False)
        self._show_needs()
        for field in self.fields:
            field.call_after_refresh(field.check)

    @property
    def order(self) -> str:
        """The order under the cursor."""
        return list(ORDERS)[self.query_one(ChoiceList).cursor]

    def on_descendant_focus(self) -> None:
        self._show_needs()

    def _show_needs(self) -> None:
        """What the field with the cursor is or lacks; else of the order, what it shows and needs."""
        colours = palette(self.app)
        field = next((field for field in self.fields if field.editor.has_focus), None)
        if field is None:
            _, about, needs = ORDERS[self.order]
            words = Text(f"{about[0].upper()}{about[1:]}. ") + Text(f"Needs {needs}.", colours.muted)
        elif field.problem:
            words = Text(clean(f"{field.label}: {field.problem}"), colours.bad)
        else:
            words = Text(f"{field.label}: ", colours.accent).append(_LONGER[field.option.name], colours.muted)
        self.query_one("#needs", Static).update(words)

    @on(RowList.Chosen)
    def _chosen(self, event: RowList.Chosen) -> None:
        event.stop()
        self.action_setup_start()

    @on(OptionField.Changed)
    def _changed(self, event: OptionField.Changed) -> None:
        event.field.check()
        self._show_needs()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_setup_start()

    def action_setup_start(self) -> None:
        """Begins where every field can stand, else goes to the first that cannot."""
        wrong = next((field for field in self.fields if not field.check()), None)
        if wrong is not None:
            wrong.editor.focus()
            return
        values: dict[str, Any] = {}
        for field in self.fields:
            value = field.value
            if value is None and not isinstance(field.editor, Choices):
                value = field.option.default
            values[field.option.name] = None if value is None else field.option.check(value)
        self.dismiss(replace(self._before, order=self.order, **values))


class Unsent(Dialog[str]):
    """A vote did not reach the record: send it again, give it up, or decide later."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "answer('again')", show=False),
        Binding("d", "answer('drop')", show=False),
    ]

    def __init__(self, words: str, message: str, remedy: str) -> None:
        (back,) = actions.keys_of("screen.back")
        hint = ("enter sends it again", "d gives it up", f"{back} decides later")
        super().__init__("Not recorded", glyphs().separator.join(hint))
        self._words = words
        self._message = message
        self._remedy = remedy
        self.add_class("problem")

    def content(self) -> ComposeResult:
        colours = palette(self.app)
        yield Static(Text(clean(self._words), colours.strong), classes="words", markup=False)
        yield Static(Text(clean(self._message, limit=2000)), classes="words", markup=False)
        if self._remedy:
            yield Static(Text(clean(self._remedy, limit=2000), colours.accent), classes="words", markup=False)

    def action_answer(self, answer: str) -> None:
        self.dismiss(answer)
