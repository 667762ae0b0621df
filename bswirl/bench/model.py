"""The model of a benchmark with a perturbed adapter, and the rows that it is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bswirl.bench.engines import one_tree_a_state
from bswirl.bench.problems import bench_trees
from bswirl.bench.settings import LARGE_SHAPE, BenchSettings
from bswirl.bench.shapes import random_rows, shaped_model
from bswirl.errors import UsageError
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.devices import resolve_device
from bswirl.policies.local import load_model
from bswirl.policies.rendering import encode_state
from bswirl.records import FrozenTree
from bswirl.training.adapter import adapter_tensors, attach_adapter, checkpoint_activations
from bswirl.training.rows import TrainingRow, build_rows
from bswirl.training.settings import TrainSettings
from bswirl.training.treewise import trees_of

_PERTURBATION = 0.005  # standard deviation of the adapter's B, which is 0 in a new one


@dataclass(frozen=True, slots=True)
class Bench:
    """A base model and what to measure on it. Without a tokenizer there are rows alone, and no trees."""

    base: Any
    tokenizer: Any
    trees: list[FrozenTree]
    rows: list[TrainingRow]
    device: torch.device


def load_bench(settings: BenchSettings) -> Bench:
    """Loads or makes the model and the rows; the same in every process for the same settings."""
    if settings.shape is not None:
        device = resolve_device(settings.device)
        if settings.shape == LARGE_SHAPE and device.type != "cuda":
            raise UsageError(f"--shape {LARGE_SHAPE} needs a GPU", "tiny-mistral runs the same code on a CPU")
        model = shaped_model(settings.shape, device, settings.seed, getattr(torch, settings.base_dtype))
        rows = random_rows(settings, model.config.vocab_size)
        return Bench(model, None, [], rows, device)
    spec = PolicySpec.from_json(settings.policy or {})
    loaded = load_model(
        spec,
        device=settings.device,
        load_in_4bit=settings.load_in_4bit,
        dtype=getattr(torch, settings.base_dtype),
    )
    trees = bench_trees(
        settings.questions,
        settings.steps,
        settings.actions,
        settings.prompt_tokens,
        lambda text: len(encode_state(loaded.tokenizer, text, ())),
    )
    found = build_rows(trees, loaded.tokenizer, train_settings(settings))
    rows = [row for part in found.rows.values() for row in part]
    return Bench(loaded.model, loaded.tokenizer, trees, rows, loaded.device)


def train_settings(settings: BenchSettings) -> TrainSettings:
    """The training settings of all variants: the defaults, with a gradient of log π for every row."""
    return TrainSettings.from_dict(
        {
            "objective": "bswirl",
            "policy": settings.model_name,
            "device": settings.device,
            "load_in_4bit": settings.load_in_4bit,
            "base_dtype": settings.base_dtype,
            "seed": settings.seed,
            "pack_tokens": settings.pack_tokens,
            "gradient_checkpointing": settings.gradient_checkpointing,
            "negative_weight": 1.0,
        }
    )


def adapted(base: Any, settings: TrainSettings) -> Any:
    """A PEFT model whose adapter is not at its start, so that policy and base differ."""
    torch.manual_seed(settings.seed)
    model = attach_adapter(base, settings, "bench")
    if settings.gradient_checkpointing:
        checkpoint_activations(model)
    generator = torch.Generator().manual_seed(settings.seed)
    with torch.no_grad():
        for name, weight in adapter_tensors(model).items():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * _PERTURBATION)
    return model


def touch(base: Any) -> None:
    """A short pass, so that weights which are read lazily are in memory before memory is measured."""
    with torch.no_grad():
        base(input_ids=torch.zeros((1, 2), dtype=torch.long, device=base.device))


def gradients(model: Any) -> dict[str, Tensor]:
    """The adapter's gradients on the CPU, by name; they are taken off the model."""
    found = {}
    for name, weight in adapter_tensors(model).items():
        if weight.grad is not None:
            found[name] = weight.grad.detach().cpu()
            weight.grad = None
    return found


def relative_difference(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """‖found − wanted‖ / ‖wanted‖ over all tensors together."""
    apart = sum(float((found[name].double() - part.double()).square().sum()) for name, part in wanted.items())
    size = sum(float(part.double().square().sum()) for part in wanted.values())
    return (apart / size) ** 0.5 if size else float("nan")


def first_questions(rows: Sequence[TrainingRow], count: int) -> list[TrainingRow]:
    """The rows of the first `count` questions."""
    numbers = sorted({row.question_id for row in rows})[:count]
    return [row for row in rows if row.question_id in numbers]


def realised(rows: Sequence[TrainingRow]) -> dict[str, float]:
    """What the trees came out as: P, K, t and G as means, and their tokens in the three forms."""
    states = {row.state_id: row for row in rows}
    first: dict[int, TrainingRow] = {}
    for row in rows:
        first.setdefault(row.question_id, row)
    questions = len(first)
    return {
        "questions": questions,
        "rows": len(rows),
        "P": sum(row.action_start for row in first.values()) / questions,
        "K": len(states) / questions,
        "t": sum(row.action_tokens for row in rows) / len(rows),
        "G": len(rows) / len(states),
        "row_tokens": sum(len(row.ids) for row in rows),
        "state_tokens": sum(len(tree) for tree in trees_of(one_tree_a_state(rows))),
        "tree_tokens": sum(len(tree) for tree in trees_of(rows)),
    }
