"""Stages: each is one run, whoever is killed when."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bswirl.client import Client, connect, stop_owner
from bswirl.errors import BswirlError
from bswirl.launch import stages as stages_module
from bswirl.launch.stages import Stage, Stages, Watch
from bswirl.project import Project
from bswirl.records import Run
from tests.launch.test_runs import BRANCHES, QUESTIONS, begun, sampled_questions


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project.create(tmp_path_factory.mktemp("stages") / "p")
    with connect(project) as client:
        client.import_samples(sampled_questions(), "toy")
    yield project
    stop_owner(project)


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    with connect(project) as client:
        yield client


def judging(name: str, **options: object) -> Stage:
    return Stage(name, "judge", {"judge": "reference", "again": True, **options})


def kill_once(hold: Path) -> Watch:
    """Kills the worker of the first run that it sees, amid its work, and lets others go on."""
    killed: list[int] = []

    def kill(_name: str, run: Run) -> None:
        if not killed:
            killed.append(begun(run))
            os.kill(killed[0], signal.SIGKILL)
            hold.unlink()

    return kill


class TestStages:
    """Stages."""

    def test_a_stage_is_started_once(self, client: Client, project: Project) -> None:
        """A second call finds the first one's runs; they are saved before they are waited for."""
        runs: dict[str, int] = {}
        saved: list[dict[str, int]] = []
        stages = Stages(client, project, runs, lambda: saved.append(dict(runs)))
        wanted = [judging("one", limit=3), judging("two", limit=4)]
        first = stages.finish(wanted)
        assert [run.summary["verdicts"] for run in first] == [3, 4]
        assert saved == [{"one": first[0].run_id}, runs]
        assert Stages(client, project, dict(runs), lambda: None).finish(wanted) == first

    def test_a_run_that_was_not_noted_is_found(self, client: Client, project: Project) -> None:
        """Its starter was killed before it wrote the number down; other runs of the kind are left alone."""
        (run,) = Stages(client, project, {}, lambda: None).finish([judging("lost", limit=5)])
        runs: dict[str, int] = {}
        assert Stages(client, project, runs, lambda: None).finish([judging("lost", limit=5)]) == [run]
        (other,) = Stages(client, project, runs, lambda: None).finish([judging("again", limit=5)])
        assert other.run_id != run.run_id

    def test_a_killed_worker_is_an_error_and_is_resumed(
        self, client: Client, project: Project, hold: Path
    ) -> None:
        """The error names stage and log; the next call goes on with the same run."""
        runs: dict[str, int] = {}
        with pytest.raises(BswirlError, match=r"all: run \d+ lost: .* the same command resumes it"):
            Stages(client, project, runs, lambda: None, watch=kill_once(hold)).finish([judging("all")])
        (run,) = Stages(client, project, runs, lambda: None).finish([judging("all")])
        assert (run.run_id, run.status, run.attempt) == (runs["all"], "done", 2)

    def test_what_is_accepted_is_no_error_and_stays(
        self, client: Client, project: Project, hold: Path
    ) -> None:
        """A run that may end so ends so, also the next time, and those beside it are done."""
        runs: dict[str, int] = {}
        wanted = [judging("may", limit=QUESTIONS * BRANCHES - 1), judging("short", limit=1)]
        first = Stages(client, project, runs, lambda: None, watch=kill_once(hold))
        ended = first.finish(wanted, accept=lambda run: run.status == "lost")
        assert [run.status for run in ended] == ["lost", "done"]
        again = Stages(client, project, runs, lambda: None)
        assert again.finish(wanted, accept=lambda run: run.status == "lost") == ended

    def test_jobs_share_the_cores(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Several at once get their share of the cores in the environment; one alone is left alone."""
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(6)))
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        with stages_module._threads(2):
            assert os.environ["OMP_NUM_THREADS"] == "3"
        assert "OMP_NUM_THREADS" not in os.environ
        monkeypatch.setenv("OMP_NUM_THREADS", "5")
        with stages_module._threads(1):
            assert os.environ["OMP_NUM_THREADS"] == "5"
        with stages_module._threads(20):
            assert os.environ["OMP_NUM_THREADS"] == "1"
        assert os.environ["OMP_NUM_THREADS"] == "5"
