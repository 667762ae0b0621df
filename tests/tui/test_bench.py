"""`bench tui`: it measures the app that people use, and its figures add up."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from bswirl.client import connect, stop_owner
from bswirl.errors import BswirlError
from bswirl.project import Project
from bswirl_tui.bench import measure
from bswirl_tui.bench.measure import percentile
from bswirl_tui.bench.terminal import Terminal
from tests.cli.conftest import Call, call

__all__ = ["call"]  # a fixture


def test_measures_the_app(call: Call) -> None:
    """Starts, moves, memory and updates, with the workers' rows in the store."""
    said = call("bench", "tui", "--actions", 400, "--starts", 1, "--moves", 10, "--updates", 20, "--json")
    assert said.code == 0, said.err
    report = said.json
    ours, bare = report["ours"], report["peers"][0]
    assert 0 < ours["first_screen_seconds"] < ours["first_screen_starting_owner_seconds"]
    assert 20 < ours["resident_mib"] < 300
    assert 0 < ours["move_ms_median"] <= ours["move_ms_p99"] < 150
    assert 50 < ours["move_bytes_median"] < 20_000
    assert ours["rows_written"] > 1000
    for screen in ("curves", "compare", "audit"):
        assert 50 < ours[f"{screen}_bytes_median"] < 20_000  # dozens of verdicts a step here
    assert ours["updates"] == 20
    assert len(ours["resident_mib_by_updates"]) == 21
    assert bare["name"] == "bare Textual app"
    assert bare["move_bytes_median"] > 0


def test_made_project_is_what_it_says(tmp_path: Path) -> None:
    """Every question has live groups, a trajectory and the judge's verdicts."""
    project = measure._make_project(tmp_path / "made", 110)
    try:
        with connect(project) as client:
            stats = client.stats()
            tree = client.tree(1)
            address = client.questions(limit=1)[0][0].address
    finally:
        stop_owner(project)
    assert (stats["questions"], stats["actions"], stats["samples"], stats["judged"]) == (10, 110, 110, 110)
    assert (stats["live_groups"], stats["trajectories"]) == (20, 10)
    assert address == "made:q1"
    groups = tree.by_state()
    assert [len(groups[state.state_id]) for state in tree.states] == [5, 5, 1]
    assert all(action.reward in (0.0, 1.0) for action in tree.actions)


def test_percentile() -> None:
    assert percentile([float(value) for value in range(1, 101)], 0.99) == 99
    assert percentile([3.0], 0.99) == 3
    assert percentile([1.0, 2.0], 0.5) == 1


def test_a_program_that_ends_is_told() -> None:
    with Terminal([sys.executable, "-c", "print('bye')"]) as terminal, pytest.raises(BswirlError):
        terminal.wait_for(re.compile(b"hello"), patience=10)


def test_key_that_moves_nothing_is_told(tmp_path: Path) -> None:
    """Figures of no move are no figures."""
    project = Project.create(tmp_path / "empty")
    try:
        with Terminal([sys.executable, "-m", "bswirl.cli", "-p", str(project.root)]) as terminal:
            terminal.wait_for(re.compile(b"no questions"))
            with pytest.raises(BswirlError, match="only 0 were seen"):
                measure._moves(terminal, 4, measure.CURSOR)
    finally:
        stop_owner(project)
