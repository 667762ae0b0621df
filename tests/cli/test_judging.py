"""Judging by a served model from the command line: edited prompts, votes, costs, and flips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bswirl.project import Project
from bswirl.prompts import shipped_text
from bswirl.serving import keys
from tests.cli.conftest import Call
from tests.judging.served_run import verdict
from tests.serving.server import FaultServer, Request, completion

SETTINGS = """\
[endpoints.here]
url = "{url}"

[judges]
ranking = ["answer-check", "reader"]

[judges.reader]
endpoint = "here"
model = "served"
price_in = 1.0
price_out = 2.0
"""
WRONG = ("48/2=22", "48-24=24")


def reply(request: Request) -> dict[str, Any]:
    """The shipped prompt's judge sees the mistakes; one with the edited prompt calls all correct."""
    step = request.prompt.partition("<step_to_judge>")[2]
    strict = "Be kind." not in request.body["messages"][0]["content"]
    is_wrong = any(part in step for part in WRONG)
    return completion([verdict(not (strict and is_wrong), True)], prompt_tokens=1000, completion_tokens=100)


@pytest.fixture
def server(tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """A server that the project's judge is at."""
    monkeypatch.setenv(keys.CONFIG_VARIABLE, str(tmp_path / "config"))
    with FaultServer(reply) as running:
        project.settings_file.write_text(SETTINGS.format(url=running.url), encoding="utf-8")
        yield running


@pytest.fixture
def kind_prompt(tmp_path: Path) -> Path:
    path = tmp_path / "kind.toml"
    path.write_text(shipped_text("judge").replace('system = """\\\n', 'system = """\\\nBe kind. '))
    return path


def rewards(on: Call) -> list[float]:
    actions = on("tree", "clips:q1", "--json").json["actions"]
    return [action["reward"] for action in actions if not action["is_answer"]]


def numbers(on: Call) -> list[dict[str, Any]]:
    found = on("judges", "list", "--json").json["judges"]
    return sorted(
        (row for row in found if row["verdicts"] and row["name"] == "reader"), key=lambda r: r["judge_id"]
    )


class TestAnEditedPrompt:
    def test_is_a_new_judge_that_decides_nothing_until_ranked(
        self, server: FaultServer, sampled: Call, kind_prompt: Path
    ) -> None:
        """Stored actions are judged again, none is sampled again; flips say what the prompt changed."""
        run = sampled("judge", "--judge", "reader", "--json")
        assert run.code == 0, run.err
        summary = run.json["summary"]
        assert (summary["judged"], summary["calls"]) == (6, 4)
        assert summary["cost"] == pytest.approx(4 * 1.2e-3) == pytest.approx(summary["spending"]["cost"])
        assert rewards(sampled) == [1.0, 0.0, 1.0, 0.0]
        samples = sampled("stats", "--json").json["samples"]

        again = sampled("judge", "--judge", "reader", "--prompt", kind_prompt, "--json")
        assert again.code == 0, again.err
        assert again.json["summary"]["calls"] == 4 == len(server.requests) - 4
        assert sampled("stats", "--json").json["samples"] == samples
        assert rewards(sampled) == [1.0, 0.0, 1.0, 0.0]
        first, second = numbers(sampled)
        assert (first["rank"] is None, second["rank"]) == (False, None)
        assert first["prompt_sha"] != second["prompt_sha"]

        wrong = [a for a in sampled("tree", "clips:q1", "--json").json["actions"] if WRONG[1] in a["text"]]
        assert sampled("audit", "set", wrong[0]["action_id"], 0).code == 0
        found = sampled("audit", "report", "--compare", "reader", "reader", "--json").json
        assert (found["a"]["judge_id"], found["b"]["judge_id"]) == (first["judge_id"], second["judge_id"])
        assert found["judged"] == {"both": 4, "only_a": 0, "only_b": 0}
        assert found["overall"]["correct"]["only_b"] == 2 == found["flipped"]
        assert [flip["agrees"] for flip in found["flips"]] == ["a", None]
        shown = sampled("audit", "report", "--compare", first["judge_id"], second["judge_id"], "--limit", 1)
        assert "1 agree with A, 0 with B" in shown.out
        assert "1 of 2 flips" in shown.err

        assert sampled("judges", "rank", second["judge_id"], 1).code == 0
        assert rewards(sampled) == [1.0, 1.0, 1.0, 0.0]  # the last by the label
        assert sampled("judges", "rank", second["judge_id"], "--never").code == 0
        assert rewards(sampled) == [1.0, 0.0, 1.0, 0.0]

    def test_judging_again_costs_nothing_more(self, server: FaultServer, sampled: Call) -> None:
        """What this judge has judged is left alone; with --again --reuse the record answers."""
        sampled("judge", "--judge", "reader")
        assert "nothing to do" in sampled("judge", "--judge", "reader").err
        assert len(server.requests) == 4
        run = sampled("judge", "--judge", "reader", "--again", "--reuse", "--json").json
        assert run["summary"]["spending"]["recorded"] == 4
        assert run["summary"]["spending"]["cost"] == 0
        assert len(server.requests) == 4

    def test_a_broken_prompt_costs_nothing(self, server: FaultServer, sampled: Call, tmp_path: Path) -> None:
        """One line that names file and line, before anything is asked."""
        path = tmp_path / "broken.toml"
        path.write_text('purpose = "judge"\nuser = "{question}"\n')
        said = sampled("judge", "--judge", "reader", "--prompt", path)
        assert said.code == 3
        assert f"{path}, line 2" in said.err
        assert not server.requests


class TestSpending:
    def test_a_limit_and_a_higher_one(self, server: FaultServer, sampled: Call) -> None:
        """The run stops below it, and goes on with `runs resume --max-cost`."""
        worst = 0.008  # more than one call can cost
        said = sampled("judge", "--judge", "reader", "--max-cost", worst, "--json")
        assert said.code == 1
        assert "limit" in said.err
        first = len(server.requests)
        assert first < 4
        run = sampled("runs", "list", "--json").json["runs"][0]
        assert run["status"] == "failed"
        assert sampled("runs", "resume", run["run_id"], "--max-cost", "nan").code == 2
        done = sampled("runs", "resume", run["run_id"], "--max-cost", 1, "--json")
        assert done.code == 0, done.err
        assert done.json["summary"]["calls"] == 4 == len(server.requests)

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("--judge", "reader", "--votes", 2), "can end in a tie"),
            (("--judge", "reference", "--votes", 3), "--votes does nothing for judge reference"),
            (("--judge", "reader", "--device", "cpu"), "--device does nothing for judge reader"),
            (("--judge", "reference", "--prompt", "x"), "goes by rules"),
            (("--judge", "reader", "--max-cost", 0), "above 0"),
        ],
    )
    def test_options_that_make_no_sense(
        self, server: FaultServer, sampled: Call, words: tuple[object, ...], message: str
    ) -> None:
        """Are refused before anything is asked."""
        said = sampled("judge", *words)
        assert (said.code, message in said.err) == (2, True), said.err
        assert not server.requests

    def test_a_limit_needs_prices(self, project: Project, server: FaultServer, sampled: Call) -> None:
        """Known before the run is made."""
        text = project.settings_file.read_text(encoding="utf-8")
        project.settings_file.write_text(text.replace("price_", "# price_"), encoding="utf-8")
        said = sampled("judge", "--judge", "reader", "--max-cost", 1)
        assert (said.code, "price_in" in said.err) == (2, True)
        assert [run["kind"] for run in sampled("runs", "list", "--json").json["runs"]] == ["import"]

    def test_a_run_that_costs_nothing_has_no_limit(self, sampled: Call) -> None:
        """Resuming one with a limit is a mistake."""
        sampled("judge", "--judge", "reference")
        assert sampled("runs", "resume", 2, "--max-cost", 1).code == 2


