"""The ways from a screen into runs: start one, see them all."""

from __future__ import annotations

from bswirl_tui.screens.base import CurvesEntry
from bswirl_tui.screens.dialogs import Choice, Choose

KINDS = [  # j and k move, as in every list
    Choice("generate", "generate", "let a policy write steps and alternatives to them", key="g"),
    Choice("judge", "judge", "rate the steps that have no verdict yet", key="u"),
    Choice("train", "train", "train a policy on the effective rewards", key="t"),
    Choice("evaluate", "evaluate", "measure a policy's accuracy", key="e"),
]


class RunsEntry(CurvesEntry):
    """The part of a screen that leads into runs."""

    def action_run_new(self) -> None:
        def chosen(kind: str | None) -> None:
            if kind is not None:
                from bswirl_tui.screens.run_form import RunForm

                self.app.push_screen(RunForm(self.state, kind))

        self.app.push_screen(Choose("New run", KINDS), chosen)

    def action_runs_show(self) -> None:
        from bswirl_tui.screens.runs import RunsScreen

        self.app.push_screen(RunsScreen(self.state))

    def action_evaluations_show(self) -> None:
        from bswirl_tui.screens.evaluations import EvaluationsScreen

        self.app.push_screen(EvaluationsScreen(self.state))
