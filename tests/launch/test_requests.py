"""Requests: everything that can be wrong is said before anything is written."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.launch import (
    checks,
    evaluate_request,
    generate_request,
    judge_request,
    make_request,
    train_request,
)
from bswirl.launch.requests import policies_json
from bswirl.policies import devices
from bswirl.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "p")


def contents(project: Project) -> set[str]:
    return {str(path.relative_to(project.root)) for path in project.root.rglob("*")}


class TestSettings:
    def test_generation(self, project: Project) -> None:
        """Settings are whole; the filters go to the selection; the policy is resolved."""
        request = generate_request(project, policy="smollm2", limit=4, branches=2, split="test")
        assert (request.kind, request.name) == ("generate", "smollm2")
        assert request.select == {"dataset": None, "split": "test", "limit": 4}
        assert request.settings["branches"] == 2
        assert {"policy", "trajectories", "temperature", "max_tokens", "seed", "device"} <= set(
            request.settings
        )
        assert not {"split", "limit"} & set(request.settings)
        assert policies_json(request)["smollm2"]["model"] == "smollm2"

    def test_batches_are_for_served_models(self, project: Project) -> None:
        with pytest.raises(UsageError, match="--batch is for served models: smollm2"):
            generate_request(project, policy="smollm2", batch=True)
        with pytest.raises(UsageError, match="--batch does nothing for judge reference"):
            judge_request(judge="reference", batch=True)

    def test_judging(self) -> None:
        """The selection knows the judge, so that what is judged is left out."""
        request = judge_request(judge="reference", limit=10)
        assert request.settings == {"judge": "reference"}
        assert request.select == {
            "judge": "reference",
            "limit": 10,
            "again": False,
            "dataset": None,
            "split": None,
        }

    def test_training_on_rewards(self, project: Project) -> None:
        """The training split by default, questions held out by the run's seed."""
        request = train_request(project, objective="bswirl", policy="smollm2", seed=5, max_steps=2)
        assert request.select == {
            "dataset": None,
            "split": "train",
            "limit": None,
            "filter": "none",
            "difficulty": None,
            "difficulty_by": "group",
            "probe_fraction": 0.1,
            "seed": 5,
        }
        assert request.settings["max_steps"] == 2
        assert request.settings["objective"] == "bswirl"
        assert not request.from_solutions

    def test_training_on_solutions(self, project: Project) -> None:
        """Sft from gold selects questions, sampled or not."""
        request = train_request(project, objective="sft", policy="smollm2", sft_source="gold")
        assert request.from_solutions
        assert request.select == {"dataset": None, "split": "train", "limit": None}

    def test_evaluation(self, project: Project) -> None:
        """A split that is not given is left to the selection (test where there is one)."""
        request = evaluate_request(project, policy="smollm2", limit=8)
        assert request.select == {"dataset": None, "split": None, "limit": 8}

    def test_forms_make_the_same_requests(self, project: Project) -> None:
        """A form's texts come to the same settings."""
        typed = make_request("generate", project, {"policy": "smollm2", "limit": "4", "branches": "2"})
        assert typed == generate_request(project, policy="smollm2", limit=4, branches=2)


class TestRefusals:
    @pytest.mark.parametrize(
        ("kind", "values", "error", "words"),
        [
            ("generate", {"policy": "nosuch"}, UsageError, "unknown policy nosuch"),
            ("generate", {"policy": "./nowhere"}, InputError, "no such model folder"),
            ("generate", {"policy": "smollm2", "device": "tpu"}, UsageError, "unknown device tpu"),
            ("judge", {"judge": "oracle"}, UsageError, "unknown judge 'oracle'"),
            ("train", {"objective": "ppo", "policy": "smollm2"}, UsageError, "unknown objective"),
            ("train", {"objective": "sft", "policy": "smollm2", "split": "test"}, UsageError, "--allow-test"),
            ("evaluate", {"policy": "smollm2@99"}, InputError, "there is no run 99"),
            ("evaluate", {"policy": "smollm2@x"}, UsageError, "is no run number"),
        ],
    )
    def test_one_clear_line_and_nothing_written(
        self, project: Project, kind: str, values: dict[str, Any], error: type[BswirlError], words: str
    ) -> None:
        """The kind of error says the exit code."""
        before = contents(project)
        with pytest.raises(error) as caught:
            make_request(kind, project, values)
        assert type(caught.value) is error
        assert words in str(caught.value)
        assert contents(project) == before

    def test_a_model_folder_without_weights(self, project: Project, tmp_path: Path) -> None:
        """The folder is named."""
        (tmp_path / "model").mkdir()
        with pytest.raises(InputError, match="has no weights"):
            generate_request(project, policy=str(tmp_path / "model"))

    def test_cuda_where_there_is_none(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """Asked for by name and absent: refused without importing torch."""
        monkeypatch.setattr(devices, "_DRIVER_NODES", ("/nonexistent",))
        with pytest.raises(UsageError, match="no usable CUDA device"):
            train_request(project, objective="sft", policy="smollm2", device="cuda:0")

    def test_the_test_split_can_be_insisted_on(self, project: Project) -> None:
        """With allow_test it is selected."""
        request = train_request(project, objective="sft", policy="smollm2", split="test", allow_test=True)
        assert request.select["split"] == "test"

    def test_a_missing_extra_says_how_to_get_it(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`pip install .` alone has no torch."""
        real = checks.importlib.util.find_spec
        monkeypatch.setattr(
            checks.importlib.util, "find_spec", lambda name: None if name in ("torch", "peft") else real(name)
        )
        with pytest.raises(BswirlError, match=r"not installed: torch, peft — pip install 'bswirl\[train\]'"):
            train_request(project, objective="sft", policy="smollm2")

    @pytest.mark.parametrize(
        ("package", "values", "words"),
        [
            ("bitsandbytes", {"optimizer": "adamw-8bit"}, r"training needs .*: bitsandbytes — .*\[train\]'"),
            ("tensorboard", {"tensorboard": True}, r"tensorboard needs .*: tensorboard — .*\[tensorboard\]'"),
        ],
    )
    def test_what_a_setting_needs_beside(
        self,
        project: Project,
        monkeypatch: pytest.MonkeyPatch,
        package: str,
        values: dict[str, Any],
        words: str,
    ) -> None:
        """Packages that only some settings need are missed by those alone, before a run is made."""
        real = checks.importlib.util.find_spec
        monkeypatch.setattr(
            checks.importlib.util, "find_spec", lambda name: None if name == package else real(name)
        )
        train_request(project, objective="sft", policy="smollm2")
        with pytest.raises(BswirlError, match=words):
            train_request(project, objective="sft", policy="smollm2", **values)

    def test_a_full_disk(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """Said before anything is written."""
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 5 * 2**20))
        with pytest.raises(BswirlError, match="only 5 MB are free"):
            checks.check_space(project.root)
