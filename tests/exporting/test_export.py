"""Exported folders, loaded by plain transformers and peft, against the policy as bswirl itself loads it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, AutoTokenizer

from bswirl.errors import BswirlError, InputError
from bswirl.exporting.export import export_trained
from bswirl.exporting.trained import EMBEDDED_HUB_ID, read_trained
from bswirl.policies.base import SampleRequest
from bswirl.policies.catalogue import PolicySpec, open_policy, resolve_policy
from bswirl.policies.local import LocalPolicy, load_model
from bswirl.resources import demo_folder
from bswirl.runs.folder import RunFolder
from tests.exporting.kit import logits, make_run, save_adapter
from tests.tiny import save_tiny_policy, tiny_model

QUESTION = "What is 2 + 2?"


def export(run: RunFolder, target: Path, *, best: bool = False, **options: Any) -> dict[str, Any]:
    settings = {"merged": False, "dtype": None, "log": lambda _text: None, **options}
    return export_trained(read_trained(run, best=best), target, **settings)


def plain_answer(folder: Path, tokens: int) -> str:
    """What plain transformers writes, greedily, with the folder's own model, tokenizer and configs."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    chat = [{"role": "user", "content": QUESTION}]
    prompt = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    ids = model.generate(**prompt, max_new_tokens=tokens, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    return str(tokenizer.decode(ids, skip_special_tokens=True))


def policy_answer(policy: Any, tokens: int) -> str:
    asked = [SampleRequest(QUESTION, stop="solution")]
    return str(policy.sample(asked, temperature=1.0, max_tokens=tokens, seed=0, greedy=True)[0][0].text)


@pytest.fixture
def run(bases: dict[str, Path], tmp_path: Path) -> RunFolder:
    """A run that trained a policy with a warm-start adapter below it."""
    warm = save_adapter(tmp_path / "warm", seed=5, r=3)
    made = make_run(tmp_path / "run", PolicySpec("mine", str(bases["llama"]), (str(warm),)))
    save_adapter(made.adapter, target_modules="all-linear")
    return made


class TestAdapter:
    def test_is_one_peft_folder_on_the_model_below_all_adapters(
        self, run: RunFolder, bases: dict[str, Path], tmp_path: Path
    ) -> None:
        """Its base is the hub's or the user's model, though the policy itself has an adapter in it."""
        made = export(run, tmp_path / "out")
        assert {path.name for path in (tmp_path / "out").iterdir()} == set(made["files"])
        assert set(made["files"]) == {"README.md", "adapter_config.json", "adapter_model.safetensors"}
        assert (made["adapters"], made["rank"], made["dtype"]) == (2, 5, "float32")
        config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == made["base"] == str(bases["llama"])
        assert "2 adapters in one" in made["notes"][0]
        assert made["notes"][0] in (tmp_path / "out" / "README.md").read_text()
        whole = load_model(read_trained(run).policy, device="cpu", dtype=torch.float32).model
        loaded = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "out")
        assert (logits(loaded) - logits(whole)).abs().max() < 1e-5
        assert loaded.get_input_embeddings().weight.shape == whole.get_input_embeddings().weight.shape

    def test_of_a_bare_policy_is_what_training_saved(self, bases: dict[str, Path], tmp_path: Path) -> None:
        """Also where PEFT made something that could not be put together with another."""
        run = make_run(tmp_path / "run", PolicySpec("tiny", str(bases["qwen2"])))
        save_adapter(run.adapter, kind="qwen2", use_dora=True, dtype=torch.bfloat16)
        made = export(run, tmp_path / "out")
        assert (made["adapters"], made["dtype"]) == (1, "bfloat16")
        saved, written = (
            (folder / "adapter_model.safetensors").read_bytes() for folder in (run.adapter, tmp_path / "out")
        )
        assert written == saved
        one, other = (
            json.loads((folder / "adapter_config.json").read_text())
            for folder in (run.adapter, tmp_path / "out")
        )
        assert other == {**one, "base_model_name_or_path": str(bases["qwen2"]), "inference_mode": True}

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_dtype_is_that_of_the_weights(self, run: RunFolder, tmp_path: Path, dtype: str) -> None:
        """As asked for."""
        from safetensors.torch import load_file

        assert export(run, tmp_path / "out", dtype=dtype)["dtype"] == dtype
        weights = load_file(tmp_path / "out" / "adapter_model.safetensors").values()
        assert {str(weight.dtype) for weight in weights} == {f"torch.{dtype}"}

    def test_of_the_embedded_model_names_the_hubs(self, tmp_path: Path) -> None:
        """And says that the hub's weights are not quite those."""
        run = make_run(tmp_path / "run", PolicySpec("smollm2", "smollm2", few_shot=True))
        save_adapter(run.adapter)
        made = export(run, tmp_path / "out")
        assert made["base"] == EMBEDDED_HUB_ID
        assert any("GGUF" in note for note in made["notes"])
        assert f"base_model: {EMBEDDED_HUB_ID}" in (tmp_path / "out" / "README.md").read_text()

    def test_the_best_one(self, run: RunFolder, tmp_path: Path) -> None:
        """Of a run that is not done, too."""
        save_adapter(run.best, seed=9)
        shutil.rmtree(run.adapter)
        with pytest.raises(InputError, match="run 7 has no adapter") as raised:
            export(run, tmp_path / "out")
        assert "--best" in raised.value.remedy
        made = export(run, tmp_path / "out", best=True)
        assert made["best"]
        spec = PolicySpec("b", made["base"], (*read_trained(run, best=True).start.adapters, str(run.best)))
        expected = logits(load_model(spec, device="cpu", dtype=torch.float32).model)
        assert (
            logits(AutoPeftModelForCausalLM.from_pretrained(tmp_path / "out")) - expected
        ).abs().max() < 1e-5


