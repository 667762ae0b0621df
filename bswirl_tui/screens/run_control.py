"""Cancelling and resuming a run, from the list of runs and from its own screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bswirl.records import Run
from bswirl_tui.runs_text import is_live
from bswirl_tui.screens.base import CurvesEntry, SubScreen
from bswirl_tui.screens.dialogs import Confirm
from bswirl_tui.text import line

if TYPE_CHECKING:
    from bswirl.client import Client


class RunControl(SubScreen, CurvesEntry):
    """A screen with a run to act on."""

    @property
    def run_here(self) -> Run | None:
        """The run that keys act on."""
        raise NotImplementedError

    def run_changed(self, run: Run) -> None:
        """Shows how the run stands now."""
        raise NotImplementedError

    def training_run_here(self) -> int | None:
        run = self.run_here
        return run.run_id if run is not None and run.kind == "train" else None

    def action_run_cancel(self) -> None:
        run = self.run_here
        if run is None:
            return
        if not is_live(run):
            self._tell(f"Run {run.run_id} is {run.status} already.")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._control(_cancel, run, f"Run {run.run_id} ends at its next safe point.")

        words = f"Stop {run.kind} run {run.run_id}? What it did so far is kept, and it can be resumed."
        self.app.push_screen(Confirm("Cancel run", words), answered)

    def action_run_resume(self) -> None:
        run = self.run_here
        if run is None:
            return
        if is_live(run) or run.status == "done":
            self._tell(f"Run {run.run_id} is {run.status}; only one that ended early can be resumed.")
            return
        self._control(_resume, run, f"Run {run.run_id} goes on.")

    def _control(self, work: Callable[[Client, int], Run], run: Run, words: str) -> None:
        def done(changed: Run) -> None:
            self._tell(words)
            self.run_changed(changed)

        self.bswirl.ask_owner(
            self,
            f"control {run.run_id}",
            lambda client: work(client, run.run_id),
            done,
            failed=self.bswirl.show_problem,
            lane="slow",
        )

    def _tell(self, words: str) -> None:
        self.bswirl.say(line(words))


def _cancel(client: Client, run_id: int) -> Run:
    from bswirl.launch import cancel_run

    return cancel_run(client, client.project, run_id)


def _resume(client: Client, run_id: int) -> Run:
    from bswirl.launch import resume_run

    return resume_run(client, client.project, run_id)
