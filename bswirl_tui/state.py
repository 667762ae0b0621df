"""What every screen's status line shows: where one is and how the project stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bswirl.records import LIVE_STATUSES, Run

if TYPE_CHECKING:
    from bswirl_tui.charts.view import View


@dataclass(slots=True)
class AppState:
    """Kept up to date by the app."""

    project_name: str
    auditor: str = ""
    problem: str = ""  # why the owner cannot be reached
    waiting_problems: int = 0  # failures that nobody has read
    stats: dict[str, Any] = field(default_factory=dict)
    live_runs: Sequence[Run] = ()
    stopping: set[tuple[int, int]] = field(
        default_factory=set
    )  # runs that were cancelled here, with attempts
    curves: View | None = None  # how curves were looked at last

    def is_stopping(self, run: Run) -> bool:
        """Whether the run was cancelled here and has not ended yet."""
        return run.status in LIVE_STATUSES and (run.run_id, run.attempt) in self.stopping
