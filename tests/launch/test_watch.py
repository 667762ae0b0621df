"""Reading the log of a run that is under way."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bswirl.launch import tail_log
from bswirl.records import Run
from bswirl.runs.locks import FileLock, this_process


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(1, "u", "judge", "reference", "done", {}, str(tmp_path))


class TestTail:
    def test_the_last_lines(self, run: Run, tmp_path: Path) -> None:
        """As many as asked for, over block borders, without line ends."""
        (tmp_path / "log").write_text("".join(f"line {n} {'x' * 900}\n" for n in range(500)))
        assert [line.split()[1] for line in tail_log(run, 3)] == ["497", "498", "499"]
        assert len(list(tail_log(run, 400))) == 400
        assert len(list(tail_log(run, 10_000))) == 500

    def test_no_log(self, run: Run) -> None:
        """A run that never began has none, and nobody waits for it."""
        assert list(tail_log(run)) == []
        assert list(tail_log(run, follow=True)) == []

    def test_bytes_that_are_no_text(self, run: Run, tmp_path: Path) -> None:
        """Broken UTF-8 is shown as such."""
        (tmp_path / "log").write_bytes(b"a\xff\nb\n")
        assert list(tail_log(run)) == ["a\ufffd", "b"]

    def test_following_ends_with_the_worker(self, run: Run, tmp_path: Path) -> None:
        """Lines come as they are written, a line in two parts once; the rest comes when the lock is free."""
        log = tmp_path / "log"
        log.write_text("old\nhalf")
        lock = FileLock(tmp_path / "lock")
        lock.acquire(this_process())

        def write() -> None:
            with log.open("a") as file:
                for part in (" a line\n", "another\n", "torn"):
                    time.sleep(0.1)
                    file.write(part)
                    file.flush()
            lock.release()

        threading.Thread(target=write).start()
        assert list(tail_log(run, follow=True)) == ["old", "half a line", "another", "torn"]
