"""How long a run without endpoints will take, by earlier ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bswirl import launch
from bswirl.client import Client, connect, stop_owner
from bswirl.errors import InputError, UsageError
from bswirl.launch.estimate_words import time_facts, time_lines
from bswirl.launch.timing import TimeEstimate, estimate_time
from bswirl.project import Project
from bswirl.records import NewQuestion, Progress, Run

QUESTIONS = 6


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project.create(tmp_path_factory.mktemp("timing") / "p")
    yield project
    stop_owner(project)


@pytest.fixture(scope="module")
def client(project: Project) -> Iterator[Client]:
    with connect(project) as client:
        client.import_questions(
            [
                NewQuestion("sums", "train", str(n), f"What is {n} + {n}?", str(2 * n))
                for n in range(QUESTIONS)
            ]
        )
        yield client


def ran(number: int, kind: str = "generate", **about: Any) -> Run:
    """A run that ended: 10 solutions of 4 steps with a branch each, 20 tokens a step, 100 tokens a second."""
    settings = {"policy": "smollm2", "device": "auto", "load_in_4bit": False, "batch_size": 32}
    summary: dict[str, Any] = {
        "samples": 80, "trajectories": 10, "mean_steps": 4.0, "num_tokens": 1600, "tokens_per_second": 100.0,
    }  # fmt: skip
    if kind == "evaluate":
        summary = {"mean_tokens": 50.0}
    policies = {"smollm2": {"name": "smollm2", "model": about.get("model", "smollm2"), "kind": "local"}}
    return Run(
        run_id=number,
        run_uid=str(number),
        kind=kind,
        name=about.get("name", "smollm2"),
        status="done",
        config={"settings": {**settings, **about.get("settings", {})}, "policies": policies},
        folder="",
        progress=Progress(done=40, total=40, unit="questions", rate=4.0),
        summary={**summary, **about.get("summary", {})},
    )


def estimate(
    client: Client,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    runs: list[Run],
    kind: str,
    **options: Any,
) -> TimeEstimate:
    """That of a run of smollm2, with these before it."""
    monkeypatch.setattr(client, "runs", lambda **_: runs)
    return estimate_time(client, launch.make_request(kind, project, {"policy": "smollm2", **options}))


class TestSampling:
    """By tokens a second."""

    def test_by_a_run_of_the_same_policy(
        self, client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """6 solutions of 4 steps, each with 2 branches: 72 texts of 20 tokens, at 100 a second."""
        found = estimate(client, project, monkeypatch, [ran(7)], "generate", branches=2)
        assert found.seconds is not None
        assert (found.work.likely, found.measured_runs) == (72, (7,))
        assert found.seconds.likely == pytest.approx(14.4)
        assert found.seconds.low < 14.4 < found.seconds.high

    def test_slow_and_fast_runs_widen_the_range(
        self, client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = estimate(client, project, monkeypatch, [ran(7)], "generate").seconds
        slow = ran(8, summary={"tokens_per_second": 25.0})
        two = estimate(client, project, monkeypatch, [slow, ran(7)], "generate").seconds
        assert one is not None
        assert two is not None
        assert (two.low, two.high) == (one.low, pytest.approx(4 * one.high))

    @pytest.mark.parametrize(
        "other",
        [
            {"model": "another"},
            {"settings": {"load_in_4bit": True}},
            {"settings": {"device": "cpu"}},
            {"summary": {"num_tokens": 20}},
        ],
    )
    def test_nothing_like_it_has_run(
        self, client: Client, project: Project, monkeypatch: pytest.MonkeyPatch, other: dict[str, Any]
    ) -> None:
        """The work is said, the time is not, and how to find out is."""
        found = estimate(client, project, monkeypatch, [ran(7, **other)], "generate")
        assert found.seconds is None
        assert found.work.likely > 0
        assert any("--limit 4" in note for note in found.notes)
        assert ("time", "not known yet") in list(time_facts(found))

    def test_another_batch_size_is_a_rough_guide(
        self, client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        exact = estimate(client, project, monkeypatch, [ran(7)], "generate").seconds
        rough = estimate(client, project, monkeypatch, [ran(7)], "generate", batch_size=4)
        assert exact is not None
        assert rough.seconds is not None
        assert rough.seconds.likely == pytest.approx(exact.likely)
        assert rough.seconds.high > exact.high
        assert any("rough" in note for note in rough.notes)

    def test_evaluation_by_its_own_runs(
        self, client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """6 answers, each of 50 tokens, 4 a second."""
        found = estimate(
            client, project, monkeypatch, [ran(9, "evaluate"), ran(7)], "evaluate", split="train"
        )
        assert found.seconds is not None
        assert found.measured_runs == (9,)
        assert found.seconds.likely == pytest.approx(1.5)
        assert any("takes about" in words for words in time_lines(found))


class TestNotForeseen:
    def test_no_input(self, client: Client, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(InputError):
            estimate(client, project, monkeypatch, [ran(7)], "generate", split="test")

    def test_training_has_its_forecast(self, client: Client, project: Project) -> None:
        request = launch.make_request("train", project, {"policy": "smollm2", "objective": "sft"})
        with pytest.raises(UsageError, match="not foreseen here"):
            estimate_time(client, request)
