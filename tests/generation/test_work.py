from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import CancelledError, InputError
from bswirl.generation import work
from bswirl.policies.catalogue import PolicySpec
from bswirl.records import GrowingState, Question, to_json
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from bswirl.tokens import StepTokens
from tests.policies.small import sums

QUESTIONS = [
    Question(number, "sums", "train", f"q{number}", text, gold=steps[-1].removeprefix("Answer: "))
    for number, (text, steps) in enumerate(sums(8, seed=5), start=1)
]

WORKER_IN_FLOAT32 = """
import sys, torch
from bswirl import worker
from bswirl.policies import local
local.DENSE = torch.float32
sys.exit(worker.main(sys.argv[1]))
"""


def make_run(path: Path, model: Path, **settings: Any) -> RunFolder:
    return RunFolder.create(
        path,
        kind="generate",
        name="g",
        run_uid="u",
        run_id=1,
        rows=[to_json(question) for question in QUESTIONS],
        settings={
            "policy": "taught",
            "branches": 3,
            "trajectories": 2,
            "temperature": 0.8,
            "max_steps": 6,
            "max_tokens": 60,
            "batch_size": 8,
            "device": "cpu",
            **settings,
        },
        policies={"taught": PolicySpec("taught", str(model)).to_json()},
    )


def work_on(folder: RunFolder) -> dict[str, Any]:
    with RunContext(folder) as context:
        return work.run(context)


def rows_of(folder: RunFolder) -> list[dict[str, Any]]:
    """The rows that hold samples, in a fixed order, without log-probs, which rounding makes differ.

    Of tokens their sizes stay.
    """
    rows = [json.loads(line) for line in folder.journal_file.read_text().splitlines()]
    rows = [row for row in rows if row["t"] in ("trajectory", "branches")]
    for row in rows:
        for sample in [*row.get("steps", []), *row.get("samples", [])]:
            logprob, tokens = sample.pop("logprob"), StepTokens.unpack(b64decode(sample["tokens"]))
            assert sum(tokens.logprobs) == pytest.approx(logprob, abs=1e-6 * (1 + len(tokens.sizes)))
            assert len(tokens.sizes) == sample["n_tokens"]
            sample["tokens"] = tokens.sizes
    return sorted(rows, key=_key)


def _key(row: dict[str, Any]) -> tuple[int, int, int]:
    return row["question_id"], row["number"], row.get("step", 0)


@pytest.fixture(scope="module")
def whole(taught_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, dict[str, Any]]:
    """A finished run and its summary."""
    folder = make_run(tmp_path_factory.mktemp("whole") / "1", taught_folder)
    return folder, work_on(folder)


class TestAWholeRun:
    def test_every_question_has_its_trajectories_and_every_state_its_branches(
        self, whole: tuple[RunFolder, dict[str, Any]]
    ) -> None:
        """Once each; the state before the answer included."""
        folder, _ = whole
        steps = {
            (row["question_id"], row["number"]): row["steps"]
            for row in rows_of(folder)
            if row["t"] == "trajectory"
        }
        assert sorted(steps) == [(question, number) for question in range(1, 9) for number in (1, 2)]
        expected = [(*key, step) for key, found in steps.items() for step in range(1, len(found) + 1)]
        branches = [row for row in rows_of(folder) if row["t"] == "branches"]
        assert sorted(map(_key, branches)) == sorted(expected)
        for row in branches:
            numbers = [item["branch_id"] for item in row["samples"] + row["unparsed"]]
            assert sorted(numbers) == [1, 2, 3]

    def test_a_trajectory_comes_before_its_branches(self, whole: tuple[RunFolder, dict[str, Any]]) -> None:
        """So that whoever reads along knows their states."""
        seen = set()
        for line in whole[0].journal_file.read_text().splitlines():
            row = json.loads(line)
            if row["t"] == "trajectory":
                seen.add(_key(row)[:2])
            if row["t"] == "branches":
                assert _key(row)[:2] in seen

    def test_the_summary_counts_what_was_made(self, whole: tuple[RunFolder, dict[str, Any]]) -> None:
        """Samples, accuracy against gold, steps, and what could not be read."""
        folder, summary = whole
        rows = rows_of(folder)
        solutions = [row for row in rows if row["t"] == "trajectory"]
        samples = sum(len(row.get("steps", [])) + len(row.get("samples", [])) for row in rows)
        assert summary["trajectories"] == 16
        assert summary["questions"] == 8
        assert summary["samples"] == samples
        assert summary["accuracy"] == sum(row["is_correct"] for row in solutions) / 16
        assert summary["mean_steps"] == sum(len(row["steps"]) for row in solutions) / 16
        assert summary["tokens_per_second"] > 0

    def test_progress_ends_at_its_total(self, whole: tuple[RunFolder, dict[str, Any]]) -> None:
        """However wrong the first estimate was."""
        rows = [json.loads(line) for line in whole[0].journal_file.read_text().splitlines()]
        progress = [row for row in rows if row["t"] == "progress"]
        assert len(progress) >= 2
        assert progress[-1]["done"] == progress[-1]["total"] > 0
        assert progress[-1]["unit"] == "samples"

    def test_the_same_settings_sample_the_same(
        self, whole: tuple[RunFolder, dict[str, Any]], taught_folder: Path, tmp_path: Path
    ) -> None:
        """Whatever the batch size; another seed samples anew."""
        other = make_run(tmp_path / "2", taught_folder, batch_size=5)
        work_on(other)
        assert rows_of(other) == rows_of(whole[0])
        reseeded = make_run(tmp_path / "3", taught_folder, seed=1, branches=0)
        work_on(reseeded)
        assert rows_of(reseeded) != [row for row in rows_of(whole[0]) if row["t"] == "trajectory"]