class TestViews:
    def test_votes_are_shown(self, server: FaultServer, sampled: Call) -> None:
        """Where a verdict is shown."""
        assert sampled("judge", "--judge", "reader", "--votes", 3, "--near-duplicates", "once").code == 0
        shown = sampled("audit", "next", "--open", "--json").json["next"]["detail"]
        (said,) = (found for found in shown["verdicts"] if found["judge"] == "reader")
        assert said["votes"]["asked"] == 2
        assert said["cost"] == pytest.approx(2.4e-3)

    def test_one_action_with_all_that_was_said(self, server: FaultServer, sampled: Call) -> None:
        """Why, votes, cost, and on request the reply itself, made safe."""
        hostile = verdict(True, True, "It is \x1b[31mright.")
        server.reply = lambda _: completion([hostile], prompt_tokens=1000, completion_tokens=100)
        assert sampled("judge", "--judge", "reader", "--votes", 3).code == 0
        shown = sampled("audit", "show", 1)
        assert "votes correct 2:0, progress 2:0; $0.0024" in shown.out
        assert "Correct: yes" not in shown.out
        raw = sampled("audit", "show", 1, "--raw").out
        assert "Correct: yes\nProgress: yes" in raw
        assert "\x1b" not in raw
        (said,) = sampled("audit", "show", 1, "--json").json["verdicts"]
        assert said["raw"] == hostile
        assert sampled("audit", "show", 99).code == 3

    def test_unjudged_says_why(self, server: FaultServer, sampled: Call) -> None:
        """In the summary; it counts as unjudged, and the next run asks again."""
        server.reply = lambda _: "I would rather not say."
        run = sampled("judge", "--judge", "reader", "--json").json
        assert run["summary"]["unjudged_reasons"] == {"unreadable": 4}
        assert rewards(sampled) == [None] * 4
        server.reply = reply
        assert sampled("judge", "--judge", "reader", "--json").json["summary"]["judged"] == 4
        assert rewards(sampled) == [1.0, 0.0, 1.0, 0.0]
