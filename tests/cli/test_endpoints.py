"""Endpoints from the command line: prompts, lists, `doctor`, and where a key shows: nowhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from bswirl.cli import trusting
from bswirl.project import Project
from bswirl.prompts import shipped, shipped_text
from bswirl.serving import keys
from bswirl.serving.calls import ServedModel
from tests.cli.conftest import Call
from tests.serving.server import FaultServer, Request, status

KEY = "planted-key-0123456789"
VERDICT = "Done again, it is right.\nCorrect: yes\nProgress: yes"

SETTINGS = """\
[endpoints.own]
url = "{url}"
key = "OWN_KEY"

[policies.writer]
endpoint = "own"
model = "served"

[judges.reader]
endpoint = "own"
model = "served"

[judges.spoilt]
endpoint = "own"
model = "served"
prompt = "none.toml"
"""


@pytest.fixture(autouse=True)
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.CONFIG_VARIABLE, str(tmp_path / "config"))
    monkeypatch.setenv("OWN_KEY", KEY)
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)


def configure(project: Project, url: str = "https://own.example/v1") -> None:
    project.settings_file.write_text(SETTINGS.format(url=url), encoding="utf-8")


class TestPrompts:
    def test_lists_shipped_and_own(self, on: Call, project: Project) -> None:
        """With who uses them, and what is wrong with one."""
        configure(project)
        found = on("prompts", "list", "--json").json["prompts"]
        assert [row["prompt"] for row in found[:3]] == ["solution", "step", "judge"]
        assert found[2]["sha"] == shipped("judge").sha
        assert found[3]["used_by"] == ["judge spoilt"]
        assert "No such file" in found[3]["error"]
        assert "judge spoilt" in on("prompts", "list").out

    def test_shows_what_is_sent(self, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Messages with their placeholders; no project is needed."""
        monkeypatch.chdir(tmp_path)
        said = call("prompts", "show", "judge", "--json").json
        assert said["messages"][0]["role"] == "system"
        assert "{step}" in said["messages"][-1]["content"]
        assert "<step_to_judge>" in call("prompts", "show", "judge").out

    def test_a_copy_can_be_edited_and_is_checked(self, call: Call, tmp_path: Path) -> None:
        """The copy is the shipped prompt to the byte; a mistake in it has a line."""
        copy = tmp_path / "mine" / "judge.toml"
        assert call("prompts", "copy", "judge", copy).code == 0
        assert copy.read_text(encoding="utf-8") == shipped_text("judge")
        assert call("prompts", "check", copy, "--json").json["sha"] == shipped("judge").sha
        copy.write_text(shipped_text("judge").replace("{step}\n</step", "{sttep}\n</step"))
        said = call("prompts", "check", copy)
        assert said.code == 3
        assert f"{copy}, line " in said.err
        assert "did you mean {step}?" in said.err

    def test_nothing_is_overwritten(self, call: Call, tmp_path: Path) -> None:
        """An edited prompt is work."""
        (tmp_path / "p.toml").write_text("mine")
        assert call("prompts", "copy", "step", tmp_path / "p.toml").code == 2
        assert (tmp_path / "p.toml").read_text() == "mine"

    def test_escapes_in_a_prompt_do_not_reach_the_terminal(self, call: Call, tmp_path: Path) -> None:
        """A prompt may come from somebody else."""
        (tmp_path / "p.toml").write_text('purpose = "solution"\nuser = "{question}\\u001b]0;owned"')
        said = call("prompts", "check", tmp_path / "p.toml")
        assert said.code == 0
        assert "\x1b" not in said.out


class TestLists:
    def test_judges_that_have_never_judged(self, on: Call, project: Project) -> None:
        """They can be asked for; one that is wrong says why."""
        configure(project)
        found = {row["name"]: row for row in on("judges", "list", "--json").json["judges"]}
        assert found["reader"]["model"] == "served"
        assert found["reader"]["endpoint"] == "own"
        assert found["reader"]["prompt_sha"] == shipped("judge").sha
        assert (found["reader"]["rank"], found["reader"]["verdicts"]) == (None, 0)
        assert found["reference"]["kind"] == "rules"
        assert "none.toml" in found["spoilt"]["error"]
        assert "none.toml" in on("judges", "list").out

    def test_a_judge_that_has_judged_stands_once(self, sampled: Call) -> None:
        """With its verdicts."""
        assert sampled("judge", "--judge", "reference").code == 0
        found = [
            row for row in sampled("judges", "list", "--json").json["judges"] if row["name"] == "reference"
        ]
        assert [row["verdicts"] for row in found] == [4]
        assert found[0]["configured"]

    def test_served_policies(self, on: Call, project: Project) -> None:
        """With their endpoint; they need no torch."""
        configure(project)
        found = {row["name"]: row for row in on("policies", "list", "--json").json["policies"]}
        assert found["writer"]["served"]["endpoint"] == "own"
        assert found["writer"]["prompts"] == ["solution", "step"]
        assert "own" in on("policies", "list").out


