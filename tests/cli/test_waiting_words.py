"""How far a run is, in words, with what its calls have cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bswirl.cli.waiting import how_far
from bswirl.records import Progress, Run


def running(**summary: Any) -> Run:
    progress = Progress(50, 200, "actions", 2.0)
    return Run(1, "uid", "judge", "judge", "running", {}, "", progress=progress, summary=summary)


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        ({}, "50/200 actions, 0:01:15 left"),
        ({"spending": {"calls": 40, "cost": 1.25}}, "50/200 actions, $1.25, 0:01:15 left"),
        ({"spending": {"calls": 40, "cost": 0.0}}, "50/200 actions, 0:01:15 left"),
    ],
)
def test_how_far(summary: dict[str, Any], words: str) -> None:
    assert how_far(running(**summary)) == words


def test_what_a_queued_run_waits_for() -> None:
    """Whatever it did in an earlier attempt."""
    waiting = replace(running(waiting="cuda:0 is in use by run 3"), status="queued")
    assert how_far(waiting) == "cuda:0 is in use by run 3"
    assert how_far(replace(waiting, status="running")).startswith("50/200")
