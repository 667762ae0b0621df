from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.policies import catalogue
from bswirl.policies.catalogue import PolicySpec, policy_names, require_extra, resolve_policy
from bswirl.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "project")


def make_model(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names or ("config.json", "model.safetensors"):
        (folder / name).write_text("{}")
    return folder


def make_adapter(folder: Path) -> Path:
    return make_model(folder, "adapter_config.json", "adapter_model.safetensors")


def make_run(project: Project, number: int, *, adapter: bool = True, **config: Any) -> Path:
    folder = project.run_folder(number)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"kind": "train", "policies": {}, **config}))
    if adapter:
        make_adapter(folder / "adapter")
    return folder


def configure(project: Project, text: str) -> None:
    project.settings_file.write_text(text)


class TestNames:
    def test_the_embedded_model_is_sampled_with_a_two_shot_chat(self) -> None:
        """It needs no project."""
        spec = resolve_policy("smollm2")
        assert (spec.model, spec.adapters, spec.few_shot) == ("smollm2", (), True)

    def test_the_demo_policy_is_the_embedded_model_with_the_shipped_adapter(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Canonically rendered, since it was trained so."""
        make_adapter(tmp_path / "adapter")
        monkeypatch.setattr(catalogue, "demo_folder", lambda: tmp_path)
        spec = resolve_policy("demo")
        assert (spec.model, spec.adapters, spec.few_shot) == ("smollm2", (str(tmp_path / "adapter"),), False)

    def test_a_policy_of_the_settings_has_its_path_and_adapter(self, project: Project) -> None:
        """Paths are those of the project."""
        model = make_model(project.root / "models" / "mine")
        adapter = make_adapter(project.root / "adapters" / "mine")
        configure(project, '[policies.mine]\npath = "models/mine"\nadapter = "adapters/mine"\n')
        spec = resolve_policy("mine", project)
        assert spec == PolicySpec("mine", str(model), (str(adapter),))
        assert policy_names(project) == ["smollm2", "demo", "mine"]

    def test_settings_may_build_on_the_embedded_model(self, project: Project) -> None:
        """With an adapter it is rendered canonically, without one it sees the examples."""
        make_adapter(project.root / "a")
        configure(
            project, '[policies.one]\npath = "smollm2"\n[policies.two]\npath = "smollm2"\nadapter = "a"\n'
        )
        assert resolve_policy("one", project).few_shot
        assert not resolve_policy("two", project).few_shot

    def test_a_folder_or_gguf_file_is_a_policy(self, tmp_path: Path) -> None:
        """Named by its absolute path."""
        model = make_model(tmp_path / "m")
        assert resolve_policy(str(model)).model == str(model)
        gguf = tmp_path / "w.gguf"
        gguf.touch()
        assert resolve_policy(str(gguf)).model == str(gguf)

    def test_a_folder_s_name_means_the_same_from_any_folder(
        self, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However it was typed; so does what a run made of it, also of one that noted it as it was typed."""
        model = str(make_model(tmp_path / "m").resolve())
        monkeypatch.chdir(tmp_path)
        for typed in ("./m", "m", "../" + tmp_path.name + "/m"):
            assert resolve_policy(typed, project) == PolicySpec(model, model)
        make_run(project, 7, policies={model: PolicySpec(model, model).to_json()})
        assert resolve_policy("./m@7", project).name == f"{model}@7"
        make_run(project, 8, policies={"./m": PolicySpec("./m", model).to_json()})
        assert resolve_policy("./m@8", project).name == "./m@8"
        with pytest.raises(InputError, match=r"run 8 did not train m but \./m"):
            resolve_policy("m@8", project)

    def test_a_hub_id_is_a_policy(self) -> None:
        """It is looked for when it is loaded."""
        assert (
            resolve_policy("HuggingFaceTB/SmolLM2-1.7B-Instruct").model
            == "HuggingFaceTB/SmolLM2-1.7B-Instruct"
        )

    @pytest.mark.parametrize("name", ["nope", "smollm3", "", "a b", "x@7"])
    def test_an_unknown_name_is_wrong_usage_and_lists_the_known(self, project: Project, name: str) -> None:
        """Also where there is nothing to do for it."""
        with pytest.raises(UsageError) as raised:
            resolve_policy(name, project)
        assert "smollm2, demo" in str(raised.value)

    def test_an_unknown_name_lists_what_was_trained_and_what_was_perhaps_meant(
        self, project: Project
    ) -> None:
        """Newest first, also best steps; runs without an adapter and other runs are none."""
        base = {"smollm2": PolicySpec("smollm2", "smollm2").to_json()}
        make_adapter(make_run(project, 7, policies=base) / "best")
        make_run(project, 12, policies=base)
        make_run(project, 13, policies=base, adapter=False)
        make_run(project, 14, policies=base, kind="evaluate")
        (project.runs_folder / "15" / "adapter").mkdir(parents=True)
        trained = "known: smollm2, demo; trained here: smollm2@12, smollm2@7, smollm2@7/best"
        for name, meant in (("Smolm2", "smollm2"), ("dem", "demo"), ("smollm2-12", "smollm2@12")):
            with pytest.raises(UsageError) as raised:
                resolve_policy(name, project)
            assert (
                raised.value.remedy
                == f"did you mean {meant}? {trained}; or a model folder or a hub id (org/name)"
            )
        with pytest.raises(InputError, match=r"there is no run 1 .*; trained here: smollm2@12, smollm2@7, "):
            resolve_policy("smollm2@1", project)
        for number in range(20, 26):
            make_run(project, number, policies=base)
        with pytest.raises(UsageError, match="smollm2@20, and 3 more; or"):
            resolve_policy("else", project)

    def test_a_missing_folder_is_bad_input(self, tmp_path: Path) -> None:
        """A path that is none is said to be none."""
        with pytest.raises(InputError, match="no such model folder"):
            resolve_policy(str(tmp_path / "nothing"))

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (["config.json"], "has no weights (safetensors or GGUF)"),
            (["config.json", "pytorch_model.bin"], "has no weights (safetensors or GGUF)"),
            (["model.safetensors"], "has no config.json"),
            (["adapter_config.json", "adapter_model.safetensors"], "holds an adapter, not a model"),
        ],
    )
    def test_a_folder_without_a_model_is_bad_input(
        self, tmp_path: Path, names: list[str], message: str
    ) -> None:
        """The line says what is missing."""
        folder = make_model(tmp_path / "m", *names)
        with pytest.raises(InputError) as raised:
            resolve_policy(str(folder))
        assert message in raised.value.message

    def test_a_spec_survives_its_json(self) -> None:
        """As a run's config keeps it."""
        spec = PolicySpec("n", "m", ("a", "b"), few_shot=True, description="d")
        assert PolicySpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


