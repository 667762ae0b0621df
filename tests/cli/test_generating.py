"""`bswirl generate` on a served policy: one run, what it would cost, and rounds until groups are live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bswirl.client import connect
from bswirl.project import Project
from bswirl.records import NewQuestion
from tests.cli.conftest import Call
from tests.generation.chat import QUESTIONS, solve
from tests.launch.test_rounds import SETTINGS
from tests.serving.server import FaultServer

BRANCHED = ("--branches", 1, "--max-branches", 5)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(solve) as server:
        yield server


@pytest.fixture
def sums(project: Project, server: FaultServer) -> Path:
    with project.settings_file.open("a") as settings:
        settings.write(SETTINGS.format(url=server.url))
    with connect(project) as client:
        client.import_questions(
            [NewQuestion("sums", "train", q.external_id, q.text, q.gold) for q in QUESTIONS[:3]]
        )
    return project.root


class TestOneRun:
    def test_what_it_would_cost_and_what_it_cost(self, on: Call, sums: Path, server: FaultServer) -> None:
        """Dry: nothing is asked. Then the run, with the estimate said first; stats has its cost."""
        dry = on("generate", "--policy", "chat", "--dry-run", "--json")
        assert dry.code == 0
        assert set(dry.json) >= {"calls", "prompt_tokens", "completion_tokens", "cost", "notes"}
        assert on("runs", "list", "--json").json["runs"] == []
        assert server.requests == []
        words = on("generate", "--policy", "chat", "--dry-run")
        assert "18 (12 to 27)" in words.out
        assert "assumed" in words.out
        run = on("generate", "--policy", "chat", "--json")
        assert (run.code, run.json["summary"]["samples"], run.json["summary"]["failed"]) == (0, 45, 0)
        assert "served: 18 (12 to 27) calls" in run.err
        stats = on("stats", "--json").json
        assert stats["cost"] == pytest.approx(run.json["summary"]["spending"]["cost"])
        assert stats["cost_per_live_group"] is None

    def test_a_judge_by_rules_costs_nothing(self, on: Call, sums: Path) -> None:
        """What it would take is not known before one has run; after that it is."""
        on("generate", "--policy", "chat", "--json")
        dry = on("judge", "--judge", "reference", "--dry-run").out
        assert "no endpoint is called" in dry
        assert "not known yet" in dry
        assert on("judge", "--judge", "reference").code == 0
        again = on("judge", "--judge", "reference", "--again", "--dry-run", "--json").json
        assert again["seconds"]["low"] <= again["seconds"]["likely"] <= again["seconds"]["high"]


class TestRounds:
    def test_rounds_and_their_sums(self, on: Call, sums: Path) -> None:
        """A line a round on stderr, the table on stdout; --json has both."""
        said = on("generate", "--policy", "chat", "--until-live", "--judge", "reference", *BRANCHED, "--json")
        assert said.code == 0, said.err
        total, rounds = said.json["total"], said.json["rounds"]
        assert total["samples"] == sum(done["samples"] for done in rounds)
        assert total["undecided"] == 0
        assert "round 1: 18 samples" in said.err
        stats = on("stats", "--json").json
        assert stats["live_groups"] == total["live"]
        if total["live"]:
            assert stats["cost_per_live_group"] == pytest.approx(total["cost_per_live_group"])

    def test_words(self, on: Call, sums: Path) -> None:
        rule = ("--until-live", "--judge", "reference", "--limit", 1, "--max-branches", 4)
        said = on("generate", "--policy", "chat", *rule)
        assert said.code == 0, said.err
        assert "cost per live group" in said.out
        assert "stopped" in said.out

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            (("--judge", "reference"), "only with --until-live"),
            (("--until-live",), "needs --judge"),
            (("--until-live", "--judge", "reference", "--detach"), "leave out --detach"),
            (("--until-live", "--judge", "reference", "--dry-run"), "--dry-run knows no verdicts"),
            (("--until-live", "--judge", "reference", "--branches", 20), "more than --max-branches"),
            (("--device", "cpu"), "--device is for local models"),
        ],
    )
    def test_what_does_not_go_together(
        self, on: Call, sums: Path, words: tuple[object, ...], complaint: str
    ) -> None:
        said = on("generate", "--policy", "chat", *words)
        assert said.code == 2
        assert complaint in said.err
