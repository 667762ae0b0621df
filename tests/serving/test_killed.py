"""A run that is killed again and again pays for nothing twice that it had written down."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.serving.engines import KEY, asking
from tests.serving.killed import IN_FLIGHT, model_at
from tests.serving.server import DROP, HALF, INVALID_JSON, Fault, FaultServer, Request, status

COUNT = 300
KILLS = 3
ROOT = Path(__file__).resolve().parents[2]


def run(url: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.serving.killed", url, str(folder), str(COUNT)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def written(folder: Path) -> set[str]:
    """The keys of the replies in the ledger, of whole lines alone."""
    lines = (folder / "calls.jsonl").read_bytes().split(b"\n")[:-1]
    rows = [json.loads(line) for line in lines]
    keys = [row["key"] for row in rows if "failed" not in row]
    assert len(set(keys)) == len(keys)
    return set(keys)


def test_what_was_written_is_not_asked_again(tmp_path: Path) -> None:
    dice = random.Random(4)
    bad = [status(429), status(500), status(503, headers={"retry-after": "0.05"}), DROP, HALF, INVALID_JSON]

    def faults(_: Request) -> Fault | None:
        return dice.choice(bad) if dice.random() < 0.1 else None

    with FaultServer(faults=faults, latency=0.03) as server:
        text_of = {asking(f"call {n}").key(model_at(server.url)): f"call {n}" for n in range(COUNT)}
        kept: set[str] = set()
        for attempt in range(KILLS + 1):
            time.sleep(0.1)  # what the killed process still sent has been read
            first, answered = len(server.requests), len(server.completed)
            process = run(server.url, tmp_path)
            if attempt < KILLS:
                goal = answered + dice.randrange(10, COUNT // (KILLS + 1))
                while len(server.completed) < goal and process.poll() is None:
                    time.sleep(0.002)
                process.send_signal(signal.SIGKILL)
            assert process.wait(60) == (0 if attempt == KILLS else -signal.SIGKILL)
            asked = {request.prompt for request in server.requests[first:]}
            assert not asked & {text_of[key] for key in kept}
            now = written(tmp_path)
            assert kept < now
            kept = now
        paid = server.paid()
    assert kept == set(text_of)
    assert len(paid) == COUNT
    assert sum(paid.values()) - COUNT <= KILLS * IN_FLIGHT
    assert KEY.encode() not in (tmp_path / "calls.jsonl").read_bytes()
