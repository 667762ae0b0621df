"""What is new in the curves of runs since the last look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bswirl.records import Run
from bswirl_tui.charts.series import still_there

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.client.client import ThinnedMetrics

FIRST_POINTS = 2000  # of a curve, where more are there already
Fresh = list[tuple[Run, "ThinnedMetrics", bool]]  # a run, its new points, whether they are all there are


@dataclass(frozen=True, slots=True)
class Known:
    """What was read of a run: in which attempt, up to which step, and the values there."""

    attempt: int
    newest: int
    latest: Mapping[str, float]


def read_new(client: Client, wanted: Sequence[int], known: Mapping[int, Known]) -> Fresh:
    """The points of these runs that came since; all of a run that is new here or began anew."""
    fresh: Fresh = []
    for run_id in wanted:
        run, before = client.run(run_id), known.get(run_id)
        if before is not None and before.newest >= 0 and before.attempt == run.attempt:
            # from the newest step on, which may have got more metrics since
            metrics = client.thinned_metrics(run_id, FIRST_POINTS, after=before.newest - 1)
            if still_there(before.latest, before.newest, metrics):
                fresh.append((run, metrics, False))
                continue
        fresh.append((run, client.thinned_metrics(run_id, FIRST_POINTS), True))
    return fresh
