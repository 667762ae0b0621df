"""What a form may say about rounds until groups are live."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bswirl.cli.generating import generate
from bswirl.errors import BswirlError, UsageError
from bswirl.launch import (
    checked_command,
    command_again,
    conducted,
    form_command,
    form_options,
    make_request,
    split_rule,
)
from bswirl.launch.conducted import ROUND_OPTIONS
from bswirl.launch.rounds import UntilLive
from bswirl.project import Project
from bswirl.prompts import shipped_text
from bswirl.records import Run

FILLED: dict[str, Any] = {
    "policy": "demo", "until_live": True, "judge": "the judge", "round_size": "3", "dead_below": None,
}  # fmt: skip


class TestAnyFolder:
    """A command that is copied, and the process that conducts rounds, are not where one typed."""

    @pytest.fixture
    def project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
        """With a judge, and a model folder and a prompt file in the folder where one types."""
        project = Project.create(tmp_path / "p")
        with project.settings_file.open("a") as settings:
            settings.write('[endpoints.here]\nurl = "http://127.0.0.1:1"\n')
            settings.write('[judges.model]\nendpoint = "here"\nmodel = "served"\n')
        model = tmp_path / "model"
        model.mkdir()
        (model / "config.json").write_text("{}")
        (model / "model.safetensors").write_text("")
        (tmp_path / "p.txt").write_text(shipped_text("judge"))
        monkeypatch.chdir(tmp_path)
        return project

    @pytest.mark.parametrize(
        ("kind", "values", "words"),
        [
            ("judge", {"judge": "model", "prompt": "p.txt"}, "judge --judge model --prompt {folder}/p.txt"),
            ("generate", {"policy": "./model", "limit": "2"}, "generate --policy {folder}/model --limit 2"),
            ("evaluate", {"policy": "model"}, "evaluate --policy {folder}/model"),
        ],
    )
    def test_paths_are_absolute(
        self, project: Project, tmp_path: Path, kind: str, values: dict[str, Any], words: str
    ) -> None:
        client: Any = None  # nothing is looked up for these
        assert checked_command(client, project, kind, values) == f"bswirl {words.format(folder=tmp_path)}"
        settings = make_request(kind, project, values).settings
        run = Run(1, "u", kind, "n", "done", {"settings": settings, "select": {}}, "")
        again = command_again(run)
        assert all(str(tmp_path) in again for _ in words.split("{folder}")[1:])

    def test_rounds_that_end_at_once_were_not_started(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the process said last is why."""
        words = "import sys; print('first', file=sys.stderr); sys.exit('no such thing')"

        def spawned(_module: str, _arguments: Any, *, output: Any, **_: Any) -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, "-c", words], stderr=output)

        monkeypatch.setattr(conducted, "spawn_module", spawned)
        with pytest.raises(BswirlError, match="the rounds ended at once: no such thing"):
            conducted._conduct(project, FILLED, project.state_folder / "until-live-1.lock")


class TestRule:
    def test_the_command_has_the_rule(self) -> None:
        """Quoted, and without what is as usual."""
        assert form_command("generate", FILLED) == (
            "bswirl generate --policy demo --until-live --judge 'the judge' --round-size 3"
        )

    def test_options_and_rule_are_told_apart(self) -> None:
        options, rule = split_rule(FILLED)
        assert options == {"policy": "demo"}
        assert UntilLive(**rule) == UntilLive("the judge", round_size=3)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"until_live": False, "judge": "j"}, "--judge: only with --until-live"),
            ({"until_live": True, "judge": None}, "--judge is needed"),
            ({"until_live": True, "judge": "j", "dead_below": "1"}, "--dead-below must be"),
        ],
    )
    def test_what_makes_no_sense(self, values: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError, match=words):
            form_command("generate", {"policy": "demo", **values})

    def test_defaults_are_those_of_the_rounds(self) -> None:
        """And the shell knows each of the flags."""
        rule = UntilLive("j")
        for option in ROUND_OPTIONS[2:]:
            assert option.default == getattr(rule, option.name)
        known = {flag for parameter in generate.params for flag in parameter.opts}
        assert {option.flag for option in ROUND_OPTIONS} <= known

    def test_other_runs_have_none(self) -> None:
        """A judge of a judge run is no judge of rounds."""
        assert split_rule({"judge": "reference"}) == ({"judge": "reference"}, {})
        assert not {option.name for option in form_options("evaluate")} & {"until_live"}
