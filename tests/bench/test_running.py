"""The parent's side of a variant's process, with scripts in the place of real variants."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bswirl.bench.running import Worker


@contextmanager
def worker(script: str, folder: Path) -> Iterator[Worker]:
    """A worker whose process runs `script`."""
    log = folder / "log"
    with (
        log.open("w") as words,
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
        ) as process,
    ):
        yield Worker("d", process, log)


class TestWorker:
    def test_keeps_its_messages(self, tmp_path: Path) -> None:
        """What it says when it is ready and after each step is kept, in order."""
        script = """if True:
            print('{"event": "ready", "model": 1}', flush=True)
            for number in (1, 2):
                assert input() == "step"
                print('{"event": "step", "seconds": %d}' % number, flush=True)
            assert input() == "exact"
            print('{"event": "exact", "kl": 0.5}', flush=True)
        """
        with worker(script, tmp_path) as running:
            running.wait_ready()
            running.step()
            running.step()
            running.exactness()
        outcome = running.outcome
        assert (outcome.facts, outcome.exact, outcome.error) == ({"model": 1}, {"kl": 0.5}, None)
        assert outcome.steps == [{"seconds": 1}, {"seconds": 2}]

    def test_an_error_ends_it(self, tmp_path: Path) -> None:
        """After an error it is asked nothing more, and its words are kept."""
        script = """print('{"event": "error", "message": "no memory left"}', flush=True)"""
        with worker(script, tmp_path) as running:
            running.wait_ready()
            running.step()
        assert not running.is_alive
        assert (running.outcome.error, running.outcome.steps) == ("no memory left", [])

    def test_a_crash_is_explained(self, tmp_path: Path) -> None:
        """Where it ends without a message, the last line of its log says why."""
        with worker('print(\'{"event": "ready"}\', flush=True); input(); 1 / 0', tmp_path) as running:
            running.wait_ready()
            running.step()
        assert running.outcome.error == "ended with code 1: ZeroDivisionError: division by zero"
