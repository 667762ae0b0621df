"""The LoRA adapter: put on a frozen base, saved in PEFT's format."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from bswirl.errors import UsageError
from bswirl.policies.loading import import_peft, quiet
from bswirl.runs.folder import sync_folder
from bswirl.training.checkpoints import sync_file
from bswirl.training.settings import TrainSettings

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


def attach_adapter(base: Any, settings: TrainSettings, base_name: str) -> Any:
    """A PEFT model: `base` frozen, a fresh float32 (or better) LoRA on it that starts as the base (B = 0).

    `base_name` is what the saved adapter calls its base: a hub id or a policy's name, never a path.
    The adapter's first weights follow torch's seed. Raises UsageError where a target names no module.
    """
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # which PEFT imports; it advises on import
    with quiet():
        peft = import_peft()

    base.requires_grad_(False)
    targets: str | list[str] = list(settings.lora_targets)
    if targets == ["all-linear"]:
        targets = "all-linear"
    else:
        _check_targets(base, settings.lora_targets)
    config = peft.LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    with quiet():
        model = peft.get_peft_model(base, config).eval()
    config.base_model_name_or_path = base_name
    return model


def _check_targets(base: Any, targets: tuple[str, ...]) -> None:
    head = base.get_output_embeddings()
    linear = {
        name.rsplit(".", 1)[-1]
        for name, module in base.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }
    for target in targets:
        if target.rsplit(".", 1)[-1] not in linear:
            raise UsageError(
                f"lora_targets: the policy has no linear module {target!r} that takes an adapter",
                f"use all-linear or some of: {', '.join(sorted(linear))}",
            )


def set_dropout(model: Any, active: bool) -> None:
    """Turns the adapter's dropout on or off; the base stays in evaluation mode, or its KL would be noise."""
    for name, module in model.named_modules():
        if "lora_dropout" in name:
            module.train(active)


@contextmanager
def without_dropout(model: Any) -> Iterator[None]:
    """Within, the adapter's dropout is off; then it is as it was."""
    layers = [module for name, module in model.named_modules() if "lora_dropout" in name]
    before = [layer.training for layer in layers]
    set_dropout(model, False)
    try:
        yield
    finally:
        for layer, active in zip(layers, before, strict=True):
            layer.train(active)


def checkpoint_activations(model: Any) -> None:
    """Have each decoder layer keep its inputs alone and compute itself once more in the backward pass.

    The layers are those that transformers checkpoints itself, but only in training mode, in which a base
    would also drop out; here they do it wherever gradients are recorded. Non-reentrant, since the frozen
    embeddings' output needs no gradient; the adapter's dropout is the same in both passes. Raises UsageError
    where the model has no such layers.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    inner = {id(module) for layer in layers for module in layer.modules() if module is not layer}
    if not layers:
        raise UsageError("the policy does not support gradient_checkpointing", "train without it")
    for layer in layers:
        if id(layer) not in inner:
            layer.forward = partial(_recomputed, layer.forward)


def _recomputed(forward: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*arguments, **options)
    return checkpoint(partial(forward, **options), *arguments, use_reentrant=False)


def adapter_tensors(model: Any) -> dict[str, Tensor]:
    """The adapter's trained weights by their name in the model."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def save_adapter(model: Any, folder: Path, dtype: str) -> None:
    """Write `adapter_config.json` and `adapter_model.safetensors` to `folder`, at once or not at all.

    PEFT's own format: `peft.PeftModel.from_pretrained(base, folder)` loads it. `dtype`: float32 or bfloat16.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    number_format = torch.bfloat16 if dtype == "bfloat16" else torch.float32
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    tensors = {name: weight.detach().to("cpu", number_format).contiguous() for name, weight in state.items()}
    config = model.peft_config["default"].to_dict()
    config["inference_mode"] = True
    temporary, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        (temporary / WEIGHTS).write_bytes(save(tensors, metadata={"format": "pt"}))
        (temporary / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True, default=_plain) + "\n")
        for path in temporary.iterdir():
            sync_file(path)
        sync_folder(temporary)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.replace(old)  # a folder with files in it cannot be replaced at once
        temporary.replace(folder)
        sync_folder(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)
