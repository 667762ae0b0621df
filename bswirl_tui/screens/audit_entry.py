"""The ways from a screen into the audit: the queue, its report, the conflicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bswirl_tui import actions
from bswirl_tui.screens.base import ProjectScreen
from bswirl_tui.text import line

if TYPE_CHECKING:
    from bswirl.audit.records import AuditPosition
    from bswirl.client import Client
    from bswirl.settings.audit import AuditSettings
    from bswirl_tui.votes_cast import QueueOptions

Found = tuple["AuditSettings", "AuditPosition", list[dict[str, Any]]]


class AuditEntry(ProjectScreen):
    """The part of a screen that leads into the audit."""

    def action_audit_open(self) -> None:
        """Goes on with this app's sitting, or with the one before; where there is none, asks how to begin."""
        if self.bswirl.sitting is not None:
            self._show_queue()
        else:
            self._read_setup(self._go_on)

    def choose_order(self) -> None:
        """Asks for the order, then begins or goes on in it."""
        self._read_setup(self._ask_order)

    def _read_setup(self, done: Callable[[Found], None]) -> None:
        def work(client: Client) -> Found:
            from bswirl.project import load_settings

            return load_settings(client.project).audit, client.audit_position(), client.datasets()

        failed = self.bswirl.show_problem
        self.bswirl.ask_owner(self, "audit setup", work, done, failed=failed, lane="audit", opens=True)

    def _go_on(self, found: Found) -> None:
        """Straight on at the step that an earlier start of the app left."""
        from bswirl_tui.audit_text import ORDERS
        from bswirl_tui.reopening import options_kept
        from bswirl_tui.screens.audit import new_sitting
        from bswirl_tui.votes_cast import QueueOptions

        if self.bswirl.sitting is not None:  # asked for twice
            self._show_queue()
            return
        settings, position, _ = found
        if position.item is None or position.order not in ORDERS:
            self._ask_order(found)
            return
        options = options_kept(self.bswirl.reattaching.audit_options, position.order, settings)
        options = options or QueueOptions.usual(settings, position.order)
        self.bswirl.sitting = new_sitting(self.bswirl, options, position)
        self._show_queue()
        key = actions.spec("audit.order").key_display
        self.bswirl.say(line(f"You go on where you were; {key} opens the set-up."))

    def _ask_order(self, found: Found) -> None:
        from bswirl_tui.screens.audit import new_sitting
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
                self.bswirl.sitting = new_sitting(self.bswirl, options, position)
            self._show_queue()

        before = sitting.options if sitting is not None else None
        self.app.push_screen(AuditSetup(position, settings, names, before), chosen)

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
