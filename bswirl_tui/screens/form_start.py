"""Starting the run of a form: what has to be asked first, and what may go wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from bswirl.errors import BswirlError, ExitCode
from bswirl.launch import make_request, split_rule, start_rounds, start_run
from bswirl.records import Run
from bswirl_tui.screens.dialogs import Problem
from bswirl_tui.screens.form_base import FormBase
from bswirl_tui.screens.run_view import RunView
from bswirl_tui.screens.runs import RunsScreen
from bswirl_tui.state import AppState
from bswirl_tui.text import line
from bswirl_tui.trusting import Trust, TrustWantedError
from bswirl_tui.widgets.bars import KeyBar
from bswirl_tui.widgets.fields import OptionField

if TYPE_CHECKING:
    from bswirl.client import Client


class FormStart(FormBase):
    """The part of the form that starts runs, one at a time."""

    def __init__(self, state: AppState, kind: str, fields: list[OptionField]) -> None:
        super().__init__(state, kind, fields)
        self._starting = False

    def action_form_start(self) -> None:
        if self._starting or self.go_to_wrong():
            return
        self._starting = True
        self._start(self.values, Trust())

    def _start(self, values: dict[str, Any], trust: Trust) -> None:
        self.bswirl.say(Text(f"Starting the {self.kind} run"), seconds=600)
        kind, say = self.kind, self._say

        def work(client: Client) -> Run | Path:
            options, rule = split_rule(values)
            if rule:
                return start_rounds(client, client.project, values, ask_trust=trust)
            request = make_request(kind, client.project, options)
            return start_run(client, client.project, request, say=say, ask_trust=trust)

        def failed(error: BswirlError) -> None:
            if isinstance(error, TrustWantedError) and not self._was_left:
                trust.ask(self.app, error, lambda: self._start(values, trust))
            else:
                self._failed(error)

        key = f"start {id(self)}"
        self.bswirl.ask_owner(self.app, key, work, self._started, failed=failed, lane="slow")

    @property
    def _was_left(self) -> bool:
        """Whether the form was closed while it was starting the run."""
        return self not in self.app.screen_stack

    def _say(self, words: str) -> None:
        """Tells what takes long; called in the thread that starts the run."""
        told: Callable[..., None] = self.bswirl.say
        self.app.call_later(told, line(words), seconds=600)

    def _started(self, made: Run | Path) -> None:
        if self._was_left:
            self.bswirl.say(Text(f"The {self.kind} run was started."))
            return
        if isinstance(made, Run):
            self.app.switch_screen(RunView(self.state, made))
            return
        words = "Rounds go on by themselves, also when this terminal is closed."
        self.app.switch_screen(RunsScreen(self.state))
        self.app.call_later(self.bswirl.say, line(words), seconds=20)

    def _failed(self, error: BswirlError) -> None:
        if self._was_left:
            self.bswirl.warn(f"The {self.kind} run was not started.")
            self.bswirl.tell_problem(BswirlError(f"the {self.kind} run: {error.message}", error.remedy))
            return
        self._starting = False
        self.query_one(KeyBar).clear()
        if self.blame(error):
            return
        title = "Nothing to do" if error.exit_code == ExitCode.DONE else "The run was not started"
        self.app.push_screen(Problem(error, title))
