"""Whole models with their adapters merged in, saved so that other programs load them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bswirl.errors import InputError
from bswirl.exporting.trained import Trained
from bswirl.policies.loading import quiet
from bswirl.policies.local import LoadedModel, load_model, model_source, stop_ids

SHARD_SIZE = "5GB"


def load_merged(trained: Trained, dtype: torch.dtype, log: Callable[[str], None]) -> LoadedModel:
    """The trained policy's model on the CPU: dense weights, merged in float32, then rounded to `dtype`.

    Raises InputError where the base model's own weights are quantised.
    """
    config = model_source(trained.start, log) / "config.json"
    if config.is_file() and json.loads(config.read_text(encoding="utf-8")).get("quantization_config"):
        raise InputError(
            f"the weights of {trained.base} are quantised; adapters merge into dense ones alone",
            "export without --merged",
        )
    return load_model(trained.policy, device="cpu", dtype=dtype, log=log)


def weight_bytes(model: Any) -> int:
    """How much the model's weights take, shared ones once."""
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())


def save_merged(loaded: LoadedModel, folder: Path) -> None:
    """Writes the model, its configs and its tokenizer with chat template to `folder`."""
    with quiet():
        loaded.model.save_pretrained(folder, max_shard_size=SHARD_SIZE)
        loaded.tokenizer.save_pretrained(folder)
    _edit(folder / "config.json", _with_older_names)
    _edit(folder / "tokenizer_config.json", _with_older_class)
    _edit(folder / "generation_config.json", lambda config: _with_stops(config, stop_ids(loaded)))


def _edit(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    if path.is_file():
        config = change(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _with_older_names(config: dict[str, Any]) -> dict[str, Any]:
    """The rotary embedding under its names from before transformers 5 as well.

    Programs that stand on transformers 4 would silently compute with a `rope_theta` of 10,000.
    """
    rope = config.get("rope_parameters")
    if not isinstance(rope, dict) or "rope_theta" not in rope:
        return config
    scaling = {name: value for name, value in rope.items() if name != "rope_theta"}
    older: dict[str, Any] = {"rope_theta": rope["rope_theta"]}
    if scaling.get("rope_type", "default") != "default":
        older["rope_scaling"] = scaling
    return {**config, **older}


def _with_older_class(config: dict[str, Any]) -> dict[str, Any]:
    """A tokenizer class that transformers 4 knows, where it has another name for the same."""
    kept = {name: value for name, value in config.items() if name not in ("is_local", "local_files_only")}
    if kept.get("tokenizer_class") == "TokenizersBackend":
        kept["tokenizer_class"] = "PreTrainedTokenizerFast"
        # There it would also make token types, which causal language models do not take.
        kept.setdefault("model_input_names", ["input_ids", "attention_mask"])
    return kept


def _with_stops(config: dict[str, Any], stops: frozenset[int]) -> dict[str, Any]:
    """Generation ends where it ends in evaluation: at the chat template's end of turn, too."""
    return {**config, "eos_token_id": sorted(stops) if len(stops) > 1 else next(iter(stops), None)}
