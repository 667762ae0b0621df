"""Generating and judging runs in batches, against a real server with a batch API."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bswirl.generation import work as generating
from bswirl.judging import work as judging
from bswirl.runs.context import RunContext
from bswirl.serving import batching
from bswirl.serving.calls import ServedModel
from tests.generation.chat import make_run, rows_of, solve, spec_for
from tests.judging import served_run
from tests.serving.batch_server import BatchServer, Line
from tests.serving.server import Request
from tests.serving.test_batching import HASTY


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "DEFAULT_PACE", HASTY)


def by(reply: Callable[[Request], Line | list[str]]) -> Callable[[Line, int], Line | list[str]]:
    """The batch server's answer from a chat server's."""

    def answer(body: Line, _: int) -> Line | list[str]:
        said = reply(Request(0, "POST", "", {}, json.dumps(body).encode(), 0.0))
        return {"response": {"status_code": 200, "body": said}} if isinstance(said, dict) else said

    return answer


def test_generating_is_two_jobs(tmp_path: Path) -> None:
    """All solutions, then all states of all of them."""
    with BatchServer(by(solve)) as server:
        folder = make_run(tmp_path / "1", spec_for(server), batch=True)
        with RunContext(folder) as context:
            summary = generating.run(context)
        assert (summary["trajectories"], summary["samples"], summary["failed"]) == (16, 16 * 3 * 4, 0)
        sizes = [len(server.batches.files[f"file-{job}-output"].splitlines()) for job in server.batches.jobs]
        assert sizes == [16, 48]
        assert not server.requests
    assert len(rows_of(folder)) == 16 + 48


def test_votes_come_in_rounds(tmp_path: Path) -> None:
    """Two votes on each step, then a third where they differ."""
    trees = [served_run.tree(number) for number in range(1, 9)]
    with BatchServer(by(_mixed)) as server:
        spec = served_run.judge_spec(server.url, votes=3, temperature=0.7)
        assert isinstance(spec.served, ServedModel)
        folder = served_run.run_folder(tmp_path / "7", trees, spec, batch=True)
        with served_run.opened(folder) as context:
            judging.run(context)
        first, second = (
            len(server.batches.files[f"file-{job}-output"].splitlines()) for job in server.batches.jobs
        )
        assert not server.requests
    rows = [row for row in served_run.rows(folder) if row["judge"] == "mine"]
    steps = served_run.intermediate(trees)
    assert Counter(row["action_id"] for row in rows) == Counter(steps)
    assert (first, second) == (2 * len(steps), sum(row["votes"]["asked"] == 3 for row in rows))
    assert 0 < second < len(steps)


def _mixed(request: Request) -> list[str]:
    seed = int(request.body["seed"])
    return [served_run.verdict(seed // 3 != 1 or len(request.prompt) % 2 == 0, True)]
