"""The form of a new run, made from the run's options; it shows the command line that does the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from bswirl.errors import BswirlError, ExitCode, UsageError
from bswirl.launch import command_line, forecast_run, make_request, options_of, start_run
from bswirl.launch.forecast_words import forecast_lines
from bswirl.records import Run
from bswirl.runs.folder import RunFolder
from bswirl_tui import actions
from bswirl_tui.screens.base import SubScreen
from bswirl_tui.screens.dialogs import Problem
from bswirl_tui.screens.run_view import RunView
from bswirl_tui.state import AppState
from bswirl_tui.text import clean, count, line
from bswirl_tui.themes import palette
from bswirl_tui.widgets.bars import KeyBar, StatusBar
from bswirl_tui.widgets.fields import OptionField

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.selections import SavedSelection, SelectionCounts
    from bswirl.training.forecast import Forecast
    from bswirl_tui.link import ProjectChanged

ABOUT = {
    "generate": "A policy writes solutions, and alternatives to each of their steps.",
    "judge": "A judge rates the steps that it has not rated yet.",
    "train": "A policy is trained on the effective rewards.",
    "evaluate": "A policy answers the questions of a split; its accuracy is measured.",
}


class RunForm(SubScreen):
    """A line an option; those that most runs leave alone come on a key."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.FORM)]

    def __init__(self, state: AppState, kind: str) -> None:
        super().__init__(state)
        self.kind = kind
        self.fields = [OptionField(option, offered=option.name == "selection") for option in options_of(kind)]
        self._saved: dict[str, SavedSelection] = {}
        self._advanced = False
        self._starting = False

    def compose(self) -> ComposeResult:
        yield StatusBar(self.state, f"new {self.kind} run")
        yield Static(Text(ABOUT[self.kind]), id="form-about", markup=False)
        yield VerticalScroll(*self.fields, id="form-fields", can_focus=False)
        yield Static(id="form-help", markup=False)
        yield Static(id="form-forecast", markup=False)
        yield Static(id="form-command", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self._show_advanced()
        self.fields[0].editor.focus()
        self._read_names()
        self._check()

    def field(self, name: str) -> OptionField | None:
        """The field of an option."""
        return next((field for field in self.fields if field.option.name == name), None)

    @property
    def values(self) -> dict[str, Any]:
        """What was filled in."""
        return {field.option.name: field.value for field in self.fields}

    # filling in

    def _read_names(self) -> None:
        self.bswirl.ask_owner(self, "names", known_names, self._names_read)
        if self.field("selection") is not None:
            self.bswirl.ask_owner(self, "selections", lambda client: client.selections(), self._saved_read)

    def project_changed(self, change: ProjectChanged) -> None:
        """Somebody may have saved a selection, or a run may have made a policy."""
        if change.topics & {"selections", "runs"}:
            self._read_names()

    def _saved_read(self, found: list[SavedSelection]) -> None:
        self._saved = {saved.name: saved for saved in found}
        field = self.field("selection")
        if field is not None:
            field.suggest(list(self._saved))
            self._describe_selection()

    def _describe_selection(self) -> None:
        """What the chosen selection is, and a moment later what it leaves."""
        field = self.field("selection")
        saved = self._saved.get(str(field.value)) if field is not None else None
        if field is None or saved is None:
            if field is not None:
                field.describe("")
            return
        field.describe(saved.selection.words)

        def counted(counts: SelectionCounts) -> None:
            if field.value == saved.name:
                field.describe(f"{counts_words(counts)}; {saved.selection.words}")
                self._show_help()

        self.bswirl.ask_owner(
            self, "counts", lambda client: client.count_selection(saved.selection), counted, lane="slow"
        )

    def _names_read(self, names: dict[str, list[str]]) -> None:
        for name, known in names.items():
            field = self.field(name)
            if field is not None:
                field.suggest(known)
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
            for field in self.fields:
                field.use_objective(str(event.field.value))
        if event.field.option.name == "selection":
            self._describe_selection()
        self._show_forecast(Text())  # of other settings
        self._show_command()
        self._show_help()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    def on_descendant_focus(self, _event: events.DescendantFocus) -> None:
        self._show_help()

    # what is shown

    def _check(self) -> list[OptionField]:
        """The fields that cannot stand."""
        wrong = [field for field in self.fields if not field.check()]
        self._show_command()
        return wrong

    def _show_command(self) -> None:
        colours = palette(self.app)
        try:
            words = command_line(self.kind, self.values)
        except UsageError as error:
            text = Text(f"$ bswirl {self.kind} ", colours.muted).append_text(line(str(error), colours.warn))
        else:
            text = Text("$ ", colours.muted).append(clean(words, one_line=True), colours.strong)
        self.query_one("#form-command", Static).update(text)

    def _show_help(self) -> None:
        field = next((field for field in self.fields if field.editor.has_focus), None)
        colours = palette(self.app)
        if field is None:
            words = Text()
        elif field.problem:
            words = Text(clean(f"{field.option.flag}: {field.problem}"), colours.bad)
        else:
            option = field.option
            words = Text(f"{option.flag}: ", colours.accent).append(
                f"{field.about}{option.limits}", colours.muted
            )
        self.query_one("#form-help", Static).update(words)

    def _show_forecast(self, text: Text) -> None:
        pane = self.query_one("#form-forecast", Static)
        pane.update(text)
        pane.display = bool(text)

    def _show_advanced(self) -> None:
        for field in self.fields:
            field.display = field.option.basic or self._advanced

    # keys

    def action_form_advanced(self) -> None:
        self._advanced = not self._advanced
        self._show_advanced()
        if not any(field.editor.has_focus and field.display for field in self.fields):
            self.fields[0].editor.focus()

    def action_form_reset(self) -> None:
        for field in self.fields:
            field.reset()
        self._check()

    def action_form_next(self) -> None:
        self.focus_next()

    def action_form_previous(self) -> None:
        self.focus_previous()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "form_forecast" and self.kind != "train":
            return False
        return super().check_action(action, parameters)

    def action_form_forecast(self) -> None:
        wrong = self._check()
        if wrong:
            self._go_to(wrong[0])
            return
        self._show_forecast(Text("Forecasting", palette(self.app).muted))
        values = self.values

        def work(client: Client) -> Forecast:
            return forecast_run(client, make_request("train", client.project, values))

        def show(text: Text) -> None:
            if self.values == values:  # nothing else was filled in meanwhile
                self._show_forecast(text)

        self.bswirl.ask_owner(
            self,
            "forecast",
            work,
            lambda forecast: show(self._forecast_text(forecast)),
            failed=lambda error: show(line(str(error), palette(self.app).bad, limit=600)),
            lane="slow",
        )

    def _forecast_text(self, forecast: Forecast) -> Text:
        words = [line(words, limit=600) for words in forecast_lines(forecast)]
        if forecast.refusal:
            refusal = f"would not start: {forecast.refusal}"
            words.append(line(refusal, palette(self.app).warn, limit=600))
        return Text("\n").join(words)

    def action_form_start(self) -> None:
        if self._starting:
            return
        wrong = self._check()
        if wrong:
            self._go_to(wrong[0])
            return
        self._starting = True
        self.bswirl.say(Text(f"Starting the {self.kind} run"), seconds=600)
        kind, values = self.kind, self.values

        def work(client: Client) -> Run:
            return start_run(
                client, client.project, make_request(kind, client.project, values), say=self._say
            )

        self.bswirl.ask_owner(self, "start", work, self._started, failed=self._failed, lane="slow")

    def _say(self, words: str) -> None:
        """Tells what takes long; called in the thread that starts the run."""
        self.app.call_later(self.bswirl.say, line(words), seconds=600)

    def _started(self, run: Run) -> None:
        self.app.switch_screen(RunView(self.state, run))

    def _failed(self, error: BswirlError) -> None:
        self._starting = False
        self.query_one(KeyBar).clear()
        field = next((field for field in self.fields if field.option.flag in error.message.split()), None)
        if field is not None:
            field.show_problem(str(error))
            self._go_to(field)
            return
        title = "Nothing to do" if error.exit_code == ExitCode.DONE else "The run was not started"
        self.app.push_screen(Problem(error, title))

    def _go_to(self, field: OptionField) -> None:
        if not field.display:
            self._advanced = True
            self._show_advanced()
        field.editor.focus()
        self._show_help()


def counts_words(counts: SelectionCounts) -> str:
    """What a selection leaves, in short."""
    groups = f"{counts.live_groups} of {count(counts.groups, 'group')} live"
    own = f"{counts.own_samples} steps of {count(counts.trajectories, 'solution')}"
    return f"{count(counts.questions, 'question')}, {groups}, {own}"


def known_names(client: Client) -> dict[str, list[str]]:
    """Names that the project knows, by the option that takes them; `used`: policies of runs, newest first."""
    from bswirl.judging.catalogue import judge_names
    from bswirl.policies.catalogue import policy_names

    runs = client.runs(limit=200)
    used = [str(run.config.get("settings", {}).get("policy") or "") for run in runs]
    made = [(run, name) for run, name in zip(runs, used, strict=True) if run.kind == "train" and name]
    trained = [f"{name}@{run.run_id}" for run, name in made if run.status == "done"]
    best = [f"{name}@{run.run_id}/best" for run, name in made if RunFolder(Path(run.folder)).best.is_dir()]
    judges = [*judge_names(client.project), *(judge.name for judge in client.judges())]
    return {
        "policy": [*trained, *best, *policy_names(client.project)],
        "dataset": sorted({str(entry["dataset"]) for entry in client.datasets()}),
        "judge": list(dict.fromkeys(judges)),
        "used": list(dict.fromkeys(name for name in used if name)),
    }
