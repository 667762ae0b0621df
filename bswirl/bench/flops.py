"""The floating-point operations that a step needs, by a formula that is stated with every result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FORMULA = (
    "body: 2·N a token forward, 2·N backward through the frozen base, 2·N for the base pass where it is "
    "computed; head: 2·d·V a position forward for the policy and for the base, 2·d·V backward; N: weights of "
    "the body's linear layers, d: hidden size, V: vocabulary; attention, LoRA and recomputation are left out"
)


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What the formula knows of a model."""

    body: int  # N
    hidden: int  # d
    vocabulary: int  # V


@dataclass(frozen=True, slots=True)
class Work:
    """Tokens through the body and positions through the head, over a whole step.

    `plain_tokens` are those of the passes with gradient without padding. `tokens` and `head` are the same as
    computed, and `free_*` those of the passes without gradient: the base policy's, and whatever else runs.
    """

    plain_tokens: int
    tokens: int
    head: int
    free_tokens: int = 0
    free_head: int = 0


def step_flops(size: ModelSize, work: Work) -> float:
    """FLOPs of forward, backward and base pass of a step, by FORMULA."""
    body = 2 * size.body * (2 * work.tokens + work.free_tokens)
    head = 2 * size.hidden * size.vocabulary * (2 * work.head + work.free_head)
    return float(body + head)


def model_size(causal: Any) -> ModelSize:
    """The size of a transformers causal language model, with adapters or in 4 bits or neither.

    Counts every linear layer but the head and the adapters by its inputs times its outputs.
    """
    import torch

    head = causal.get_output_embeddings()
    body = sum(
        module.in_features * module.out_features
        for name, module in causal.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head and "lora_" not in name
    )
    return ModelSize(body, head.in_features, head.out_features)
