"""Several LoRA adapters as one, against the policy that merges them one after the other."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from bswirl.errors import InputError
from bswirl.exporting.stacking import read_adapter, stack, write_adapter
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.local import load_model
from tests.exporting.kit import ATTENTION, logits, save_adapter
from tests.tiny import tiny_model

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "same modules": ({"r": 2}, {"r": 3, "lora_alpha": 7}),
    "other modules": ({"target_modules": ATTENTION, "r": 5}, {"target_modules": ["down_proj", "v_proj"]}),
    "all linear": (
        {"target_modules": ALL, "r": 8, "lora_alpha": 16},
        {"target_modules": "all-linear", "r": 4},
    ),
    "rank-stabilised": ({"use_rslora": True, "r": 4}, {"lora_alpha": 1}),
    "patterns": (
        {"rank_pattern": {"q_proj": 6}, "alpha_pattern": {"layers.1.self_attn.q_proj": 11}},
        {"rank_pattern": {"model.layers.0.self_attn.v_proj": 1}},
    ),
    "one layer": ({"layers_to_transform": [1], "r": 3}, {"target_modules": ["k_proj", "v_proj"]}),
    "a pattern of names": (
        {"target_modules": r".*\.0\.self_attn\.(q|k)_proj"},
        {"exclude_modules": ["q_proj"]},
    ),
}


def loaded_plainly(folder: Path, kind: str) -> Any:
    """The adapter on its base by PEFT alone, which must find a weight for each place and a place for each."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return PeftModel.from_pretrained(tiny_model(kind), str(folder)).eval()


class TestStack:
    @pytest.mark.parametrize("kind", ["llama", "qwen2"])
    @pytest.mark.parametrize("options", PAIRS.values(), ids=PAIRS.keys())
    def test_one_adapter_gives_the_stacked_policys_logits(
        self, bases: dict[str, Path], tmp_path: Path, kind: str, options: tuple[dict[str, Any], ...]
    ) -> None:
        """In float32 the sums are the same but for their rounding."""
        folders = [
            save_adapter(tmp_path / str(seed), kind=kind, seed=seed, **each)
            for seed, each in enumerate(options, start=1)
        ]
        spec = PolicySpec("tiny", str(bases[kind]), tuple(map(str, folders)))
        policy = logits(load_model(spec, device="cpu", dtype=torch.float32).model)
        write_adapter(stack([*map(read_adapter, folders)]), tmp_path / "one", base="b", dtype=torch.float32)
        one = logits(loaded_plainly(tmp_path / "one", kind))
        assert (one - policy).abs().max() < 1e-5
        assert (one - logits(tiny_model(kind))).abs().max() > 1e-2
        for folder in folders:
            assert (one - logits(loaded_plainly(folder, kind))).abs().max() > 1e-2

    def test_three_adapters(self, bases: dict[str, Path], tmp_path: Path) -> None:
        """As of a run on top of a run on top of an adapter."""
        folders = [
            save_adapter(tmp_path / str(seed), seed=seed, target_modules=names)
            for seed, names in enumerate((["q_proj"], ["q_proj", "o_proj"], ALL), start=1)
        ]
        spec = PolicySpec("tiny", str(bases["llama"]), tuple(map(str, folders)))
        policy = logits(load_model(spec, device="cpu", dtype=torch.float32).model)
        whole = stack([*map(read_adapter, folders)])
        write_adapter(whole, tmp_path / "one", base="b", dtype=torch.float32)
        assert whole.rank == 6
        assert (logits(loaded_plainly(tmp_path / "one", "llama")) - policy).abs().max() < 1e-5

    def test_scales_are_in_the_weights(self, tmp_path: Path) -> None:
        """α/r is 1 everywhere, which servers that read no patterns take for granted."""
        folders = [
            save_adapter(tmp_path / "a", r=2, lora_alpha=7),
            save_adapter(tmp_path / "b", r=3, target_modules=["v_proj", "o_proj"]),
        ]
        config = stack([*map(read_adapter, folders)]).config
        assert config["r"] == config["lora_alpha"] == 5
        assert config["rank_pattern"] == config["alpha_pattern"] == {"q_proj": 2, "o_proj": 3}
        assert config["target_modules"] == ["o_proj", "q_proj", "v_proj"]

    def test_numbers_are_rounded_once(self, tmp_path: Path) -> None:
        """bfloat16 adapters are put together in float32 and rounded when they are written."""
        folders = [
            save_adapter(tmp_path / name, seed=seed, dtype=torch.bfloat16, lora_alpha=3)
            for seed, name in enumerate("ab")
        ]
        whole = stack([*map(read_adapter, folders)])
        assert {weight.dtype for weight in whole.tensors.values()} == {torch.float32}
        write_adapter(whole, tmp_path / "one", base="b", dtype=torch.bfloat16)
        saved = load_file(tmp_path / "one" / "adapter_model.safetensors")
        assert all(torch.equal(saved[name], weight.bfloat16()) for name, weight in whole.tensors.items())


class TestWhatIsNoSum:
    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"use_dora": True}, "use_dora"),
            ({"bias": "all"}, "bias all"),
            ({"lora_bias": True}, "lora_bias"),
            ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
            ({"target_modules": ["q_proj", "embed_tokens"]}, "embed"),
        ],
    )
    def test_is_refused_by_name(self, tmp_path: Path, options: dict[str, Any], named: str) -> None:
        """The line says what stands in the way, and that merging does it."""
        odd = save_adapter(tmp_path / "odd", **options)
        plain = save_adapter(tmp_path / "plain")
        with pytest.raises(InputError, match=named) as raised:
            stack([read_adapter(odd), read_adapter(plain)])
        assert "--merged" in raised.value.remedy

    def test_broken_files_are_bad_input(self, tmp_path: Path) -> None:
        """Cut weights, and a config that is no JSON."""
        folder = save_adapter(tmp_path / "a")
        weights = folder / "adapter_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:200])
        with pytest.raises(InputError, match="cannot be loaded"):
            read_adapter(folder)
        save_file({}, weights)
        (folder / "adapter_config.json").write_text("{")
        with pytest.raises(InputError, match="cannot be loaded"):
            read_adapter(folder)
