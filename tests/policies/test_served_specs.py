"""Served policies by name: what their specs hold, and what cannot be done with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bswirl.errors import InputError, UsageError
from bswirl.launch import evaluate_request, generate_request, train_request
from bswirl.launch.keys import models_of
from bswirl.launch.requests import judge_request, policies_json
from bswirl.policies.catalogue import PolicySpec, open_policy, resolve_policy
from bswirl.project import Project
from bswirl.prompts import shipped_text

SETTINGS = """\
[policies.writer]
endpoint = "together"
model = "Qwen/Qwen2.5-7B-Instruct-Turbo"
price_in = 0.3
price_out = 0.3
step_prompt = "mine.toml"

[judges.reader]
endpoint = "together"
model = "Qwen/Qwen2.5-72B"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.create(tmp_path / "p")
    made.settings_file.write_text(SETTINGS)
    (made.root / "mine.toml").write_text(shipped_text("step") + "# mine\n")
    return made


class TestSpec:
    def test_is_whole(self, project: Project) -> None:
        """Model, endpoint, prices and the text of both prompts."""
        spec = resolve_policy("writer", project)
        assert (spec.kind, spec.model) == ("served", "Qwen/Qwen2.5-7B-Instruct-Turbo")
        assert spec.served is not None
        assert (spec.served.url, spec.served.price_in) == ("https://api.together.xyz/v1", 0.3)
        assert spec.prompts == {
            "solution": shipped_text("solution"),
            "step": shipped_text("step") + "# mine\n",
        }

    def test_goes_through_a_runs_config(self, project: Project) -> None:
        """As JSON and back."""
        spec = resolve_policy("writer", project)
        assert PolicySpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec

    def test_specs_of_earlier_runs_are_read(self) -> None:
        """They know nothing of endpoints."""
        spec = PolicySpec.from_json({"name": "demo", "model": "smollm2", "kind": "local"})
        assert (spec.served, spec.prompts) == (None, {})

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (shipped_text("judge"), "a prompt for a judge, not for a step"),
            ("user = 3", "`purpose` is missing"),
        ],
    )
    def test_a_prompt_that_is_wrong(self, project: Project, text: str, words: str) -> None:
        """Said before anything starts."""
        (project.root / "mine.toml").write_text(text)
        with pytest.raises(InputError, match=words):
            resolve_policy("writer", project)


class TestRequests:
    def test_no_packages_are_needed(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """A laptop without torch can sample a served policy, and be judged by one."""
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
        request = generate_request(project, policy="writer")
        assert policies_json(request)["writer"]["served"]["model"] == "Qwen/Qwen2.5-7B-Instruct-Turbo"
        assert [model.model for model in request.served] == ["Qwen/Qwen2.5-7B-Instruct-Turbo"]
        assert evaluate_request(project, policy="writer").served == request.served
        assert judge_request(project, judge="reader").judge is not None

    @pytest.mark.parametrize(
        ("option", "value"), [("device", "cuda"), ("device", "cpu"), ("load_in_4bit", True)]
    )
    def test_it_runs_elsewhere(self, project: Project, option: str, value: object) -> None:
        """What is said about this machine would be ignored."""
        for build in (generate_request, evaluate_request):
            with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} is for local models"):
                build(project, policy="writer", **{option: value})

    def test_it_cannot_be_trained(self, project: Project) -> None:
        """Its weights are not here."""
        with pytest.raises(UsageError, match="its weights are not here to be trained"):
            train_request(project, policy="writer", objective="sft")

    def test_it_cannot_be_loaded(self, project: Project) -> None:
        """Nor measured, nor exported."""
        with pytest.raises(UsageError, match="behind an endpoint"):
            open_policy(resolve_policy("writer", project))

    def test_a_judge_is_chosen_by_model_and_prompt(self, project: Project) -> None:
        """Another prompt judges everything again; rules go by their name, versions aside."""
        request = judge_request(project, judge="reader")
        judge = request.judge
        assert judge is not None
        assert (request.select["model"], request.select["prompt_sha"]) == (judge.model, judge.prompt_sha)
        assert "prompt_sha" not in judge_request(project, judge="reference").select

    def test_a_runs_config_names_its_models(self, project: Project) -> None:
        """Those whose keys a resumed run needs."""
        policy = generate_request(project, policy="writer")
        judge = judge_request(project, judge="reader")
        assert judge.judge is not None
        config = {"policies": policies_json(policy), "judge": judge.judge.to_json()}
        assert models_of(config) == (*policy.served, *judge.served)
        assert models_of({"kind": "judge", "policies": {}}) == ()
