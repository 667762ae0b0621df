"""Judges by name: rules, served models, local models, and the prompts that make them what they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.judging.catalogue import JUDGES, JudgeSpec, judge_names, resolve_judge
from bswirl.project import Project
from bswirl.prompts import Prompt, shipped, shipped_text

SETTINGS = """\
[endpoints.own]
url = "https://own.example/v1"
key = "OWN_KEY"
in_flight = 9

[judges.qwen]
endpoint = "own"
model = "Qwen/Qwen2.5-72B"
price_in = 1.2
votes = 5
max_tokens = 300

[judges.edited]
endpoint = "own"
model = "Qwen/Qwen2.5-72B"
prompt = "mine.toml"

[judges.here]
path = "smollm2"

[judges.gone]
path = "./gone"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.create(tmp_path / "p")
    made.settings_file.write_text(SETTINGS)
    (made.root / "mine.toml").write_text(shipped_text("judge") + "# mine\n")
    return made


class TestNames:
    def test_rules_come_first(self, project: Project) -> None:
        """They need no settings."""
        assert judge_names() == list(JUDGES)
        assert judge_names(project) == [*JUDGES, "qwen", "edited", "here", "gone"]

    def test_an_unknown_name(self, project: Project) -> None:
        """Those that there are are named."""
        with pytest.raises(UsageError, match="qwen, edited, here"):
            resolve_judge("quen", project)
        with pytest.raises(UsageError, match="unknown judge"):
            resolve_judge("qwen")


class TestServed:
    def test_is_whole(self, project: Project) -> None:
        """Model, endpoint, prompt and votes: nothing is left to be looked up."""
        spec = resolve_judge("qwen", project)
        assert (spec.kind, spec.model, spec.votes, spec.temperature) == ("served", "Qwen/Qwen2.5-72B", 5, 0.7)
        assert spec.max_tokens == 300
        assert spec.served is not None
        assert (spec.served.url, spec.served.key_variable) == ("https://own.example/v1", "OWN_KEY")
        assert (spec.served.in_flight, spec.served.price_in) == (9, 1.2)
        assert (spec.prompt, spec.prompt_sha) == (shipped_text("judge"), shipped("judge").sha)

    def test_goes_through_a_runs_config(self, project: Project) -> None:
        """As JSON and back."""
        for name in ("qwen", "here", "reference"):
            spec = resolve_judge(name, project)
            assert JudgeSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec

    def test_an_edited_prompt_is_another_judge(self, project: Project) -> None:
        """By the prompt of the settings, or one that is named."""
        edited = resolve_judge("edited", project)
        assert edited.prompt_sha == Prompt.parse(shipped_text("judge") + "# mine\n", "").sha
        named = resolve_judge("qwen", project, project.root / "mine.toml")
        assert named.prompt_sha == edited.prompt_sha != resolve_judge("qwen", project).prompt_sha
        assert named.name == "qwen"

    def test_a_prompt_that_is_wrong(self, project: Project, tmp_path: Path) -> None:
        """Missing, or for something else."""
        with pytest.raises(InputError, match="No such file"):
            resolve_judge("qwen", project, tmp_path / "none.toml")
        (tmp_path / "step.toml").write_text(shipped_text("step"))
        with pytest.raises(InputError, match="a prompt for a step, not for a judge"):
            resolve_judge("qwen", project, tmp_path / "step.toml")

    def test_rules_take_no_prompt(self, project: Project) -> None:
        """They would not read it."""
        with pytest.raises(UsageError, match="goes by rules"):
            resolve_judge("reference", project, project.root / "mine.toml")


class TestLocal:
    def test_a_model_on_this_machine(self, project: Project) -> None:
        """Known by what the settings call it, wherever the project lies."""
        spec = resolve_judge("here", project)
        assert (spec.kind, spec.model, spec.served) == ("local", "smollm2", None)
        assert spec.local is not None
        assert (spec.local.model, spec.local.few_shot) == ("smollm2", False)

    def test_a_folder_beside_the_project(self, project: Project) -> None:
        """Is found, and verdicts do not depend on where that is."""
        folder = project.root / "models" / "chat"
        folder.mkdir(parents=True)
        for name in ("config.json", "model.safetensors"):
            (folder / name).write_text("{}")
        project.settings_file.write_text('[judges.chat]\npath = "models/chat"\n')
        spec = resolve_judge("chat", project)
        assert spec.model == "models/chat"
        assert spec.local is not None
        assert spec.local.model == str(folder)

    def test_one_that_is_not_there(self, project: Project) -> None:
        """Said before anything starts."""
        with pytest.raises(BswirlError, match="no such model folder"):
            resolve_judge("gone", project)
