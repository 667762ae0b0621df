"""The whole experiment with a small taught model: killed amid its work, resumed, and read once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from bswirl import launch
from bswirl.client import connect, stop_owner
from bswirl.errors import BswirlError
from bswirl.experiment import conduct
from bswirl.experiment.conduct import WARM_DATASET, Experiment, problems_of, warm_problems
from bswirl.experiment.options import ExperimentOptions
from bswirl.experiment.readings import foreign_test_reader
from bswirl.experiment.record import Record
from bswirl.project import Project
from bswirl.records import Run
from tests.tiny import save_tiny_policy

ROOT = Path(__file__).resolve().parents[2]
STAGES = [
    "judge",
    "train swirl 1",
    "train bswirl 1",
    "validate base",
    "validate swirl 1",
    "validate bswirl 1",
    "test base",
    "test swirl seed 0",
    "test bswirl seed 0",
    "sample base",
    "sample swirl seed 0",
    "sample bswirl seed 0",
]
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Played:
    """An experiment's folder, and how to start it."""

    work: Path
    model: Path

    def command(self, *options: str) -> list[str]:
        return [sys.executable, "-m", "tests.experiment.play", str(self.work), str(self.model), *options]

    def play(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*options), cwd=ROOT, text=True, capture_output=True, check=False)

    def record(self) -> dict[str, Any]:
        path = self.work / "record.json"
        return json.loads(path.read_text()) if path.exists() else {"runs": {}}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """An experiment that was killed while its runs trained, and then played to its end."""
    folder = tmp_path_factory.mktemp("experiment")
    made = Played(folder / "work", save_tiny_policy(folder / "model"))
    process = subprocess.Popen(made.command(), cwd=ROOT, stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE_SECONDS
    while "train swirl 1" not in made.record()["runs"]:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = made.play()
    assert again.returncode == 0, again.stderr
    yield made
    stop_owner(Project.open(made.work))


class TestExperiment:
    """One experiment, from its problems to its report."""

    def test_every_stage_has_one_run(self, played: Played) -> None:
        """Nothing was done twice for the kill: as many runs as stages, all done."""
        record = played.record()
        assert sorted(set(record["runs"]) - {"judge samples"}) == sorted(STAGES)
        with connect(Project.open(played.work)) as client:
            runs = [run for run in client.runs() if run.kind != "import"]
        assert {run.run_id for run in runs} == set(record["runs"].values())
        assert {run.status for run in runs} == {"done"}
        assert len(record["sessions"]) == 2

    def test_budgets_are_equal_within_a_step(self, played: Played) -> None:
        """The runs took the planned steps, and a step's tokens is the most that budgets differ by."""
        record = played.record()
        budget = record["budgets"]["0"]
        stages = {stage["name"]: stage["summary"] for stage in record["stages"]}
        for objective in ("swirl", "bswirl"):
            assert stages[f"train {objective} 1"]["steps"] == budget[objective]["steps"]
            assert stages[f"train {objective} 1"]["questions"] == budget[objective]["questions"]
        difference = abs(budget["swirl"]["action_tokens"] - budget["bswirl"]["action_tokens"])
        assert difference <= budget["swirl"]["action_tokens"] / budget["swirl"]["steps"]

    def test_readings_come_from_the_runs(self, played: Played) -> None:
        """The record's answers are those of the evaluation runs; steps were sampled and judged."""
        record = played.record()
        with connect(Project.open(played.work)) as client:
            for name, bits in record["test"]["answers"].items():
                answers = client.answers(record["runs"][f"test {name}"])
                assert [row["address"] for row in answers] == record["test"]["questions"]
                assert "".join(str(int(row["is_correct"])) for row in answers) == bits
        assert all(question.startswith("templates:test-") for question in record["test"]["questions"])
        assert {name: len(rows) for name, rows in record["process"].items()} == dict.fromkeys(
            record["test"]["answers"], 4
        )
        assert record["margins"]["bswirl seed 0"][-1]["step"] == record["budgets"]["0"]["bswirl"]["steps"]
        assert "# Does B-SWiRL teach" in (played.work / "report.md").read_text()

    def test_a_finished_experiment_reads_nothing_again(self, played: Played) -> None:
        """The same command only writes the report anew."""
        before = played.record()
        (played.work / "report.md").unlink()
        again = played.play()
        assert again.returncode == 0, again.stderr
        after = played.record()
        assert (played.work / "report.md").exists()
        with connect(Project.open(played.work)) as client:
            assert {run.run_id for run in client.runs() if run.kind != "import"} == set(
                before["runs"].values()
            )
        for record in (before, after):
            record.pop("sessions")
        assert after == before

    def test_other_options_are_refused(self, played: Played) -> None:
        """What was begun keeps its options."""
        refused = played.play("test=7")
        assert refused.returncode == 1
        assert "begun with --test 8, not 7" in refused.stderr

    def test_a_foreign_reading_of_the_test_split_is_seen(self, played: Played) -> None:
        """An evaluation that somebody starts beside the experiment is found; the experiment's own are not."""
        project = Project.open(played.work)
        own = played.record()["runs"]
        with connect(project) as client:
            assert foreign_test_reader(client, own) is None
            request = launch.make_request(
                "evaluate", project, {"policy": str(played.model), "limit": 1, "max_tokens": 5}
            )
            run = launch.wait_run(client, launch.start_run(client, project, request).run_id)
            found = foreign_test_reader(client, own)
        assert found is not None
        assert found.run_id == run.run_id


class TestChoosing:
    """What keeps the choice honest."""

    def test_no_choice_after_a_look_at_the_test_split(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Somebody evaluated on the test split before the configurations were chosen: the experiment ends."""
        project = Project(tmp_path)
        record = Record.open(tmp_path / "record.json", ExperimentOptions(), {})
        experiment = Experiment(Mock(), project, record, ExperimentOptions(), 1, lambda _: None)
        peeked = Run(9, "uid", "evaluate", "demo", "done", {}, "")
        monkeypatch.setattr(conduct, "foreign_test_reader", lambda _client, _own: peeked)
        with pytest.raises(BswirlError, match=r"run 9 \(evaluate\) read the test split before"):
            experiment._choose(TRIED)
        assert record.choice is None
        monkeypatch.setattr(conduct, "foreign_test_reader", lambda _client, _own: None)
        experiment._choose(TRIED)
        assert record.choice is not None
        assert {name: record.choice[name] for name in ("swirl", "bswirl")} == {"swirl": 2, "bswirl": None}

    def test_nothing_to_choose_from(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every configuration collapsed."""
        record = Record.open(tmp_path / "record.json", ExperimentOptions(), {})
        experiment = Experiment(Mock(), Project(tmp_path), record, ExperimentOptions(), 1, lambda _: None)
        monkeypatch.setattr(conduct, "foreign_test_reader", lambda _client, _own: None)
        with pytest.raises(BswirlError, match="every configuration failed"):
            experiment._choose([{**row, "validation": None} for row in TRIED])
        assert record.choice is None

    @pytest.mark.parametrize(
        ("status", "error", "verdict"),
        [
            ("failed", "collapse: at step 3 the policy is 12.0 nats an action from its base", True),
            ("failed", "the loss of step 2 is not a finite number; its questions: a:1", True),
            ("failed", "no space left on the disk", False),
            ("lost", None, False),
            ("done", None, False),
        ],
    )
    def test_which_failures_are_results(self, status: str, error: str | None, verdict: bool) -> None:
        """A collapse says something of the settings; a full disk or a killed worker does not."""
        run = Run(1, "uid", "train", "bswirl demo", status, {}, "", error=error)
        assert conduct.is_verdict_on_settings(run) is verdict


TRIED: list[dict[str, Any]] = [
    {"objective": "swirl", "number": 1, "validation": {"accuracy": 0.3}},
    {"objective": "swirl", "number": 2, "validation": {"accuracy": 0.4}},
    {"objective": "swirl", "number": 3, "validation": {"accuracy": 0.4}},
    {"objective": "bswirl", "number": 1, "validation": None},
]


class TestProblems:
    def test_the_warm_start_has_its_own(self) -> None:
        """A dataset apart, as many as asked for, none of which is trained, chosen or tested on."""
        options = ExperimentOptions(warm_start=30, train=20, validation=10, test=15, process=0)
        warm, others = warm_problems(options), problems_of(options)
        assert {(problem.dataset, problem.split) for problem in warm} == {(WARM_DATASET, "train")}
        assert len(warm) == 30
        assert [problem.split for problem in others].count("train") == 20
        assert len(others) == 45
        assert not {problem.text for problem in warm} & {problem.text for problem in others}
        assert not warm_problems(ExperimentOptions(warm_start=0))