class TestTrainedPolicies:
    def test_a_runs_adapter_goes_on_top(self, project: Project) -> None:
        """NAME@RUN is rendered canonically, like what it was trained on."""
        folder = make_run(project, 7, policies={"smollm2": PolicySpec("smollm2", "smollm2").to_json()})
        spec = resolve_policy("smollm2@7", project)
        assert spec.name == "smollm2@7"
        assert spec.adapters == (str(folder / "adapter"),)
        assert not spec.few_shot

    def test_runs_stack(self, project: Project) -> None:
        """A run that trained NAME@RUN puts its adapter on top of that run's."""
        first = make_run(project, 7, policies={"smollm2": PolicySpec("smollm2", "smollm2").to_json()})
        second = make_run(project, 9, policies={"smollm2@7": resolve_policy("smollm2@7", project).to_json()})
        assert resolve_policy("smollm2@7@9", project).adapters == (
            str(first / "adapter"),
            str(second / "adapter"),
        )

    def test_the_best_step_has_a_name(self, project: Project) -> None:
        """NAME@RUN/best is the adapter of the run's best step; it stacks like the last."""
        first = make_run(project, 7, policies={"smollm2": PolicySpec("smollm2", "smollm2").to_json()})
        make_adapter(first / "best")
        best = resolve_policy("smollm2@7/best", project)
        assert (best.name, best.adapters) == ("smollm2@7/best", (str(first / "best"),))
        assert not best.few_shot
        second = make_run(project, 9, policies={"smollm2@7/best": best.to_json()})
        assert resolve_policy("smollm2@7/best@9", project).adapters == (
            str(first / "best"),
            str(second / "adapter"),
        )

    def test_a_run_without_a_best_step_is_bad_input(self, project: Project) -> None:
        """Its last step may be there all the same."""
        make_run(project, 3, policies={"smollm2": {"name": "smollm2", "model": "smollm2"}})
        with pytest.raises(InputError, match="run 3 has kept no best step — NAME@3 is its last"):
            resolve_policy("smollm2@3/best", project)

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"kind": "generate"}, "no training run"),
            ({"policies": {"other": {"name": "other", "model": "m"}}}, "did not train smollm2 but other"),
            ({"policies": {"smollm2": {"name": "smollm2", "model": "elsewhere"}}}, "another smollm2"),
        ],
    )
    def test_a_run_that_did_not_train_the_policy_is_bad_input(
        self, project: Project, config: dict[str, Any], message: str
    ) -> None:
        """An adapter is never put on a model that it was not made for."""
        make_run(project, 3, **config)
        with pytest.raises(InputError, match=message):
            resolve_policy("smollm2@3", project)

    def test_a_run_without_an_adapter_is_bad_input(self, project: Project) -> None:
        """It may still be running, or have failed."""
        make_run(project, 3, adapter=False, policies={"smollm2": {"name": "smollm2", "model": "smollm2"}})
        with pytest.raises(InputError, match="has no adapter yet"):
            resolve_policy("smollm2@3", project)

    def test_a_run_that_does_not_exist_is_bad_input(self, project: Project) -> None:
        """The line says where to look."""
        with pytest.raises(InputError, match="no run 12"):
            resolve_policy("smollm2@12", project)

    def test_what_is_no_run_number_is_wrong_usage(self, project: Project) -> None:
        """As is a run without a project."""
        for name in ("smollm2@latest", "smollm2@3/worst", "smollm2@3/", "smollm2@/best"):
            with pytest.raises(UsageError, match="no run number"):
                resolve_policy(name, project)
        with pytest.raises(UsageError, match="needs a project"):
            resolve_policy("smollm2@3")


