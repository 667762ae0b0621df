"""A project with everything that has lists: training runs, two evaluations, labels, conflicts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bswirl.client import connect
from bswirl.project import Project
from tests.tui import content, evaluated
from tests.tui.trained import trained


def rich_project(folder: Path, *, training_runs: int) -> Iterator[Project]:
    """With an owner, as long as it is used."""
    project = Project.create(folder / "pens")
    with connect(project, auditor="alice") as alice, connect(project, auditor="bob") as bob:
        content.fill(alice)
        trained(alice, folder / "train", 1)
        evaluated.evaluation(alice, folder / "a", "demo", evaluated.BEFORE, number=1)
        evaluated.evaluation(alice, folder / "b", "demo@7", evaluated.AFTER, number=2)
        for number in range(2, training_runs + 1):
            trained(alice, folder / f"train{number}", number)
        content.audit_all(bob)
        for action in (2, 3, 5):
            alice.set_label(action, "1")
            bob.set_label(action, "0")
        yield project
        alice.stop_owner()
