"""The ways from a screen into the audit: the queue, its report, the conflicts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bswirl.audit.records import AuditPosition
from bswirl_tui.screens.base import ProjectScreen
from bswirl_tui.sitting import QueueOptions, Sitting, ask_of

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.settings.audit import AuditSettings

clock = time.monotonic
Found = tuple["AuditSettings", AuditPosition, list[dict[str, Any]]]


class AuditEntry(ProjectScreen):
    """The part of a screen that leads into the audit."""

    def action_audit_open(self) -> None:
        """Goes on with this app's sitting; where there is none, asks how to begin one."""
        if self.bswirl.sitting is not None:
            self._show_queue()
        else:
            self.choose_order()

    def choose_order(self) -> None:
        """Asks for the order, then begins or goes on in it."""

        def work(client: Client) -> Found:
            from bswirl.project import load_settings

            return load_settings(client.project).audit, client.audit_position(), client.datasets()

        self.bswirl.ask_owner(
            self, "audit setup", work, self._ask_order, failed=self.bswirl.show_problem, lane="audit"
        )

    def _ask_order(self, found: Found) -> None:
        from bswirl_tui.screens.audit_setup import AuditSetup

        settings, position, datasets = found
        sitting = self.bswirl.sitting
        names = [str(entry["dataset"]) for entry in datasets]

        def chosen(options: QueueOptions | None) -> None:
            if options is None:
                return
            if sitting is not None:
                sitting.reorder(options)
            else:
                self.bswirl.sitting = self._new_sitting(options, position)
            self._show_queue()

        before = sitting.options if sitting is not None else None
        self.app.push_screen(AuditSetup(position, settings, names, before), chosen)

    def _new_sitting(self, options: QueueOptions, position: AuditPosition) -> Sitting:
        app = self.bswirl
        return Sitting(
            ask_of(app.ask_owner, app),
            options,
            position,
            changed=app.sitting_changed,
            failed=app.vote_failed,
            said=app.warn,
            now=clock,
        )

    def _show_queue(self) -> None:
        from bswirl_tui.screens.audit import AuditScreen

        sitting, back = self.bswirl.sitting, self.bswirl.way_back
        if sitting is None or isinstance(self.app.screen, AuditScreen):
            return
        if not back.return_to(back.leading_to(AuditScreen)):  # left for the tree
            self.app.push_screen(AuditScreen(self.state, sitting))

    def action_audit_report(self) -> None:
        from bswirl_tui.screens.audit_report import AuditReportScreen

        self.app.push_screen(AuditReportScreen(self.state))

    def action_audit_conflicts(self) -> None:
        from bswirl_tui.screens.conflicts import ConflictsScreen

        self.app.push_screen(ConflictsScreen(self.state))
