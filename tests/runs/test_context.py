"""What a worker's work sees: journal, progress, the wish to stop, devices."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bswirl.errors import CancelledError, InputError
from bswirl.runs import context as context_module
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from bswirl.runs.locks import FileLock, device_lock_file, lock_holder, this_process
from bswirl.runs.progress import ProgressMeter


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    (tmp_path / "runtime").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    return RunFolder.create(
        tmp_path / "project" / "runs" / "7",
        kind="judge",
        name="reference",
        run_uid="u",
        rows=[{"n": 1}],
        settings={"judge": "reference"},
        run_id=7,
    )


@pytest.fixture
def context(folder: RunFolder) -> Iterator[RunContext]:
    with RunContext(folder, 2) as opened:
        yield opened


class TestWriting:
    def test_rows_of_earlier_attempts_can_be_read_and_gone_on_from(
        self, folder: RunFolder, context: RunContext
    ) -> None:
        """Work skips what an earlier attempt has done."""
        context.emit({"t": "verdict", "action_id": 1}, {"t": "verdict", "action_id": 2})
        context.emit()
        context.close()
        with RunContext(folder, 3) as later:
            later.emit({"t": "verdict", "action_id": 3})
            assert [row["action_id"] for row in later.journal_rows()] == [1, 2, 3]
        assert (context.run_id, context.settings, context.attempt) == (7, {"judge": "reference"}, 2)

    def test_threads_do_not_mix_lines(self, context: RunContext) -> None:
        """Several threads may write at once."""
        threads = [
            threading.Thread(
                target=lambda n=n: [context.emit({"n": n, "i": i, "x": "x" * 999}) for i in range(50)]
            )
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = [(row["n"], row["i"]) for row in context.journal_rows()]
        assert sorted(seen) == [(n, i) for n in range(4) for i in range(50)]

    def test_a_warning_is_logged_and_journalled(self, folder: RunFolder, context: RunContext) -> None:
        """Warnings show beside the run; escapes of hostile text do not reach a terminal."""
        context.warn("odd \x1b[31mtext")
        assert list(context.journal_rows()) == [{"t": "warning", "text": "odd \x1b[31mtext"}]
        log = folder.log_file.read_text()
        assert "warning: odd ␛[31mtext\n" in log
        assert log.count("\n") == 1

    def test_a_folder_without_config_is_refused(self, tmp_path: Path) -> None:
        """Nothing is made in a folder that is no run."""
        with pytest.raises(InputError):
            RunContext(RunFolder(tmp_path))
        assert list(tmp_path.iterdir()) == []


class TestProgress:
    def test_it_is_written_twice_a_second_and_at_the_end(self) -> None:
        """A thousand updates in five seconds make about ten rows; the last is always there."""
        rows: list[dict] = []
        at = [100.0]
        meter = ProgressMeter(rows.append, clock=lambda: at[0])
        for done in range(1, 1001):
            meter.update(done, 1000, "actions")
            at[0] += 0.005
        assert rows[0]["done"] == 1
        assert rows[-1]["done"] == 1000
        assert len(rows) == 11

    def test_the_rate_is_this_attempt_s(self) -> None:
        """What earlier attempts did does not speed this one up."""
        rows: list[dict] = []
        at = [0.0]
        meter = ProgressMeter(rows.append, clock=lambda: at[0])
        meter.update(500, 1000, "actions")
        at[0] = 10.0
        meter.update(520, 1000, "actions")
        assert [row["rate"] for row in rows] == [0.0, 2.0]
        assert rows[1] == {"t": "progress", "done": 520, "total": 1000, "unit": "actions", "rate": 2.0}

    def test_the_same_standing_is_written_once(self) -> None:
        """Repeating the end adds no row."""
        rows: list[dict] = []
        meter = ProgressMeter(rows.append)
        for _ in range(3):
            meter.update(5, 5)
        assert len(rows) == 1


class TestStopping:
    def test_the_marker_file_stops_the_work(self, folder: RunFolder, context: RunContext) -> None:
        """A marker made from anywhere is seen at the next look."""
        context.check_cancelled()
        folder.cancel_file.touch()
        context._polled_at = float("-inf")
        with pytest.raises(CancelledError, match="runs resume 7"):
            context.check_cancelled()

    def test_looking_is_cheap(self, context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
        """An inner loop may ask all the time: the disk is asked once a second."""
        looks: list[Path] = []
        monkeypatch.setattr(Path, "exists", lambda path: looks.append(path) or False)
        monkeypatch.setattr(context_module.time, "monotonic", lambda: 50.0)
        for _ in range(1000):
            context.cancelled()
        assert len(looks) == 1


class TestDevices:
    def test_the_cpu_is_shared(self, context: RunContext) -> None:
        """CPU runs do not wait for each other."""
        with context.device_lock("cpu"):
            assert not any(Path(os.environ["XDG_RUNTIME_DIR"]).rglob("*.lock"))

    def test_a_free_device_is_held_for_the_run(self, context: RunContext) -> None:
        """Others learn which run of which project has it; afterwards it is free; nothing was waited for."""
        with context.device_lock("cuda:0"):
            holder = lock_holder(device_lock_file("cuda:0"))
            assert holder is not None
            assert (holder["run"], holder["pid"]) == (7, os.getpid())
            assert holder["project"].endswith("/project")
        assert lock_holder(device_lock_file("cuda:0")) is None
        assert list(context.journal_rows()) == []

    def test_a_taken_device_is_waited_for(self, folder: RunFolder, context: RunContext) -> None:
        """The journal says who has it and when the wait is over."""
        other = FileLock(device_lock_file("cuda:0"))
        other.acquire({**this_process(), "run": 3, "project": "/p"})
        threading.Thread(target=lambda: (self._until_waiting(context), other.release())).start()
        with context.device_lock("cuda:0"):
            pass
        assert list(context.journal_rows()) == [
            {"t": "waiting", "device": "cuda:0", "holder": "run 3 of /p"},
            {"t": "waiting", "device": "cuda:0", "holder": None},
        ]
        assert "device cuda:0 is in use by run 3 of /p" in folder.log_file.read_text()

    def test_waiting_can_be_given_up(self, context: RunContext) -> None:
        """A queued run can be cancelled."""
        other = FileLock(device_lock_file("cuda:0"))
        other.acquire(this_process())
        threading.Thread(target=lambda: (self._until_waiting(context), context.stop())).start()
        with pytest.raises(CancelledError), context.device_lock("cuda:0"):
            pytest.fail("the device is taken")
        other.release()

    def test_a_killed_holder_frees_the_device(self, context: RunContext) -> None:
        """A run whose worker was killed blocks nobody."""
        program = (
            "import sys, time\nfrom pathlib import Path\nfrom bswirl.runs.locks import FileLock\n"
            "print(FileLock(Path(sys.argv[1])).acquire({'run': 3}), flush=True)\ntime.sleep(60)\n"
        )
        command = [sys.executable, "-c", program, device_lock_file("cuda:0")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            threading.Thread(target=lambda: (self._until_waiting(context), process.kill())).start()
            with context.device_lock("cuda:0"):
                assert [row["t"] for row in context.journal_rows()] == ["waiting", "waiting"]

    @staticmethod
    def _until_waiting(context: RunContext) -> None:
        while not list(context.journal_rows()):
            time.sleep(0.01)