class TestResuming:
    @pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
    def test_it_samples_only_what_is_missing(
        self,
        whole: tuple[RunFolder, dict[str, Any]],
        taught_folder: Path,
        tmp_path: Path,
        share: float,
    ) -> None:
        """Cut off anywhere, a run ends up with the rows of one that was not; none twice, none lost."""
        lines = whole[0].journal_file.read_text().splitlines(keepends=True)
        folder = make_run(tmp_path / "1", taught_folder)
        kept = lines[: round(share * len(lines))]
        folder.journal_file.write_text("".join(kept))
        summary = work_on(folder)
        assert folder.journal_file.read_text().startswith("".join(kept))
        assert rows_of(folder) == rows_of(whole[0])
        assert summary["samples"] == whole[1]["samples"]

    def test_a_finished_run_loads_no_model(
        self, whole: tuple[RunFolder, dict[str, Any]], tmp_path: Path
    ) -> None:
        """There is nothing to sample."""
        folder = make_run(tmp_path / "1", tmp_path / "gone")
        folder.journal_file.write_bytes(whole[0].journal_file.read_bytes())
        assert work_on(folder)["trajectories"] == 16

    def test_cancelling_stops_within_a_few_tokens_and_keeps_what_is_done(
        self, whole: tuple[RunFolder, dict[str, Any]], taught_folder: Path, tmp_path: Path
    ) -> None:
        """What was sampled is in the journal, and the next attempt goes on from there."""
        folder = make_run(tmp_path / "1", taught_folder)
        with RunContext(folder) as context:
            emit = context.emit

            def stop_after_five(*rows: dict[str, Any]) -> None:
                emit(*rows)
                if len(rows_of(folder)) == 5:
                    context.stop()

            context.emit = stop_after_five  # type: ignore[method-assign]
            with pytest.raises(CancelledError):
                work.run(context)
        assert 5 <= len(rows_of(folder)) < len(rows_of(whole[0]))
        work_on(folder)
        assert rows_of(folder) == rows_of(whole[0])

    def test_a_killed_worker_is_resumed_without_a_repeat_or_a_loss(
        self, whole: tuple[RunFolder, dict[str, Any]], taught_folder: Path, tmp_path: Path
    ) -> None:
        """Two workers killed with SIGKILL at some point, a third one finishes."""
        folder = make_run(tmp_path / "1", taught_folder)
        command = [sys.executable, "-c", WORKER_IN_FLOAT32, str(folder.path)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        root = Path(__file__).parents[2]
        for rows in (3, 20):
            worker = subprocess.Popen(
                command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            deadline = time.monotonic() + 120
            while worker.poll() is None and time.monotonic() < deadline:
                if (
                    folder.journal_file.exists()
                    and folder.journal_file.read_text().count('"prompt_sha"') >= rows
                ):
                    break
                time.sleep(0.01)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert rows_of(folder) == rows_of(whole[0])
        assert set(Counter(map(_key, rows_of(folder))).values()) == {1}


class TestGrowing:
    def test_states_of_the_store_get_what_they_lack_once(self, taught_folder: Path, tmp_path: Path) -> None:
        """With a local policy; cut off in the middle, the next attempt ends with the same rows."""
        states = [GrowingState(question, question.question_id, (), "t", 2) for question in QUESTIONS[:4]]
        settings = {"policy": "taught", "grow": True, "temperature": 0.8, "max_tokens": 40, "device": "cpu"}
        folder = RunFolder.create(
            tmp_path / "1",
            kind="generate",
            name="g",
            run_uid="u",
            run_id=1,
            rows=[to_json(state) for state in states],
            settings=settings,
            policies={"taught": PolicySpec("taught", str(taught_folder)).to_json()},
        )
        summary = work_on(folder)
        assert (summary["states"], summary["samples"] + summary["unparsed"]) == (4, 8)
        lines = folder.journal_file.read_text().splitlines(keepends=True)
        first = next(index for index, line in enumerate(lines) if '"grown"' in line)
        folder.journal_file.write_text("".join(lines[: first + 1]))
        assert work_on(folder)["samples"] == summary["samples"]
        rows = [json.loads(line) for line in folder.journal_file.read_text().splitlines()]
        grown = [row for row in rows if row["t"] == "grown"]
        assert sorted(row["state_id"] for row in grown) == [1, 2, 3, 4]
        assert all(row["trajectory"] == "t" and row["step"] == 1 for row in grown)


class TestBadInput:
    def test_no_questions_are_refused(self, taught_folder: Path, tmp_path: Path) -> None:
        """An empty input is no work."""
        folder = RunFolder.create(
            tmp_path / "1", kind="generate", name="g", run_uid="u", rows=[], settings={"policy": "p"}
        )
        with pytest.raises(InputError, match="no questions"):
            work_on(folder)

    def test_a_policy_that_the_config_lacks_is_named(self, taught_folder: Path, tmp_path: Path) -> None:
        """A damaged config, not a traceback."""
        folder = make_run(tmp_path / "1", taught_folder, policy="other")
        with pytest.raises(InputError, match="'other'"):
            work_on(folder)

    def test_a_policy_that_keeps_no_format_is_warned_about(self, taught_folder: Path, tmp_path: Path) -> None:
        """Nothing is lost, but the user hears of it."""
        folder = make_run(tmp_path / "1", taught_folder, max_tokens=2, branches=0)
        summary = work_on(folder)
        assert (summary["samples"], summary["unparsed"], summary["accuracy"]) == (0, 16, 0.0)
        assert '"t":"warning"' in folder.journal_file.read_text().replace(" ", "")
        assert all(row["unparsed"] for row in rows_of(folder))