class TestTheExtra:
    def test_a_missing_package_is_named_with_the_remedy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on a machine with the app alone."""
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else object())
        with pytest.raises(BswirlError, match="torch") as raised:
            require_extra()
        assert raised.value.remedy == "pip install 'bswirl[train]'"

    def test_resolving_a_policy_loads_neither_torch_nor_transformers(self) -> None:
        """Names are checked in clients, which start fast."""
        code = (
            "import sys; from bswirl.policies.catalogue import resolve_policy, require_extra; "
            "from bswirl.policies.devices import check_device_name; import bswirl.policies.smollm2; "
            "import bswirl.policies.rendering, bswirl.policies.base, bswirl.generation.work; "
            "resolve_policy('smollm2'); check_device_name('cpu'); require_extra(); "
            "print([name for name in ('torch', 'transformers', 'peft', 'numpy') if name in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert done.stdout.strip() == "[]"


class TestThreads:
    def test_threads_that_wait_do_not_spin(self) -> None:
        """Work beside other busy processes keeps its pace; what the user set stays."""
        code = "import os, bswirl.policies.catalogue; print(os.environ['OMP_WAIT_POLICY'])"
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        for given, expected in (({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")):
            done = subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                check=True,
                cwd=Path(__file__).parents[2],
                env={**environment, **given},
            )
            assert done.stdout.strip() == expected
