"""One worker that writes verdicts at a steady rate: `python -m bswirl_tui.bench.writer FOLDER ACTIONS RATE`.

It holds the run's lock as a worker does, appends durably ten times a second, and ends when its stdin does.
"""

from __future__ import annotations

import os
import random
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bswirl.runs.folder import RunFolder, now
from bswirl.runs.journal import JournalWriter
from bswirl.runs.locks import FileLock, this_process

BATCHES = 10  # a second


def write(folder: RunFolder, actions: int, rate: int) -> None:
    """Appends `rate` rows a second until stdin is closed."""
    lock = FileLock(folder.lock_file)
    if not lock.acquire(this_process()):
        raise SystemExit(f"{folder.path} is being worked on")
    journal = JournalWriter(folder.journal_file)
    start = {"t": "start", "attempt": 1, "pid": os.getpid(), "host": "bench", "at": now(), "code_version": ""}
    journal.append([start])
    rows = _verdicts(actions)
    due = time.monotonic()
    written = 0
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        written += journal.append([next(rows) for _ in range(rate // BATCHES)]) > 0
        due += 1 / BATCHES
    journal.append([{"t": "end", "status": "done", "error": None, "exit_code": 0, "summary": {}}])
    journal.close()
    lock.release()
    sys.stdout.write(f"{written * (rate // BATCHES)}\n")


def _verdicts(actions: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(7)
    while True:
        good = chance.random() < 0.5
        yield {
            "t": "verdict",
            "action_id": chance.randint(1, actions),
            "judge": "bench",
            "model": "made",
            "status": "judged",
            "correct": good,
            "progress": True,
            "reward": float(good),
            "rationale": "written by a benchmark",
        }


if __name__ == "__main__":
    write(RunFolder(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]))
