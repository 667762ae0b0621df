"""What a run on a served model will call and cost, before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bswirl import launch
from bswirl.client import Client, connect, stop_owner
from bswirl.errors import InputError, UsageError
from bswirl.launch.estimate import Estimator, Measured, Range, estimate_run, measured_means
from bswirl.project import Project
from bswirl.records import NewQuestion, to_json
from tests.generation.chat import QUESTIONS, solve
from tests.launch.test_rounds import SETTINGS
from tests.serving.server import FaultServer

JUDGE = """
[judges.model]
endpoint = "here"
model = "served"
price_in = 3.0
price_out = 4.0
votes = 3
"""


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer(solve) as server:
        yield server


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, server: FaultServer) -> Iterator[Project]:
    project = Project.create(tmp_path_factory.mktemp("estimate") / "p")
    with project.settings_file.open("a") as settings:
        settings.write(SETTINGS.format(url=server.url) + JUDGE)
    yield project
    stop_owner(project)


@pytest.fixture(scope="module")
def client(project: Project) -> Iterator[Client]:
    with connect(project) as client:
        client.import_questions(
            [NewQuestion("sums", "train", q.external_id, q.text, q.gold) for q in QUESTIONS]
        )
        yield client


def generate(project: Project, **options: Any) -> launch.RunRequest:
    return launch.make_request("generate", project, {"policy": "chat", **options})


class TestBeforeAnyRun:
    def test_it_sends_and_writes_nothing(self, client: Client, project: Project, server: FaultServer) -> None:
        runs = list(project.runs_folder.iterdir())
        estimate_run(client, generate(project))
        assert list(project.runs_folder.iterdir()) == runs
        assert server.requests == []

    def test_calls_follow_from_questions_and_steps(self, client: Client, project: Project) -> None:
        """A solution each, and a call for each of its states; without branches only solutions."""
        bare = estimate_run(client, generate(project, branches=0, trajectories=3))
        assert bare.calls == Range(24, 24, 24)
        whole = estimate_run(client, generate(project, trajectories=3))
        assert whole.calls == Range(24 * 4, 24 * 6, 24 * 9)
        assert any("assumed" in note for note in whole.notes)

    def test_dollars_follow_from_tokens_and_prices(self, client: Client, project: Project) -> None:
        """The low end below the likely one below the high one."""
        found = estimate_run(client, generate(project))
        assert found.cost is not None
        likely = (found.prompt_tokens.likely * 1.0 + found.completion_tokens.likely * 2.0) / 1e6
        assert found.cost.likely == pytest.approx(likely, rel=0.01)
        for value in (found.cost, found.prompt_tokens, found.completion_tokens):
            assert value.low < value.likely < value.high

    def test_batches_cost_less(self, client: Client, project: Project) -> None:
        """By the discount of the settings, as a note says."""
        single = estimate_run(client, generate(project))
        request = generate(project, batch=True)
        (spec,) = request.policies.values()
        assert spec.served is not None
        cheap = replace(spec, served=replace(spec.served, batch_discount=0.25))
        batch = estimate_run(client, replace(request, policies={"chat": cheap}))
        assert single.cost is not None
        assert batch.cost is not None
        assert batch.cost.likely == pytest.approx(0.75 * single.cost.likely)
        assert any("25% less" in note for note in batch.notes)

    def test_twice_the_branches_are_twice_the_branches_tokens(self, client: Client, project: Project) -> None:
        """As many calls, each for twice as much."""
        one, two = (estimate_run(client, generate(project, branches=n)) for n in (1, 2))
        bare = estimate_run(client, generate(project, branches=0))
        assert one.calls == two.calls
        grown = two.completion_tokens.likely - bare.completion_tokens.likely
        assert grown == pytest.approx(2 * (one.completion_tokens.likely - bare.completion_tokens.likely))

    def test_without_a_price_there_are_no_dollars(self, client: Client, project: Project) -> None:
        request = generate(project)
        (spec,) = request.policies.values()
        assert spec.served is not None
        free = replace(spec, served=replace(spec.served, price_in=None, price_out=None))
        found = estimate_run(client, replace(request, policies={"chat": free}))
        assert found.cost is None
        assert any("no price" in note for note in found.notes)


class TestRefusals:
    def test_nothing_selected(self, client: Client, project: Project) -> None:
        with pytest.raises(InputError, match="other split"):
            estimate_run(client, generate(project, split="test"))

    def test_a_judge_by_rules_calls_nothing(self, client: Client, project: Project) -> None:
        with pytest.raises(UsageError, match="costs nothing"):
            estimate_run(client, launch.make_request("judge", project, {"judge": "reference"}))


class TestAfterARun:
    @pytest.fixture(scope="class")
    def done(self, client: Client, project: Project) -> launch.Estimate:
        """What was said of a run before it started; the run is done."""
        said: list[launch.Estimate] = []
        run = launch.start_run(client, project, generate(project), on_estimate=said.append)
        assert launch.wait_run(client, run.run_id).status == "done"
        return said[0]

    def test_the_run_was_within_its_range(
        self, done: launch.Estimate, client: Client, server: FaultServer
    ) -> None:
        assert done.calls.low <= len(server.completed) <= done.calls.high

    def test_its_means_are_used(self, done: launch.Estimate, client: Client, project: Project) -> None:
        """Steps and tokens of the next estimate are those that were measured; its calls are right."""
        run = client.runs(kind="generate")[0]
        means = measured_means(client, generate(project))
        assert means.runs == (run.run_id,)
        assert means.steps == run.summary["mean_steps"] == 3.0
        samples = run.summary["samples"] + run.summary["unparsed"]
        spent = run.summary["spending"]
        assert means.step_tokens == pytest.approx(spent["completion_tokens"] / samples)
        found = estimate_run(client, generate(project))
        assert found.calls.likely == spent["calls"] == 32
        assert found.completion_tokens.likely == pytest.approx(spent["completion_tokens"])
        assert found.measured_runs == (run.run_id,)

    def test_judging_counts_steps_and_votes(
        self, done: launch.Estimate, client: Client, project: Project
    ) -> None:
        """Answers go to no judge; three votes are two at least."""
        request = launch.make_request("judge", project, {"judge": "model"})
        steps = sum(
            not action.is_answer for q in QUESTIONS for action in client.tree(f"sums:{q.external_id}").actions
        )
        found = estimate_run(client, request)
        assert found.calls == Range(2 * steps, 2.5 * steps, 3 * steps)
        assert found.cost is not None
        assert found.cost.likely > 0

    def test_growing_counts_states(self, done: launch.Estimate, client: Client, project: Project) -> None:
        request = generate(project)
        grown = replace(request, settings={**request.settings, "grow": True})
        estimator = Estimator(grown)
        question = QUESTIONS[0]
        for number, more in ((1, 2), (2, 3)):
            estimator.add(
                {
                    "question": to_json(question),
                    "state_id": number,
                    "steps": [],
                    "trajectory": "t",
                    "more": more,
                }
            )
        found = estimator.estimate(Measured(step_tokens=10.0))
        assert found.calls.likely == 2
        assert found.completion_tokens.likely == 50