class TestTrust:
    def test_is_said_once(self, on: Call, project: Project) -> None:
        """Of an endpoint in the settings."""
        configure(project)
        said = on("doctor", "--trust", "own")
        assert (said.code, said.err) == (0, "the key in $OWN_KEY may be sent to https://own.example/v1\n")
        about = {finding["about"]: finding for finding in on("doctor", "--json").json["findings"]}
        assert about["endpoint own"]["says"].endswith("key in $OWN_KEY: set, may be sent")

    def test_without_a_project(self, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By variable and address, on a machine that only works on run folders."""
        monkeypatch.chdir(tmp_path)
        assert call("doctor", "--trust", "OWN_KEY@https://own.example/v1/").code == 0
        assert keys.is_trusted(ServedModel("x", "https://own.example/v1", "m", key_variable="OWN_KEY"))

    @pytest.mark.parametrize(
        ("named", "code", "words"),
        [
            ("nobody", 2, "no endpoint 'nobody'"),
            (f"{KEY}@https://own.example/v1", 3, "must be the name of an environment variable"),
            ("OWN_KEY@http://own.example/v1", 3, "unencrypted"),
            ("OWN_KEY@https://u:p@own.example/v1", 3, "user name or password"),
        ],
    )
    def test_what_is_none(self, on: Call, named: str, code: int, words: str) -> None:
        """One line, without a key."""
        said = on("doctor", "--trust", named)
        assert said.code == code
        assert words in said.err
        assert KEY not in said.err

    def test_a_broken_file_is_found(self, on: Call, project: Project) -> None:
        """Doctor says how to mend it."""
        configure(project)
        keys.trust("https://own.example/v1", "OWN_KEY")
        keys.trust_file().write_text("{")
        findings = on("doctor", "--json").json["findings"]
        assert any(f["about"] == "trusted endpoints" and f["status"] == "bad" for f in findings)

    def test_nobody_is_asked_without_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is no then."""
        monkeypatch.setattr("click.confirm", lambda *_, **__: pytest.fail("asked"))
        assert not trusting.ask_trust(ServedModel("own", "https://x/v1", "m", key_variable="OWN_KEY"))

    def test_somebody_at_a_terminal_is_asked(self) -> None:
        """The address and the variable are shown; return alone means no."""
        code = (
            "from bswirl.cli.trusting import ask_trust; from bswirl.serving.calls import ServedModel;"
            "print(ask_trust(ServedModel('own', 'https://x/v1', 'm', key_variable='OWN_KEY')))"
        )
        said = []
        for answer in (b"\n", b"y\n"):
            main, other = pty.openpty()
            child = subprocess.Popen(
                [sys.executable, "-c", code], stdin=other, stdout=subprocess.PIPE, stderr=other
            )
            os.close(other)
            os.write(main, answer)
            out, _ = child.communicate(timeout=30)
            assert b"Send the key in $OWN_KEY to https://x/v1? [y/N]" in os.read(main, 4096)
            os.close(main)
            said.append(out.strip())
        assert said == [b"False", b"True"]


class TestBeforeARun:
    def test_an_endpoint_that_is_not_trusted_gets_nothing(self, sampled: Call, project: Project) -> None:
        """One line with the command, and no run."""
        with FaultServer(lambda _: VERDICT) as server:
            configure(project, server.url)
            said = sampled("judge", "--judge", "reader")
            assert (server.requests, server.others) == ([], [])
        assert said.code == 1
        assert "bswirl doctor --trust own" in said.err
        assert said.err.count("\n") == 1
        assert [run["kind"] for run in sampled("runs", "list", "--json").json["runs"]] == ["import"]

    def test_a_key_that_is_not_set(
        self, sampled: Call, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """For policies as for judges."""
        configure(project)
        monkeypatch.delenv("OWN_KEY")
        for words in (("judge", "--judge", "reader"), ("generate", "--policy", "writer")):
            said = sampled(*words)
            assert said.code == 1
            assert "$OWN_KEY, which is not set" in said.err


class TestAKeyShowsNowhere:
    """A server that repeats the key in everything it says."""

    @staticmethod
    def traces(project: Project, tmp_path: Path) -> list[Path]:
        """The files of project and configuration in which the key stands."""
        return [
            path
            for path in (*project.root.rglob("*"), *(tmp_path / "config").rglob("*"))
            if path.is_file() and KEY.encode() in path.read_bytes()
        ]

    def test_of_a_run_that_ends_well(self, sampled: Call, project: Project, tmp_path: Path) -> None:
        """Neither in store, journal, ledger, log and config, nor on the screen."""
        with FaultServer(lambda _: f"My key is {KEY}.\n{VERDICT}") as server:
            configure(project, server.url)
            assert sampled("doctor", "--trust", "own").code == 0
            said = sampled("judge", "--judge", "reader")
            assert said.code == 0, said.err
            shown = [
                sampled(*words)
                for words in (
                    ("doctor", "--endpoints", "--json"),
                    ("runs", "show", "2", "--json"),
                    ("runs", "logs", "2"),
                    ("judges", "list", "--json"),
                    ("policies", "list", "--json"),
                    ("tree", "1", "--json"),
                )
            ]
            assert {request.headers.get("authorization") for request in server.requests} == {f"Bearer {KEY}"}
        assert all(one.code == 0 for one in shown if one is not shown[0])
        assert b"Done again" in (project.run_folder(2) / "journal.jsonl").read_bytes()
        assert self.traces(project, tmp_path) == []
        assert not [one for one in (said, *shown) if KEY in one.out + one.err]

    def test_of_a_run_whose_key_is_refused(self, sampled: Call, project: Project, tmp_path: Path) -> None:
        """It ends with one clear line before anything is paid."""

        def refuse(request: Request) -> object:
            return status(401, f"Incorrect API key provided: {request.headers['authorization']}")

        with FaultServer(refuse) as server:  # type: ignore[arg-type]
            configure(project, server.url)
            sampled("doctor", "--trust", "own")
            said = sampled("judge", "--judge", "reader")
            assert server.completed == []
        assert said.code == 1
        assert "refuses the key in $OWN_KEY" in said.err
        assert KEY not in said.out + said.err
        assert self.traces(project, tmp_path) == []
