"""Runs from start to end with a real owner and real workers: started, killed, resumed, cancelled."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bswirl import launch
from bswirl.client import Client, connect, stop_owner
from bswirl.errors import InputError
from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.project import Project
from bswirl.records import NewQuestion, Run
from bswirl.runs.folder import RunFolder
from bswirl.runs.journal import read_journal
from bswirl.runs.locks import lock_holder

BRANCHES = 100
QUESTIONS = 40


def sampled_questions() -> Iterator[PlacedQuestion]:
    """Questions with one state each and many first steps."""
    for number in range(QUESTIONS):
        question = NewQuestion(
            "toy", "train", str(number), "Ada has 2 pens and gets 3. How many?", "5", "2+3=<<2+3=5>>5\n#### 5"
        )
        samples = tuple(
            PlacedSample(
                trajectory_id=f"t{number}",
                step=1,
                branch_id=branch,
                is_backbone=branch == 0,
                prefix=(),
                action=f"Step 1: 2 + 3 = {5 + branch}",
                is_answer=False,
            )
            for branch in range(BRANCHES)
        )
        yield PlacedQuestion(question, samples)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project.create(tmp_path_factory.mktemp("runs") / "p")
    with connect(project) as client:
        client.import_samples(sampled_questions(), "toy")
    yield project
    stop_owner(project)


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    with connect(project) as client:
        yield client


PATIENCE_SECONDS = 120.0  # rather a failure than a test that hangs


def begun(run: Run, verdicts: int = 1) -> int:
    """Waits until the run's worker has written so many verdicts; returns its process."""
    folder = RunFolder(Path(run.folder))
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        holder = lock_holder(folder.lock_file)
        if holder and folder.journal_file.exists() and judged(run) >= verdicts:
            return holder["pid"]
        assert time.monotonic() < end, "the run never began, or was over before it was looked at"
        time.sleep(0.002)


def judged(run: Run) -> int:
    return RunFolder(Path(run.folder)).journal_file.read_bytes().count(b'"t":"verdict"')


