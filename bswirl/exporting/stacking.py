"""LoRA adapters as data: reading PEFT folders, and several adapters of one base as a single one."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bswirl.errors import InputError
from bswirl.policies.loading import reading

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"

# Where one of these is set, an adapter is more than a sum of low-rank products on linear layers.
_BEYOND_SUMS = (
    "alora_invocation_tokens",
    "arrow_config",
    "layer_replication",
    "lora_bias",
    "modules_to_save",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
)


@dataclass(frozen=True, slots=True)
class Adapter:
    """A PEFT adapter: what its config says, and its weights by PEFT's names."""

    config: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def dtype(self) -> torch.dtype:
        """The least dtype that holds all its weights."""
        return reduce(torch.promote_types, (weight.dtype for weight in self.tensors.values()))

    @property
    def rank(self) -> int:
        """The largest rank of any module."""
        return max((weight.shape[0] for name, weight in self.tensors.items() if name.endswith(_A)), default=0)


def read_adapter(folder: Path) -> Adapter:
    """The adapter in `folder`. Raises InputError where its files are missing or broken."""
    from safetensors.torch import load_file

    with reading(folder):
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return Adapter(config, load_file(folder / WEIGHTS))


def stack(adapters: Sequence[Adapter]) -> Adapter:
    """One LoRA adapter that adds to the base what all of `adapters` add to it.

    Σ sᵢBᵢAᵢ = [s₁B₁ s₂B₂ …][A₁; A₂; …], so ranks add up, module by module; all scales sᵢ go into B, which
    leaves a scale of 1. Weights are float32, or more where the adapters have more. Raises InputError for
    adapters that are no such sums.
    """
    for adapter in adapters:
        _check_is_sum(adapter)
    left: dict[str, list[Tensor]] = defaultdict(list)
    right: dict[str, list[Tensor]] = defaultdict(list)
    for adapter in adapters:
        for module in _modules(adapter):
            down, up = (_exact(adapter.tensors[f"{_PREFIX}{module}{part}"]) for part in (_A, _B))
            left[module].append(up * _scale(adapter.config, module, down.shape[0]))
            right[module].append(down)
    tensors = {}
    for module in left:
        tensors[f"{_PREFIX}{module}{_A}"] = torch.cat(right[module], dim=0).contiguous()
        tensors[f"{_PREFIX}{module}{_B}"] = torch.cat(left[module], dim=1).contiguous()
    ranks = {module: sum(part.shape[0] for part in parts) for module, parts in right.items()}
    return Adapter(_stacked_config(adapters, ranks), tensors)


def _exact(weight: Tensor) -> Tensor:
    """The weight in float32 or better, so that scaling it rounds no more than that."""
    return weight.to(torch.promote_types(weight.dtype, torch.float32))


def _check_is_sum(adapter: Adapter) -> None:
    config = adapter.config
    found = [name for name in _BEYOND_SUMS if config.get(name)]
    if config.get("peft_type") != "LORA":
        found.append(f"peft_type {config.get('peft_type')}")
    if config.get("bias", "none") != "none":
        found.append(f"bias {config['bias']}")
    found += sorted({name for name in adapter.tensors if not name.endswith((_A, _B))})[:1]
    if found:
        raise InputError(
            f"the policy stands on adapters that cannot be one LoRA adapter ({', '.join(found)})",
            "export the whole model with --merged",
        )


def _modules(adapter: Adapter) -> list[str]:
    """The base model's modules that the adapter changes."""
    return [name.removeprefix(_PREFIX).removesuffix(_A) for name in adapter.tensors if name.endswith(_A)]


def _scale(config: dict[str, Any], module: str, rank: int) -> float:
    """What PEFT multiplies BA with: α/r, or α/√r for rank-stabilised LoRA (arXiv 2312.03732)."""
    from peft.utils.other import get_pattern_key

    patterns = config.get("alpha_pattern") or {}
    alpha = float(patterns.get(get_pattern_key(list(patterns), module), config["lora_alpha"]))
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


def _stacked_config(adapters: Sequence[Adapter], ranks: dict[str, int]) -> dict[str, Any]:
    largest, others = _rank_pattern(ranks)
    return {
        **adapters[-1].config,
        "r": largest,
        "lora_alpha": largest,
        "rank_pattern": others,
        "alpha_pattern": dict(others),
        "target_modules": _targets(adapters, ranks),
        "exclude_modules": None,
        "layers_to_transform": None,
        "layers_pattern": None,
        "lora_dropout": 0.0,
        "use_rslora": False,
        "init_lora_weights": True,
    }


def _rank_pattern(ranks: dict[str, int]) -> tuple[int, dict[str, int]]:
    """The largest rank, and the others by module: by its last name where all of that name agree."""
    largest = max(ranks.values())
    of_name: dict[str, set[int]] = defaultdict(set)
    for module, rank in ranks.items():
        of_name[module.rpartition(".")[2]].add(rank)
    others = {}
    for module, rank in ranks.items():
        name = module.rpartition(".")[2]
        if rank != largest:
            others[name if len(of_name[name]) == 1 else module] = rank
    return largest, others


def _targets(adapters: Sequence[Adapter], ranks: dict[str, int]) -> list[str]:
    """Names that PEFT takes for exactly the adapters' modules."""
    configs = [adapter.config for adapter in adapters]
    by_name = all(
        isinstance(config.get("target_modules"), list)
        and config.get("layers_to_transform") is None
        and not config.get("exclude_modules")
        for config in configs
    )
    if not by_name:
        return sorted(ranks)
    return sorted({name for config in configs for name in config["target_modules"]})


def write_adapter(adapter: Adapter, folder: Path, *, base: str, dtype: torch.dtype) -> None:
    """Writes the adapter to `folder` in PEFT's format, for the model `base`, its weights in `dtype`."""
    from safetensors.torch import save_file

    config = {**adapter.config, "base_model_name_or_path": base, "revision": None, "inference_mode": True}
    tensors = {name: weight.to(dtype).contiguous() for name, weight in adapter.tensors.items()}
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
