"""What can be done about rounds of sampling, from the list of runs and from their own screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bswirl.errors import BswirlError, UsageError
from bswirl.launch import RoundsWork, cancel_rounds, continue_rounds, form_command, in_project, values_of
from bswirl_tui.clipboard import copy
from bswirl_tui.screens.base import SubScreen
from bswirl_tui.screens.dialogs import Confirm
from bswirl_tui.text import line
from bswirl_tui.trusting import Trust, TrustWantedError

if TYPE_CHECKING:
    from bswirl.client import Client


class RoundsControl(SubScreen):
    """A screen with rounds to act on."""

    def work_changed(self) -> None:
        """Reads anew how the rounds stand."""
        raise NotImplementedError

    def cancel_work(self, work: RoundsWork) -> None:
        if work.status == "done":
            self.bswirl.say(line("These rounds are done already."))
            return

        def act(client: Client) -> None:
            cancel_rounds(client, client.project, work)

        def answered(yes: bool | None) -> None:
            if yes:
                self._control_work(act, "The rounds end at the next safe point.", self.bswirl.show_problem)

        words = "Stop the rounds, with the run of them that is under way? They can be gone on with."
        self.app.push_screen(Confirm("Cancel rounds", words), answered)

    def resume_work(self, work: RoundsWork, trust: Trust | None = None) -> None:
        if work.status in ("running", "done"):
            words = f"These rounds are {work.status}; only what ended early can be gone on with."
            self.bswirl.say(line(words))
            return
        asking = trust or Trust()

        def act(client: Client) -> None:
            continue_rounds(client, client.project, work, ask_trust=asking)

        def failed(error: BswirlError) -> None:
            if isinstance(error, TrustWantedError):
                asking.ask(self.app, error, lambda: self.resume_work(work, asking))
            else:
                self.bswirl.show_problem(error)

        self._control_work(act, "The rounds go on.", failed)

    def clone_work(self, work: RoundsWork) -> None:
        from bswirl_tui.screens.run_form import RunForm

        self.app.push_screen(RunForm(self.state, "generate", values_of(work)))

    def copy_work(self, work: RoundsWork) -> None:
        try:
            words = form_command("generate", values_of(work))
        except UsageError as error:  # its record was written by hand, or by another version
            self.bswirl.show_problem(error)
        else:
            copy(self.bswirl, in_project(words, self.bswirl.project.root), "The command line")

    def _control_work(
        self, act: Callable[[Client], None], words: str, failed: Callable[[BswirlError], None]
    ) -> None:
        def done(_: None) -> None:
            self.bswirl.say(line(words))
            self.work_changed()

        self.bswirl.ask_owner(self, "control rounds", act, done, failed=failed, lane="slow")
