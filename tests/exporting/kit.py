"""Runs as training leaves them: a config, and adapters with random weights in PEFT's own format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from bswirl.policies.catalogue import PolicySpec
from bswirl.runs.folder import RunFolder
from tests.tiny import perturb, tiny_model

ATTENTION = ["q_proj", "v_proj"]


def save_adapter(
    folder: Path,
    *,
    kind: str = "llama",
    seed: int = 1,
    dtype: torch.dtype = torch.float32,
    base: Any = None,
    **options: Any,
) -> Path:
    """A LoRA with random weights for a tiny model (or `base`), saved by PEFT."""
    from peft import LoraConfig, get_peft_model

    settings = {"r": 2, "lora_alpha": 4, "target_modules": ATTENTION, "task_type": "CAUSAL_LM", **options}
    model = get_peft_model(base or tiny_model(kind), LoraConfig(**settings))
    perturb(model, seed=seed)
    model.to(dtype).save_pretrained(folder)
    return folder


def make_run(path: Path, start: PolicySpec, *, run_id: int | None = 7, **settings: Any) -> RunFolder:
    """A training run's folder without an adapter yet."""
    return RunFolder.create(
        path,
        kind="train",
        name="test",
        run_uid="uid",
        run_id=run_id,
        rows=[],
        settings={"objective": "bswirl", "policy": start.name, "base_dtype": "float32", **settings},
        policies={start.name: start.to_json()},
    )


def logits(model: Any, length: int = 40) -> torch.Tensor:
    """The logits of a fixed text of random tokens, float32 [length, vocabulary]."""
    ids = torch.randint(0, 250, (1, length), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        return model(input_ids=ids).logits[0].float()
