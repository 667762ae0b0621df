"""What can be done about a run, from the list of runs and from its own screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bswirl.display import money
from bswirl.errors import BswirlError, UsageError
from bswirl.launch import command_again, cost_limit, in_project, options_again, stopped_at_limit
from bswirl.records import Run
from bswirl_tui.clipboard import copy
from bswirl_tui.runs_text import is_live
from bswirl_tui.screens.base import CurvesEntry, SubScreen
from bswirl_tui.screens.dialogs import Ask, Confirm, Problem
from bswirl_tui.text import line
from bswirl_tui.trusting import Trust, TrustWantedError

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

    # cancelling

    def action_run_cancel(self) -> None:
        run = self.run_here
        if run is None:
            return
        if not is_live(run):
            self._tell(f"Run {run.run_id} is {run.status} already.")
            return
        if self.state.is_stopping(run):
            self._tell(f"Run {run.run_id} is stopping: it ends at its next safe point.")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._cancel(run)

        words = f"Stop {run.kind} run {run.run_id}? What it did so far is kept, and it can be resumed."
        self.app.push_screen(Confirm("Cancel run", words), answered)

    def _cancel(self, run: Run) -> None:
        """Tells the run to end; until it has, it is shown as stopping."""
        attempt = (run.run_id, run.attempt)

        def work(client: Client) -> Run:
            from bswirl.launch import cancel_run

            return cancel_run(client, client.project, run.run_id)

        def failed(error: BswirlError) -> None:
            self.state.stopping.discard(attempt)
            self.bswirl.show_problem(error)

        self.state.stopping.add(attempt)
        self._control(work, run, f"Run {run.run_id} ends at its next safe point.", failed)

    # resuming

    def action_run_resume(self) -> None:
        run = self.run_here
        if run is None:
            return
        if is_live(run) or run.status == "done":
            self._tell(f"Run {run.run_id} is {run.status}; only one that ended early can be resumed.")
        elif stopped_at_limit(run):
            self._ask_limit(run)
        else:
            self._resume(run, None, Trust())

    def _ask_limit(self, run: Run, problem: str = "") -> None:
        """Asks what a run that stopped at its cost limit may cost from now on."""
        limit = cost_limit(run) or 0.0
        words = (
            f"Run {run.run_id} stopped at its limit of {money(limit)}. How many dollars may it cost from now "
            "on, over all its attempts?"
        )
        if problem:
            words += f"\n{problem}"

        def answered(answer: str | None) -> None:
            if answer is None:
                return
            amount = _dollars(answer)
            if amount is None or amount <= limit:
                self._ask_limit(run, f"{answer or 'Nothing'} is no amount above {limit:g}.")
            else:
                self._resume(run, amount, Trust())

        self.app.push_screen(Ask("Resume run", words, value=f"{2 * limit:g}"), answered)

    def _resume(self, run: Run, max_cost: float | None, trust: Trust) -> None:
        def work(client: Client) -> Run:
            from bswirl.launch import resume_run

            return resume_run(client, client.project, run.run_id, max_cost=max_cost, ask_trust=trust)

        def failed(error: BswirlError) -> None:
            if isinstance(error, TrustWantedError):
                trust.ask(self.app, error, lambda: self._resume(run, max_cost, trust))
            else:
                self.bswirl.show_problem(error)

        self.state.stopping.discard((run.run_id, run.attempt))  # it has ended
        self._control(work, run, f"Run {run.run_id} goes on.", failed)

    # another like it

    def action_run_clone(self) -> None:
        run = self.run_here
        if run is None:
            return
        try:
            values = options_again(run)
        except UsageError as error:
            self.app.push_screen(Problem(error, "Nothing to clone"))
            return
        from bswirl_tui.screens.run_form import RunForm

        self.app.push_screen(RunForm(self.state, run.kind, values))

    def action_run_copy(self) -> None:
        run = self.run_here
        if run is None:
            return
        try:
            words = command_again(run)
        except UsageError as error:
            self.app.push_screen(Problem(error, "No command line"))
        else:
            copy(self.bswirl, in_project(words, self.bswirl.project.root), "The command line")

    def _control(
        self,
        work: Callable[[Client], Run],
        run: Run,
        words: str,
        failed: Callable[[BswirlError], None] | None = None,
    ) -> None:
        def done(changed: Run) -> None:
            self._tell(words)
            self.run_changed(changed)

        self.bswirl.ask_owner(
            self,
            f"control {run.run_id}",
            work,
            done,
            failed=failed or self.bswirl.show_problem,
            lane="slow",
        )

    def _tell(self, words: str) -> None:
        self.bswirl.say(line(words))


def _dollars(text: str) -> float | None:
    """An amount as people type it; None where it is none."""
    try:
        return float(text.strip().removeprefix("$").replace(",", ""))
    except ValueError:
        return None
