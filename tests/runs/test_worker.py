"""Workers: one at a time on a folder, and the journal says how each attempt went."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bswirl.runs.folder import RunFolder
from bswirl.runs.journal import read_journal
from bswirl.runs.locks import lock_holder

# The work of a run kind, put in place before the worker starts: it counts, resumes, and fails as told.
DRIVER = """
import errno, sys, time, types
from bswirl import errors, worker

def run(context):
    how = context.settings["how"]
    done = sum(row["t"] == "answer" for row in context.journal_rows())
    for n in range(done, len(list(context.input_rows()))):
        context.check_cancelled()
        context.emit({"t": "answer", "n": n})
        context.progress(n + 1, 50, "answers")
        time.sleep(context.settings.get("pause", 0))
    if how == "bswirl": raise errors.InputError("no gold", "import it")
    if how == "bug": raise KeyError("oops")
    if how == "full": raise OSError(errno.ENOSPC, "No space left on device")
    if how == "exit": raise SystemExit(9)
    return {"answers": n + 1}

sys.modules["fake_work"] = types.SimpleNamespace(run=run)
worker.WORK["evaluate"] = "fake_work"
sys.exit(worker.main(sys.argv[1]))
"""


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def made(how: str = "well", rows: int = 5, **settings: Any) -> RunFolder:
        return RunFolder.create(
            tmp_path / "7",
            kind="evaluate",
            name="x",
            run_uid="u",
            run_id=7,
            rows=[{"n": n} for n in range(rows)],
            settings={"how": how, **settings},
        )

    return made


def command(folder: RunFolder) -> list[str]:
    return [sys.executable, "-c", DRIVER, str(folder.path)]


def work(folder: RunFolder) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder), capture_output=True, text=True, timeout=60, check=False)


def rows(folder: RunFolder, kind: str) -> list[dict]:
    return [row for row, _ in read_journal(folder.journal_file) if row["t"] == kind]


def started(folder: RunFolder, answers: int = 1) -> subprocess.Popen[str]:
    """A worker that has written so many answers."""
    process = subprocess.Popen(command(folder), stderr=subprocess.PIPE, text=True)
    while not folder.journal_file.exists() or len(rows(folder, "answer")) < answers:
        assert process.poll() is None
        time.sleep(0.01)
    return process


class TestEnds:
    def test_work_that_is_done(self, make: Any) -> None:
        """Start, rows, end with the summary; exit code 0; the lock is free; nothing is left over."""
        folder = make()
        done = work(folder)
        assert done.returncode == 0
        journal = [row for row, _ in read_journal(folder.journal_file)]
        assert [row["t"] for row in journal if row["t"] != "progress"] == ["start", *["answer"] * 5, "end"]
        assert journal[0]["attempt"] == 1
        assert {"pid", "host", "at", "code_version"} <= set(journal[0])
        assert (journal[-1]["status"], journal[-1]["summary"]) == ("done", {"answers": 5})
        assert (journal[-1]["exit_code"], journal[-1]["error"]) == (0, None)
        assert lock_holder(folder.lock_file) is None
        names = {path.name for path in folder.path.iterdir()}
        assert names == {"config.json", "input.jsonl", "journal.jsonl", "lock", "log"}
        assert "attempt 1" in done.stderr
        assert "attempt 1" in folder.log_file.read_text()

    @pytest.mark.parametrize(
        ("how", "code", "words"),
        [
            ("bswirl", 3, "no gold — import it"),
            ("bug", 1, "KeyError: 'oops'"),
            ("full", 1, "no space left on the disk of"),
            ("exit", 1, "SystemExit: 9"),
        ],
    )
    def test_work_that_fails(self, make: Any, how: str, code: int, words: str) -> None:
        """The end row holds one clear line; only a bug leaves a traceback, and that in the log."""
        folder = make(how)
        assert work(folder).returncode == code
        (end,) = rows(folder, "end")
        assert (end["status"], end["exit_code"]) == ("failed", code)
        assert words in end["error"]
        assert "\n" not in end["error"]
        assert ("Traceback" in folder.log_file.read_text()) == (how in ("bug", "exit"))

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_cancels(self, make: Any, number: signal.Signals) -> None:
        """The work ends at its next look, exit code 130, and can be gone on with."""
        folder = make(rows=50, pause=0.02)
        process = started(folder)
        process.send_signal(number)
        assert process.wait(30) == 130
        assert rows(folder, "end")[0]["status"] == "cancelled"
        assert process.stderr is not None
        process.stderr.close()

    def test_a_marker_cancels(self, make: Any) -> None:
        """A worker out of reach of signals ends by the marker; the next attempt takes no notice of it."""
        folder = make(rows=50, pause=0.04)
        process = started(folder)
        folder.cancel_file.touch()
        assert process.wait(30) == 130
        assert process.stderr is not None
        process.stderr.close()
        assert work(folder).returncode == 0
        assert [row["status"] for row in rows(folder, "end")] == ["cancelled", "done"]
        assert [row["n"] for row in rows(folder, "answer")] == list(range(50))


class TestResuming:
    def test_kill_and_resume_loses_and_repeats_nothing(self, make: Any) -> None:
        """After `kill -9` amid the work the next attempt goes on behind the last whole row."""
        folder = make(rows=50, pause=0.01)
        for attempt in (1, 2):
            process = started(folder, answers=10 * attempt)
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()
            with folder.journal_file.open("ab") as journal:
                journal.write(b'{"t":"answer","n":')
        assert work(folder).returncode == 0
        assert [row["n"] for row in rows(folder, "answer")] == list(range(50))
        assert [row["attempt"] for row in rows(folder, "start")] == [1, 2, 3]


class TestRefusals:
    def test_a_second_worker_is_refused(self, make: Any) -> None:
        """The line names the run and the first worker's process; the journal is left alone."""
        folder = make(rows=500, pause=0.02)
        process = started(folder)
        second = work(folder)
        assert second.returncode == 1
        assert second.stderr.startswith(f"bswirl: run 7 is already being worked on by pid {process.pid}")
        assert second.stderr.count("\n") == 1
        assert len(rows(folder, "start")) == 1
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()

    def test_a_changed_input_fails_the_run(self, make: Any) -> None:
        """A frozen input that changed is never worked on."""
        folder = make()
        folder.input_file.write_text('{"n": 0}\n')
        assert work(folder).returncode == 3
        assert "was changed after the run was made" in rows(folder, "end")[0]["error"]
        assert rows(folder, "answer") == []

    def test_a_folder_that_is_no_run(self, tmp_path: Path) -> None:
        """One line and exit code 3, as a module and without any file made."""
        done = subprocess.run(
            [sys.executable, "-m", "bswirl.worker", tmp_path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 3
        assert done.stderr == f"bswirl: {tmp_path} is no run folder: config.json: No such file or directory\n"
        assert list(tmp_path.iterdir()) == []

    def test_a_kind_without_work(self, make: Any) -> None:
        """A folder made by another version says so."""
        folder = make()
        folder.write_config({**folder.read_config(), "kind": "dream"})
        done = work(folder)
        assert done.returncode == 3
        assert "'dream'" in done.stderr
