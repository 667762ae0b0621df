"""Commands that only read, on a project with a branched solution."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bswirl.project import Project
from tests.cli.conftest import Call

HOSTILE = "Step 1: [/foo] [bold]\x1b]0;owned\x07\u202e 2+2=4"


class TestStats:
    """`bswirl stats`."""

    def test_counts(self, sampled: Call) -> None:
        """Everything that the design names is there, and right for one question with six samples."""
        values = sampled("stats", "--json").json
        expected = {"questions": 1, "trajectories": 1, "states": 3, "actions": 6, "samples": 6}
        assert {key: values[key] for key in expected} == expected
        assert (values["judged"], values["unjudged"], values["labels"]) == (0, 6, 0)
        assert set(values["runs"]) >= {"generate", "judge", "train", "evaluate"}
        assert {"unparsed", "live_groups", "dead_groups", "mean_reward", "curves", "evaluations"} <= set(
            values
        )

    def test_without_a_terminal_no_command_prints_them(self, sampled: Call) -> None:
        """`bswirl` alone prints the same as `bswirl stats` where there is no terminal."""
        assert sampled().out == sampled("stats").out
        assert "samples" in sampled().out


class TestQuestions:
    """`bswirl questions`."""

    def test_lists(self, sampled: Call) -> None:
        """One line a question with what its tree holds."""
        said = sampled("questions")
        assert "clips:q1" in said.out
        row = sampled("questions", "--json").json["questions"][0]
        assert (row["address"], row["actions"], row["samples"]) == ("clips:q1", 6, 6)

    def test_filters(self, sampled: Call) -> None:
        """Filters and search narrow the list; an unknown dataset or word leaves none."""
        assert sampled("questions", "--filter", "labelled", "--json").json["total"] == 0
        assert sampled("questions", "--search", "clips", "--json").json["total"] == 1
        assert sampled("questions", "--search", "zebra", "--json").json["total"] == 0


class TestTree:
    """`bswirl tree`."""

    def test_shows_numbers_and_texts(self, sampled: Call) -> None:
        """Every action is shown with its number, a step below the one that leads to it."""
        said = sampled("tree", "clips:q1")
        actions = sampled("tree", "1", "--json").json["actions"]
        lines = said.out.splitlines()
        for action in actions:
            line = next(line for line in lines[1:] if f" {action['action_id']}  R=" in line)
            assert action["text"] in line
        depth = [line.index("Step" if "Step" in line else "Answer") for line in lines[1:]]
        assert sorted(set(depth)) == sorted(depth[0] + 4 * step for step in range(3))

    @pytest.mark.parametrize("question", ["clips:none", "99", "nonsense"])
    def test_unknown_question(self, sampled: Call, question: str) -> None:
        """A question that is not there ends with 3 and one line."""
        said = sampled("tree", question)
        assert (said.code, said.out, said.err.count("\n")) == (3, "", 1)

    def test_hostile_text(self, on: Call, tmp_path: Path) -> None:
        """Escapes and markup of model text do not reach the terminal, in words or JSON."""
        row = {"question_id": "1", "step": 1, "branch_id": 0, "is_backbone": True, "reward": None}
        row |= {"state": "Q\x1b[2J", "action": HOSTILE, "dataset": "h"}
        file = tmp_path / "h.jsonl"
        file.write_text(json.dumps(row) + "\n")
        assert on("import", "branched", file).code == 0
        for words in (["tree", "h:1"], ["tree", "h:1", "--json"], ["questions"], ["questions", "--json"]):
            said = on(*words)
            assert said.code == 0
            assert not set(said.out) & {"\x1b", "\x07", "\u202e"}
        assert "[/foo] [bold]" in on("tree", "h:1").out
        assert on("tree", "h:1", "--json").json["actions"][0]["text"] == HOSTILE


class TestEncoding:
    """Terminals without Unicode."""

    def test_what_cannot_be_shown_is_replaced(self, sampled: Call, project: Project) -> None:
        """A Latin-1 terminal gets question marks, and no error."""
        command = [sys.executable, "-m", "bswirl.cli", "-p", str(project.root), "tree", "1"]
        environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
        done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"Step 1" in done.stdout


class TestPolicies:
    """`bswirl policies list`."""

    def test_lists_builtin_and_own(self, on: Call, tmp_path: Path) -> None:
        """Builtin policies and those of the settings are listed; a broken one says what is wrong."""
        settings = tmp_path / "project" / "bswirl.toml"
        settings.write_text('[policies.mine]\npath = "./none"\n')
        found = {policy["name"]: policy for policy in on("policies", "list", "--json").json["policies"]}
        assert found["smollm2"]["error"] is None
        assert "no such model folder" in found["mine"]["error"]

    def test_broken_settings(self, on: Call, tmp_path: Path) -> None:
        """Broken TOML is one line that names file and line."""
        (tmp_path / "project" / "bswirl.toml").write_text("[policies\n")
        said = on("policies", "list")
        assert said.code == 3
        assert "bswirl.toml" in said.err
        assert "line 1" in said.err


class TestDoctor:
    """`bswirl doctor`."""

    def test_says_what_it_found(self, sampled: Call) -> None:
        """Versions, machine and project are each looked at; the project's owner answers."""
        found = sampled("doctor", "--json").json
        about = {finding["about"]: finding for finding in found["findings"]}
        looked_at = "bswirl,Python,packages,extra [math],cache,project,owner,store,terminal"
        assert set(looked_at.split(",")) <= set(about)
        assert about["store"]["says"] == "1 questions, 6 samples"

    def test_broken_settings_are_found(self, on: Call, tmp_path: Path) -> None:
        """A project that is not in order makes doctor end with 1 and say why."""
        (tmp_path / "project" / "bswirl.toml").write_text("auditor = 3\n")
        said = on("doctor", "--json")
        assert said.code == 1
        assert any(
            finding["status"] == "bad" and "auditor" in finding["says"] for finding in said.json["findings"]
        )