class TestMerged:
    @pytest.mark.parametrize("kind", ["llama", "qwen2"])
    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_answers_like_the_policy(
        self, bases: dict[str, Path], tmp_path: Path, kind: str, dtype: str
    ) -> None:
        """Bit by bit the same weights, so the same greedy text; and not the base's."""
        warm = save_adapter(tmp_path / "warm", kind=kind, seed=5)
        run = make_run(tmp_path / "run", PolicySpec("mine", str(bases[kind]), (str(warm),)), base_dtype=dtype)
        save_adapter(run.adapter, kind=kind, target_modules="all-linear")
        made = export(run, tmp_path / "out", merged=True)
        assert made["dtype"] == dtype
        policy = load_model(read_trained(run).policy, device="cpu", dtype=getattr(torch, dtype))
        loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
        assert {str(weight.dtype) for weight in loaded.parameters()} == {f"torch.{dtype}"}
        for name, weight in policy.model.state_dict().items():
            assert torch.equal(weight, loaded.state_dict()[name]), name
        text = policy_answer(LocalPolicy(read_trained(run).policy, policy), 24)
        assert plain_answer(tmp_path / "out", 24) == text
        assert plain_answer(bases[kind], 24) != text

    def test_has_all_that_a_server_needs(self, run: RunFolder, tmp_path: Path) -> None:
        """Weights, configs, tokenizer and chat template, readable by others; nothing of this machine."""
        made = export(run, tmp_path / "out", merged=True)
        assert set(made["files"]) == {
            "README.md",
            "chat_template.jinja",
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        }
        for path in (tmp_path / "out").iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask(), path.name
            if path.suffix == ".json":
                assert str(tmp_path) not in path.read_text()
        assert "quantization_config" not in (tmp_path / "out" / "config.json").read_text()

    def test_stops_where_the_policy_stops(self, run: RunFolder, tmp_path: Path) -> None:
        """At the template's end of turn, whatever the base's generation config says of it."""
        base = Path(read_trained(run).base)
        copy = shutil.copytree(base, tmp_path / "base")
        (copy / "generation_config.json").write_text(json.dumps({"eos_token_id": 11}))
        other = make_run(tmp_path / "other", PolicySpec("mine", str(copy)))
        shutil.copytree(run.adapter, other.adapter)
        export(other, tmp_path / "out", merged=True)
        stops = json.loads((tmp_path / "out" / "generation_config.json").read_text())["eos_token_id"]
        assert stops == [11, AutoTokenizer.from_pretrained(base).convert_tokens_to_ids("<|im_end|>")]

    def test_older_programs_find_the_rotary_embedding(self, tmp_path: Path) -> None:
        """Where they look for it; newer ones read the same model as before."""
        rope = {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }
        base = save_tiny_policy(tmp_path / "base", rope_parameters=rope)
        run = make_run(tmp_path / "run", PolicySpec("mine", str(base)))
        save_adapter(run.adapter, base=tiny_model(rope_parameters=rope))
        export(run, tmp_path / "out", merged=True)
        config = json.loads((tmp_path / "out" / "config.json").read_text())
        assert config["rope_theta"] == 500000.0
        assert config["rope_scaling"] == {name: rope[name] for name in rope if name != "rope_theta"}
        tokenizer = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
        assert tokenizer["tokenizer_class"] == "PreTrainedTokenizerFast"
        loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
        assert loaded.config.rope_parameters == rope
        policy = load_model(read_trained(run).policy, device="cpu", dtype=torch.float32).model
        assert torch.equal(logits(loaded), logits(policy))

    def test_a_base_that_was_in_4_bits_is_merged_dense(self, bases: dict[str, Path], tmp_path: Path) -> None:
        """And says so."""
        run = make_run(tmp_path / "run", PolicySpec("mine", str(bases["llama"])), load_in_4bit=True)
        save_adapter(run.adapter)
        made = export(run, tmp_path / "out", merged=True)
        assert any("4 bits" in note and "dense" in note for note in made["notes"])
        policy = load_model(read_trained(run).policy, device="cpu", dtype=torch.float32).model
        assert torch.equal(logits(AutoModelForCausalLM.from_pretrained(tmp_path / "out")), logits(policy))

    def test_a_base_that_is_quantised_itself_is_refused(self, tmp_path: Path) -> None:
        """Its weights are no dense ones to merge into."""
        from bswirl.policies.loading import load_nf4

        dense = save_tiny_policy(tmp_path / "dense", hidden_size=64, intermediate_size=64)
        small = load_nf4(dense, torch.device("cpu"), torch.float32)
        small.save_pretrained(tmp_path / "small")
        AutoTokenizer.from_pretrained(dense).save_pretrained(tmp_path / "small")
        run = make_run(tmp_path / "run", PolicySpec("mine", str(tmp_path / "small")))
        save_adapter(run.adapter, base=tiny_model(hidden_size=64, intermediate_size=64))
        with pytest.raises(InputError, match="quantised") as raised:
            export(run, tmp_path / "out", merged=True)
        assert "--merged" in raised.value.remedy


