"""The form of a new run, made from the run's options; it shows the command line that does the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Input, Static

from bswirl.errors import BswirlError, UsageError
from bswirl.launch import checked_command, form_command, form_options, in_project, typed
from bswirl_tui import actions
from bswirl_tui.clipboard import copy
from bswirl_tui.names import NAMED_RUNS, described_names, known_names
from bswirl_tui.screens.dialogs import Choice, Choose, Problem
from bswirl_tui.screens.form_outlook import FormOutlook
from bswirl_tui.screens.form_start import FormStart
from bswirl_tui.state import AppState
from bswirl_tui.text import clean, count, line
from bswirl_tui.themes import palette
from bswirl_tui.widgets.bars import KeyBar, StatusBar
from bswirl_tui.widgets.fields import NAME_PADDING, OptionField

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.selections import SavedSelection, SelectionCounts
    from bswirl_tui.link import ProjectChanged

Standing = list[tuple[int, str]]  # the newest runs, each with its status
ABOUT = {
    "generate": "A policy writes solutions, and alternatives to each of their steps.",
    "judge": "A judge rates the steps that it has not rated yet.",
    "train": "A policy is trained on the effective rewards.",
    "evaluate": "A policy answers the questions of a split; its accuracy is measured.",
}


class RunForm(FormOutlook, FormStart):
    """A line an option; those that most runs leave alone come on a key."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.FORM)]

    def __init__(self, state: AppState, kind: str, values: Mapping[str, Any] | None = None) -> None:
        """With `values` they are filled in, as those of a run that is to be done once more with changes."""
        options = form_options(kind)
        super().__init__(
            state, kind, [OptionField(option, offered=option.name == "selection") for option in options]
        )
        self._given = dict(values or {})
        self._saved: dict[str, SavedSelection] = {}
        self._advanced = False
        self._names_known = False
        self._standing: Standing | None = None  # of the runs, when names were read

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, f"new {self.kind} run")
        yield Static(Text(ABOUT[self.kind]), id="form-about", markup=False)
        yield Vertical(*self.fields, id="form-fields")  # has no keys, which go through the fields
        yield Static(id="form-help", markup=False)
        yield Static(id="form-forecast", markup=False)
        yield Static(id="form-command", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self._fill_in()
        self._show_advanced()
        self.fields[0].editor.focus()
        self._read_names()
        self._read_saved()

    # filling in

    def _fill_in(self) -> None:
        """Fills in what was given, the objective first, since other defaults follow from it."""
        self._offer_selections()
        for field in sorted(self.fields, key=lambda field: field.option.name != "objective"):
            value = self._given.get(field.option.name)
            if field.option.name == "objective" and value is not None:
                self._use_objective(str(value))
            if value is not None and (value != field.default or field.option.required):
                field.fill(typed(value))
                self._advanced = self._advanced or not field.option.basic

    def _use_objective(self, objective: str) -> None:
        for field in self.fields:
            field.use_objective(objective)

    def _read_names(self) -> None:
        """Reads what can be named, unless no run has begun or ended since the last time."""
        known = self._standing

        def read(client: Client) -> tuple[Standing, dict[str, list[str]] | None]:
            standing = [(run.run_id, run.status) for run in client.runs(limit=NAMED_RUNS)]
            return standing, None if standing == known else known_names(client)

        self.bswirl.ask_owner(self, "names", read, self._names_read)

    def _read_saved(self) -> None:
        if self.field("selection") is not None:
            self.bswirl.ask_owner(self, "selections", lambda client: client.selections(), self._saved_read)

    def project_changed(self, change: ProjectChanged) -> None:
        """Somebody may have saved a selection, or a run may have made a policy."""
        if "runs" in change.topics:
            if change.runs is None:
                self._standing = None
            self._read_names()
        if "selections" in change.topics:
            self._read_saved()

    def _saved_read(self, found: list[SavedSelection]) -> None:
        before = self._chosen_selection
        self._saved = {saved.name: saved for saved in found}
        if self._given.get("selection") in self._saved:
            del self._given["selection"]
        self._offer_selections()
        chosen = self._chosen_selection
        if before is None or chosen is None or chosen.selection != before.selection:
            self._describe_selection()

    @property
    def _chosen_selection(self) -> SavedSelection | None:
        field = self.field("selection")
        return self._saved.get(str(field.value)) if field is not None else None

    def _offer_selections(self) -> None:
        """The saved ones, and one that was given: that it is gone must not mean that all is trained on."""
        field, given = self.field("selection"), self._given.get("selection")
        if field is not None:
            field.suggest([*self._saved, *([str(given)] if given is not None else [])])

    def _describe_selection(self) -> None:
        """What the chosen selection is, and a moment later what it leaves."""
        field, saved = self.field("selection"), self._chosen_selection
        if field is None or saved is None:
            if field is not None:
                field.describe("there is none of this name" if field.value else "")
            return
        field.describe(saved.selection.words)

        def counted(counts: SelectionCounts) -> None:
            if field.value == saved.name:
                field.describe(f"{counts_words(counts)}; {saved.selection.words}")
                self.show_help()

        self.bswirl.ask_owner(
            self, "counts", lambda client: client.count_selection(saved.selection), counted, lane="slow"
        )

    def _names_read(self, found: tuple[Standing, dict[str, list[str]] | None]) -> None:
        """Once, fills in what is usual; not before does a field that is still empty count as wrong."""
        self._standing, names = found
        for name, known in (names or {}).items():
            field = self.field(name)
            if field is not None:
                field.suggest(known)
        if names is not None and not self._names_known:
            self._names_known = True
            self._propose(names)
            self.wrong_fields()

    def _propose(self, names: dict[str, list[str]]) -> None:
        policy = self.field("policy")
        if policy is None or policy.value is not None:
            return
        trained = [name for name in names["policy"] if "@" in name]
        if self.kind == "evaluate" and trained:
            policy.fill(trained[0])
        elif names["used"]:
            policy.fill(names["used"][0])

    @on(OptionField.Changed)
    def _changed(self, event: OptionField.Changed) -> None:
        event.field.check()
        if event.field.option.name == "objective":
            self._use_objective(str(event.field.value))
        if event.field.option.name == "selection":
            self._describe_selection()
        self.show_outlook(Text())  # of other settings
        self._show_command()
        self.show_help()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        self.show_help()

    # what is shown

    def wrong_fields(self) -> list[OptionField]:
        """The fields that cannot stand."""
        wrong = [field for field in self.fields if not field.check()]
        self._show_command()
        return wrong

    def _show_command(self) -> None:
        colours = palette(self.app)
        try:
            words = form_command(self.kind, self.values)
        except UsageError as error:
            text = Text("no command yet: ", colours.muted).append_text(line(error.message, colours.warn))
        else:
            text = Text("$ ", colours.muted).append(clean(words, one_line=True), colours.strong)
        self.query_one("#form-command", Static).update(text)

    def show_help(self) -> None:
        field = next((field for field in self.fields if field.editor.has_focus), None)
        colours = palette(self.app)
        if field is None:
            words = Text()
        elif field.problem:
            words = Text(clean(f"{field.option.flag}: {field.problem}"), colours.bad)
        else:
            option = field.option
            limits = f",{option.limits}" if option.limits else ""
            words = Text(f"{option.flag}: ", colours.accent).append(f"{field.about}{limits}", colours.muted)
        self.query_one("#form-help", Static).update(words)

    def _show_advanced(self) -> None:
        for field in self.fields:
            field.display = field.option.basic or self._advanced
        widest = max(len(field.label) for field in self.fields if field.display)
        for field in self.fields:
            field.widen_name(widest + NAME_PADDING)

    # keys

    def action_form_advanced(self) -> None:
        self._advanced = not self._advanced
        self._show_advanced()
        if not any(field.editor.has_focus and field.display for field in self.fields):
            self.fields[0].editor.focus()

    def action_form_reset(self) -> None:
        for field in self.fields:
            field.reset()
        self.wrong_fields()

    def action_form_copy(self) -> None:
        """Copies a command that would start the run; of another it says what is wrong."""
        if self.go_to_wrong():
            self._not_copied()
            return
        kind, values, root = self.kind, self.values, self.bswirl.project.root

        def copied(words: str) -> None:
            copy(self.bswirl, in_project(words, root), "The command line")

        def failed(error: BswirlError) -> None:
            if self.blame(error):
                self._not_copied()
            else:
                self.app.push_screen(Problem(error, "Not copied"))

        self.bswirl.ask_owner(
            self,
            "copied",
            lambda client: checked_command(client, client.project, kind, values),
            copied,
            failed=failed,
        )

    def _not_copied(self) -> None:
        words = "Not copied: the command would be refused; the field with the cursor says why."
        self.bswirl.say(line(words, palette(self.app).warn))

    def action_form_names(self) -> None:
        """Offers the names that the field takes; of a field without any, the first that has some."""
        named = [field for field in self.fields if field.option.name in ("policy", "judge", "dataset")]
        field = next((field for field in named if field.editor.has_focus), named[0])
        name = field.option.name

        def chosen(value: str | None) -> None:
            if value is not None:
                field.fill(value)
                self.go_to(field)

        def found(names: list[tuple[str, str]]) -> None:
            if names:
                choices = [Choice(value, value, about) for value, about in names]
                self.app.push_screen(Choose(f"Choose a {name}", choices, field.value), chosen)
            else:
                self.bswirl.say(line(f"The project knows no {name} by name yet."))

        self.bswirl.ask_owner(
            self, "described", lambda client: described_names(client, name), found, opens=True
        )

    def focus_next(self, _selector: object = "*") -> Widget | None:
        return self._focus_beside(1)

    def focus_previous(self, _selector: object = "*") -> Widget | None:
        return self._focus_beside(-1)

    def _focus_beside(self, step: int) -> Widget | None:
        """Textual goes by where fields stand; those that a key before has just shown stand nowhere yet."""
        editors = [field.editor for field in self.fields if field.display]
        at = editors.index(self.focused) + step if self.focused in editors else min(step, 0)
        self.set_focus(editors[at % len(editors)])
        return self.focused

    def action_form_next(self) -> None:
        self.focus_next()

    def action_form_previous(self) -> None:
        self.focus_previous()

    def go_to(self, field: OptionField) -> None:
        if not field.display:
            self._advanced = True
            self._show_advanced()
        field.editor.focus()
        self.show_help()


def counts_words(counts: SelectionCounts) -> str:
    """What a selection leaves, in short."""
    groups = f"{counts.live_groups} of {count(counts.groups, 'group')} live"
    own = f"{counts.own_samples} steps of {count(counts.trajectories, 'solution')}"
    return f"{count(counts.questions, 'question')}, {groups}, {own}"