class TestRuns:
    """What happens to a run between its start and its end."""

    def test_nothing_to_train_on_yet(self, client: Client, project: Project) -> None:
        """A run without input is refused with the reason, and leaves nothing behind."""
        request = launch.generate_request(project, policy="smollm2", split="validation")
        request = launch.RunRequest("evaluate", "x", request.settings, request.select)
        with pytest.raises(InputError, match=r"would have no input; left out of 40: 40 \(other split\)"):
            launch.start_run(client, project, request)
        assert [path.name for path in project.runs_folder.glob(".new-*")] == []
        assert client.runs(kind="evaluate") == []

    def test_a_killed_worker_is_resumed_and_every_action_has_one_verdict(
        self, client: Client, project: Project, hold: Path
    ) -> None:
        """`kill -9` of the worker: the run is lost; resumed, it ends with each action judged exactly once."""
        run = launch.start_run(client, project, launch.judge_request(judge="reference", again=True))
        assert (run.kind, run.status) == ("judge", "queued")
        os.kill(begun(run), signal.SIGKILL)
        lost = launch.wait_run(client, run.run_id)
        assert lost.status == "lost"
        before = judged(run)
        assert 0 < before < QUESTIONS * BRANCHES
        hold.unlink()

        resumed = launch.resume_run(client, project, run.run_id)
        assert resumed.status in ("queued", "running")
        seen: list[Run] = []
        done = launch.wait_run(client, run.run_id, seen.append)
        assert (done.status, done.exit_code, done.attempt) == ("done", 0, 2)
        assert seen[-1] == done
        assert done.progress is not None
        assert done.progress.done == done.progress.total == QUESTIONS * BRANCHES

        rows = [row for row, _ in read_journal(RunFolder(Path(run.folder)).journal_file)]
        per_action = Counter(row["action_id"] for row in rows if row["t"] == "verdict")
        assert set(per_action.values()) == {1}
        assert len(per_action) == QUESTIONS * BRANCHES
        stats = client.stats()
        assert (stats["judged"], stats["unjudged"]) == (QUESTIONS * BRANCHES, 0)
        tree = client.tree("toy:0")
        verdicts = client.action(tree.actions[0].action_id).verdicts
        assert Counter(verdict.run_id for verdict in verdicts)[run.run_id] == 1
        assert any("attempt 2" in line for line in launch.tail_log(done))

    def test_what_is_done_is_not_done_again(self, client: Client, project: Project) -> None:
        """With nothing left to judge no run is made, and that is no failure; a done run stays done."""
        again = launch.judge_request(judge="reference", again=True)
        done = launch.wait_run(client, launch.start_run(client, project, again).run_id)
        runs = client.runs(kind="judge")
        with pytest.raises(launch.NothingToDoError, match="nothing to do") as caught:
            launch.start_run(client, project, launch.judge_request(judge="reference"))
        assert caught.value.exit_code == 0
        assert client.runs(kind="judge") == runs
        with pytest.raises(InputError, match="is done"):
            launch.resume_run(client, project, done.run_id)
        with pytest.raises(InputError, match="is done already"):
            launch.cancel_run(client, project, done.run_id)

    def test_a_cancelled_run_ends_cleanly_and_goes_on(
        self, client: Client, project: Project, hold: Path
    ) -> None:
        """Cancelled amid the work, resumed, killed owner in between: no verdict lost or doubled."""
        run = launch.start_run(client, project, launch.judge_request(judge="reference", again=True))
        begun(run)
        launch.cancel_run(client, project, run.run_id)
        hold.unlink()
        cancelled = launch.wait_run(client, run.run_id)
        assert (cancelled.status, cancelled.exit_code) == ("cancelled", 130)
        hold.touch()
        launch.resume_run(client, project, run.run_id)
        begun(run, verdicts=judged(run) + 1)
        os.kill(client.owner["pid"], signal.SIGKILL)
        hold.unlink()
        assert launch.wait_run(client, run.run_id).status == "done"
        tree = client.tree("toy:1")
        for action in (tree.actions[0], tree.actions[-1]):
            verdicts = client.action(action.action_id).verdicts
            assert Counter(verdict.run_id for verdict in verdicts)[run.run_id] == 1

    def test_a_client_that_goes_away_leaves_the_run_alone(
        self, client: Client, project: Project, hold: Path
    ) -> None:
        """The worker lives in a session of its own."""
        request = launch.judge_request(judge="reference", again=True)
        with connect(project) as other:
            run = launch.start_run(other, project, request)
        pid = begun(run)
        assert os.getsid(pid) == pid
        hold.unlink()
        assert launch.wait_run(client, run.run_id).status == "done"

    def test_a_copied_folder_is_worked_on_elsewhere_and_brought_back(
        self, client: Client, project: Project, tmp_path: Path, hold: Path
    ) -> None:
        """A folder needs nothing of its project: what a bare machine did with it comes home once."""
        request = launch.judge_request(judge="reference", again=True)
        run = launch.start_run(client, project, request)
        os.kill(begun(run), signal.SIGKILL)
        hold.unlink()
        assert launch.wait_run(client, run.run_id).status == "lost"
        with RunFolder(Path(run.folder)).journal_file.open("ab") as journal:
            journal.write(b'{"t":"verdict","action')  # what a kill in the middle of a write leaves
        away = tmp_path / "elsewhere"
        shutil.copytree(run.folder, away)
        bare = {name: value for name, value in os.environ.items() if not name.startswith("BSWIRL")}
        command = [sys.executable, "-m", "bswirl.worker", str(away)]
        worker = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)
        assert worker.returncode == 0, worker.stderr
        for _ in range(2):
            client.attach_run(away)
            done = launch.wait_run(client, run.run_id)
            assert (done.status, done.attempt) == ("done", 2)
        verdicts = client.action(client.tree("toy:2").actions[0].action_id).verdicts
        assert Counter(verdict.run_id for verdict in verdicts)[run.run_id] == 1

    def test_a_worker_starts_in_a_scope_where_logout_would_end_it(
        self, client: Client, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The worker runs under the tool and is the process that the folder's lock names."""
        used = tmp_path / "used"
        scripts = {
            "busctl": "echo b true",
            "systemd-run": f'while [ "${{1#--}}" != "$1" ]; do shift; done\necho $$ >{used}\nexec "$@"',
        }
        for name, script in scripts.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        request = launch.judge_request(judge="reference", again=True, limit=BRANCHES)
        run = launch.start_run(client, project, request)
        done = launch.wait_run(client, run.run_id)
        assert done.status == "done"
        rows = [row for row, _ in read_journal(RunFolder(Path(run.folder)).journal_file)]
        assert rows[0]["pid"] == int(used.read_text())
