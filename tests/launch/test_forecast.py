"""Forecasts of training runs over a real owner, and runs that are refused before they exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bswirl import launch
from bswirl.client import Client, connect, stop_owner
from bswirl.errors import InputError, UsageError
from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.project import Project
from bswirl.records import NewQuestion
from tests.tiny import save_tiny_policy

QUESTIONS = 6


def sampled(dataset: str, rewards: tuple[float, ...]) -> Iterator[PlacedQuestion]:
    """Questions with one state each, where step k earned rewards[k] of an imported judge."""
    for number in range(QUESTIONS):
        question = NewQuestion(dataset, "train", str(number), "Ada has 2 pens and gets 3. How many?", "5")
        samples = tuple(
            PlacedSample(
                trajectory_id=f"{dataset}{number}",
                step=1,
                branch_id=branch,
                is_backbone=branch == 0,
                prefix=(),
                action=f"Step 1: 2 + 3 = {5 + branch}",
                is_answer=False,
                reward=reward,
                judge="reference",
                n_tokens=20,
            )
            for branch, reward in enumerate(rewards)
        )
        yield PlacedQuestion(question, samples)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project.create(tmp_path_factory.mktemp("forecast") / "p")
    with connect(project) as client:
        client.import_samples(sampled("live", (1.0, 0.0)), "live")
        client.import_samples(sampled("good", (1.0, 1.0)), "good")
        client.import_samples(sampled("bad", (0.0, 0.0)), "bad")
        client.rank_judge("reference", 1)
    yield project
    stop_owner(project)


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    with connect(project) as client:
        yield client


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_policy(tmp_path_factory.mktemp("policy") / "tiny"))


def request(project: Project, policy: str, **values: Any) -> launch.RunRequest:
    options = {"objective": "bswirl", "policy": policy, "device": "cpu", **values}
    return launch.train_request(project, **options)


def written(project: Project) -> set[str]:
    return {path.name for path in project.runs_folder.iterdir()}


class TestForecast:
    def test_is_of_what_the_run_would_freeze(self, client: Client, project: Project, policy: str) -> None:
        """The selection's questions, live and dead groups; nothing is written."""
        before = written(project), client.runs()
        made = launch.forecast_run(client, request(project, policy, probe_fraction=0.0))
        counts = made.counts
        assert (counts.questions, counts.groups, counts.live_groups) == (18, 18, 6)
        assert (counts.all_good_groups, counts.all_bad_groups) == (6, 6)
        assert counts.mean_reward == 0.5
        assert made.memory is not None
        assert not made.tokens_counted
        assert (written(project), client.runs()) == before

    def test_filters_and_held_out_questions(self, client: Client, project: Project, policy: str) -> None:
        """As the run's own selection has them."""
        made = launch.forecast_run(client, request(project, policy, dataset="live", probe_fraction=0.5))
        assert made.counts.probe_questions > 0
        assert made.counts.questions + made.counts.probe_questions == 6

    def test_the_tokenizer_counts_where_it_is_at_hand(
        self, client: Client, project: Project, policy: str
    ) -> None:
        """Asked to, and with the policy's files here."""
        made = launch.forecast_run(client, request(project, policy), tokenise=True)
        assert made.tokens_counted
        elsewhere = launch.forecast_run(client, request(project, "nobody/nothing"), tokenise=True)
        assert not elsewhere.tokens_counted
        assert elsewhere.memory is None

    def test_time_is_told_after_a_first_run(self, client: Client, project: Project, policy: str) -> None:
        """At the median speed of the newest run of the same policy in the same way; else unknown."""
        asked = request(project, policy, batch=3, max_steps=3, base_dtype="float32")
        assert launch.forecast_run(client, asked).seconds is None
        seen: list[Any] = []
        run = launch.start_run(client, project, asked, on_forecast=seen.append)
        done = launch.wait_run(client, run.run_id)
        assert done.status == "done", done.error
        assert [made.seconds for made in seen] == [None]
        made = launch.forecast_run(client, asked)
        speeds = sorted(value for _, value in client.metrics(run.run_id)["tokens_per_second"])
        assert len(speeds) == 3
        assert made.throughput is not None
        assert (made.throughput.run_id, made.throughput.tokens_per_second) == (run.run_id, speeds[1])
        assert made.seconds == made.num_tokens / speeds[1]
        for other in ({"base_dtype": "bfloat16"}, {"engine": "rows"}, {"objective": "swirl-onpolicy"}):
            changed = request(project, policy, **{"base_dtype": "float32", **other})
            assert launch.forecast_run(client, changed).seconds is None, other

    def test_other_runs_have_none(self, client: Client) -> None:
        """Judging has no forecast."""
        with pytest.raises(UsageError, match="a judge run has no forecast"):
            launch.forecast_run(client, launch.judge_request(judge="reference"))


class TestRefusal:
    @pytest.mark.parametrize(
        ("dataset", "objective", "words"),
        [
            ("good", "bswirl", "no live group"),
            ("bad", "bswirl", "no live group"),
            ("bad", "swirl", "nothing to reinforce"),
            ("bad", "sft", "no action has reward 1"),
        ],
    )
    def test_nothing_to_learn_starts_nothing(
        self, client: Client, project: Project, policy: str, dataset: str, objective: str, words: str
    ) -> None:
        """One clear line of kind 3, no run, no folder, and no forecast as if it would start."""
        before = written(project), client.runs()
        asked = request(project, policy, dataset=dataset, objective=objective)
        seen: list[Any] = []
        with pytest.raises(InputError, match=words) as caught:
            launch.start_run(client, project, asked, on_forecast=seen.append)
        assert caught.value.exit_code == 3
        assert caught.value.remedy
        assert "\n" not in str(caught.value)
        assert (written(project), client.runs(), seen) == (*before, [])
        assert words in str(launch.forecast_run(client, asked).refusal)

    def test_an_empty_selection_has_no_forecast(self, client: Client, project: Project, policy: str) -> None:
        """As when the run is started."""
        with pytest.raises(InputError, match="the run would have no input"):
            launch.forecast_run(client, request(project, policy, split="validation"))

    def test_hopeless_error_rates(self, project: Project, policy: str) -> None:
        """Said with the settings, before anything is selected."""
        with pytest.raises(UsageError, match="cannot be corrected"):
            request(project, policy, judge_fpr=0.5, judge_fnr=0.4)