class TestRefusals:
    def test_what_is_no_training_run(self, tmp_path: Path) -> None:
        """A run of another kind, and a folder that is no run."""
        other = RunFolder.create(
            tmp_path / "g", kind="generate", name="g", run_uid="u", run_id=3, rows=[], settings={}
        )
        with pytest.raises(InputError, match="run 3 is no training run but generate"):
            read_trained(other)
        with pytest.raises(InputError, match="no run folder"):
            read_trained(RunFolder(tmp_path))

    def test_a_run_without_an_adapter(self, bases: dict[str, Path], tmp_path: Path) -> None:
        """Not done, or without a best step."""
        run = make_run(tmp_path / "bare", PolicySpec("mine", str(bases["llama"])), run_id=None)
        with pytest.raises(InputError, match="bare has no adapter: it is not done"):
            read_trained(run)
        with pytest.raises(InputError, match="bare has kept no best adapter"):
            read_trained(run, best=True)

    def test_an_adapter_below_that_is_gone(self, run: RunFolder, tmp_path: Path) -> None:
        """The line names its folder."""
        shutil.rmtree(tmp_path / "warm")
        with pytest.raises(InputError, match="warm has no adapter_config"):
            read_trained(run)

    @pytest.mark.parametrize("merged", [False, True])
    def test_a_folder_that_is_taken(self, run: RunFolder, tmp_path: Path, merged: bool) -> None:
        """What is there stays; an empty folder is taken over."""
        target = tmp_path / "out"
        target.mkdir()
        (target / "mine").touch()
        with pytest.raises(InputError, match="is not empty"):
            export(run, target, merged=merged)
        assert [path.name for path in target.iterdir()] == ["mine"]
        with pytest.raises(InputError, match="is a file"):
            export(run, target / "mine", merged=merged)
        (target / "mine").unlink()
        assert export(run, target, merged=merged)["folder"] == str(target)

    def test_a_folder_in_no_folder(self, run: RunFolder, tmp_path: Path) -> None:
        """It is not made from a slip of the pen."""
        with pytest.raises(InputError, match="no such folder"):
            export(run, tmp_path / "none" / "out")

    @pytest.mark.parametrize("merged", [False, True])
    def test_a_full_disk_leaves_nothing(
        self, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, merged: bool
    ) -> None:
        """Whether the weights or the words do not fit."""
        write = Path.write_text

        def full(path: Path, *arguments: Any, **options: Any) -> int:
            if path.name == "README.md":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            return write(path, *arguments, **options)

        monkeypatch.setattr(Path, "write_text", full)
        before = set(tmp_path.iterdir())
        with pytest.raises(BswirlError, match="no space left") as raised:
            export(run, tmp_path / "out", merged=merged)
        assert raised.value.exit_code == 1
        assert set(tmp_path.iterdir()) == before

        def broken(*_arguments: Any, **_options: Any) -> None:
            raise _SafetensorsError("I/O error: No space left on device (os error 28)")

        monkeypatch.setattr("safetensors.torch.save_file", broken)
        monkeypatch.setattr("transformers.modeling_utils.safe_save_file", broken)
        with pytest.raises(BswirlError, match="no space left"):
            export(run, tmp_path / "out", merged=merged)
        assert set(tmp_path.iterdir()) == before

    def test_too_little_space_is_said_before_the_model_is_written(
        self, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """How much there is and how much it needs."""
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1 << 40, 0, 5 << 10))
        with pytest.raises(BswirlError, match="has 0 MB free; the export needs 1 MB"):
            export(run, tmp_path / "out", merged=True)
        assert not (tmp_path / "out").exists()


@pytest.mark.weights
class TestTheEmbeddedModel:
    def test_merged_it_answers_like_the_policy(self, tmp_path: Path) -> None:
        """The demo's policy with a run's adapter on top, as one model that plain transformers loads."""
        run = make_run(tmp_path / "run", resolve_policy("demo"), base_dtype="bfloat16")
        shutil.copytree(demo_folder() / "runs" / "3" / "adapter", run.adapter)
        made = export(run, tmp_path / "out", merged=True)
        assert "GGUF" in made["notes"][0]
        assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_text())
        text = policy_answer(open_policy(read_trained(run).policy, device="cpu"), 24)
        assert text.startswith("Step 1:")
        assert plain_answer(tmp_path / "out", 24).startswith(text)


class _SafetensorsError(Exception):
    """The Rust library's error, which is no OSError."""


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
