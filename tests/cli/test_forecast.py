"""`bswirl train --forecast`, and what `bswirl train` says before it starts."""

from pathlib import Path

import pytest

from bswirl.launch.forecast_words import forecast_facts, forecast_lines
from bswirl.project import Project
from bswirl.training.counts import Counts
from bswirl.training.forecast import Forecast, Throughput
from bswirl.training.memory import Memory
from tests.cli.conftest import Call
from tests.tiny import save_tiny_policy


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_policy(tmp_path_factory.mktemp("policy") / "tiny")


def known() -> Forecast:
    counts = Counts(
        questions=9,
        probe_questions=1,
        groups=20,
        live_groups=6,
        all_good_groups=10,
        all_bad_groups=4,
        actions=50,
        samples=100,
        reward=60.0,
        answers=9,
        astray_answers=3,
        astray_answer_groups=2,
        trained_questions=5,
        trained_actions=18,
        trained_samples=30,
    )
    return Forecast(
        objective="bswirl",
        counts=counts,
        optimiser_steps=2,
        passes=2.0,
        tree_tokens=1000,
        row_tokens=6000,
        tokens_counted=False,
        num_tokens=2000,
        future_live={5: 0.49},
        refusal=None,
        memory=Memory(3 << 30, 1 << 20, 1 << 29, 1 << 10),
        seconds=3725.0,
        throughput=Throughput(4, 0.5),
    )


class TestWords:
    def test_lines_before_a_run(self) -> None:
        """Live and dead groups and why, answers behind wrong steps, steps, tokens, memory, time."""
        assert list(forecast_lines(known())) == [
            "9 questions, 6 of 20 groups live (10 dead with every reward 1, 4 with every reward 0), "
            "50 actions with 100 samples, mean reward 0.600",
            "3 of 9 answers stand behind a step with reward 0 (2 groups); if it was wrong, they match gold "
            "by accident alone",
            "2 steps, about 1,000 tokens a pass as trees (6,000 as rows), 2,000 in all; memory about 3.5 GB, "
            "time about 1:02:05 at the speed of run 4",
        ]

    def test_facts(self) -> None:
        """The same with names, and what a new group would be."""
        facts = dict(forecast_facts(known()))
        assert facts["new groups of 5"] == "49% would be live"
        assert str(facts["memory"]).endswith("activations 512.0 MB, output head 1 kB")
        assert "would not start" not in facts


class TestForecast:
    def test_alone_starts_nothing(self, sampled: Call, project: Project, policy: Path) -> None:
        """Facts on stdout, or one object with `--json`; no run, no folder."""
        sampled("judge")
        runs = len(list(project.runs_folder.iterdir()))
        words = ("train", "--objective", "bswirl", "--policy", policy, "--device", "cpu", "--forecast")
        said = sampled(*words)
        assert (said.code, said.err) == (0, "")
        assert "3 of 3 groups live" in said.out
        values = sampled(*words, "--json").json
        assert (values["questions"], values["live_groups"], values["optimiser_steps"]) == (1, 3, 2)
        assert (values["tokens_counted"], values["refusal"], values["seconds"]) == (True, None, None)
        assert len(list(project.runs_folder.iterdir())) == runs
        assert sampled("stats", "--json").json["runs"]["train"] == 0

    def test_what_would_be_refused_is_still_forecast(self, sampled: Call, policy: Path) -> None:
        """The numbers that say why, and the line that a start would end with."""
        sampled("judge")
        for row in sampled("tree", "clips:q1", "--json").json["actions"]:
            sampled("audit", "set", row["action_id"], "1")
        words = ("train", "--objective", "bswirl", "--policy", policy, "--device", "cpu")
        said = sampled(*words, "--forecast")
        assert said.code == 0
        assert "3 dead with every reward 1" in said.out
        assert "no live group" in said.out
        refused = sampled(*words)
        assert (refused.code, refused.out, refused.err.count("\n")) == (3, "", 1)
        assert "no live group" in refused.err
        assert sampled("stats", "--json").json["runs"]["train"] == 0

    def test_not_with_detach(self, sampled: Call, policy: Path) -> None:
        """Nothing to leave running."""
        said = sampled("train", "--objective", "bswirl", "--policy", policy, "--forecast", "--detach")
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)


class TestTrain:
    def test_says_what_it_will_be_before_it_starts(self, sampled: Call, policy: Path) -> None:
        """On stderr, so that stdout is the run's alone."""
        sampled("judge")
        said = sampled(
            "train",
            "--objective",
            "bswirl",
            "--policy",
            policy,
            "--device",
            "cpu",
            "--max-steps",
            1,
            "--json",
        )
        assert said.code == 0, said.err
        first, second, *_ = said.err.splitlines()
        assert first.startswith("1 questions, 3 of 3 groups live")
        assert second.startswith("1 steps, about ")
        assert said.json["status"] == "done"
