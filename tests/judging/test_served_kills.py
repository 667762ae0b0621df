"""A judging run that is killed again and again, against a server with faults.

Ten kills over 2,000 calls: BSWIRL_TEST_KILLS=10 BSWIRL_TEST_CALLS=2000 pytest FILE
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from bswirl.runs.folder import RunFolder
from tests.judging.served_run import by_content, intermediate, judge_spec, rows, run_folder, tree
from tests.serving.server import DROP, HALF, Fault, FaultServer, Request, status

KILLS = int(os.environ.get("BSWIRL_TEST_KILLS", "2"))
CALLS = int(os.environ.get("BSWIRL_TEST_CALLS", "160"))
IN_FLIGHT = 16
STEPS_A_TREE = 5  # three of the backbone, two branches beside the first
FAULTS = (DROP, HALF, status(500), status(503), status(429, headers={"retry-after": "0.05"}))


def faults(request: Request) -> Fault | None:
    """One request in ten goes wrong."""
    draw = random.Random(request.index)
    return draw.choice(FAULTS) if draw.random() < 0.1 else None


def start(folder: RunFolder) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bswirl.worker", str(folder.path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.DEVNULL,
    )


def ledger(folder: RunFolder) -> list[dict[str, object]]:
    """The replies on record."""
    found = map(json.loads, (folder.path / "calls.jsonl").read_text().splitlines())
    return [row for row in found if "failed" not in row]


def test_killed_and_resumed(tmp_path: Path) -> None:
    """Every action has one outcome, the server's verdict, and what is on record was paid once."""
    trees = [tree(number, branches=["Step 1: a", "Step 1: b"]) for number in range(CALLS // STEPS_A_TREE)]
    steps = intermediate(trees)
    draw = random.Random(os.environ.get("BSWIRL_TEST_SEED", "1"))
    with FaultServer(by_content, faults, latency=0.1) as server:
        folder = run_folder(tmp_path / "7", trees, judge_spec(server.url, in_flight=IN_FLIGHT))
        for answered in sorted(draw.sample(range(len(steps) - IN_FLIGHT), KILLS)):
            worker = start(folder)
            while len(server.completed) <= answered:
                assert worker.poll() is None
                time.sleep(0.002)
            time.sleep(draw.random() * 0.1)
            worker.kill()
            worker.wait()
        worker = start(folder)
        assert worker.wait(60 + CALLS) == 0

    said = Counter(row["action_id"] for row in rows(folder))
    assert said == Counter(action_id for one in trees for action_id in one.selected)
    by_judge = {row["action_id"]: row for row in rows(folder) if row["judge"] == "mine"}
    assert sorted(by_judge) == sorted(steps)
    assert all(row["status"] == "judged" for row in by_judge.values())

    recorded = ledger(folder)
    assert len({row["key"] for row in recorded}) == len(recorded) == len(steps)
    assert len(server.paid()) == len(steps)
    twice = len(server.completed) - len(recorded)
    assert 0 <= twice <= KILLS * IN_FLIGHT
    assert max(server.paid().values()) <= 1 + KILLS

    summary = rows(folder, "end")[-1]["summary"]
    spent = rows(folder, "spending")[-1]
    assert summary["calls"] == spent["calls"] == len(steps)
    assert abs(summary["cost"] - spent["cost"]) < 1e-9
