"""The plain row-wise computation: one padded forward pass a microbatch of rows, head on action tokens alone.

It is slow and simple, and the reference for anything faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bswirl.training.rows import TrainingRow


@dataclass(frozen=True, slots=True)
class RowValues:
    """What one microbatch gives, a value a row; all float32 (float64 for a float64 model), shape [rows]."""

    logprob: Tensor  # sum of log π_θ over the action's tokens, nats; carries the gradient
    kl: Tensor | None  # sum of KL(π_θ‖π_base) over the action's positions; carries the gradient if asked to
    base_logprob: Tensor | None  # sum of log π_base, no gradient
    entropy: Tensor  # sum over the action's positions of the entropy of π_θ, no gradient
    tokens: Tensor  # action tokens


def microbatches(rows: Sequence[TrainingRow], budget: int) -> list[list[TrainingRow]]:
    """Rows sorted by length, cut where a padded batch would exceed `budget` tokens; a longer row is alone."""
    batches: list[list[TrainingRow]] = []
    current: list[TrainingRow] = []
    for row in sorted(rows, key=lambda row: (len(row.ids), row.action_id, row.question_id)):
        if current and len(row.ids) * (len(current) + 1) > budget:
            batches.append(current)
            current = []
        current.append(row)
    return [*batches, current] if current else batches


def row_values(model: Any, rows: Sequence[TrainingRow], *, base: bool, kl_gradient: bool = True) -> RowValues:
    """Log-probs, and with `base` the exact full-vocabulary KL, of the rows' actions under a PEFT model.

    KL(π_θ‖π_base) = Σ_v π_θ(v)·(log π_θ(v) − log π_base(v)), teacher-forced at every position of the
    logged action; base = adapters off, without gradient (docs/method.md §3).
    """
    batch = _Batch.of(rows, model.device)
    logits = _logits(model, batch)
    log_probs = functional.log_softmax(logits, dim=-1)  # [action tokens, vocabulary]
    chosen = log_probs.gather(1, batch.targets[:, None])[:, 0]
    with torch.no_grad():
        entropy = -(log_probs.exp() * log_probs).sum(-1)
    kl = base_logprob = None
    if base:
        with torch.no_grad(), model.disable_adapter():
            base_log_probs = functional.log_softmax(_logits(model, batch), dim=-1)
        base_logprob = batch.sum_rows(base_log_probs.gather(1, batch.targets[:, None])[:, 0])
        with nullcontext() if kl_gradient else torch.no_grad():
            kl = batch.sum_rows((log_probs.exp() * (log_probs - base_log_probs)).sum(-1))
    return RowValues(
        logprob=batch.sum_rows(chosen),
        kl=kl,
        base_logprob=base_logprob,
        entropy=batch.sum_rows(entropy),
        tokens=torch.tensor([row.action_tokens for row in rows], device=batch.ids.device),
    )


@torch.no_grad()
def row_logprobs(model: Any, rows: Sequence[TrainingRow], budget: int, *, base: bool = False) -> list[float]:
    """Sum of log π over each row's action tokens, in nats; with `base`, adapters off."""
    found: dict[int, float] = {}
    with model.disable_adapter() if base else nullcontext():
        for part in microbatches(rows, budget):
            batch = _Batch.of(part, model.device)
            log_probs = functional.log_softmax(_logits(model, batch), dim=-1)
            sums = batch.sum_rows(log_probs.gather(1, batch.targets[:, None])[:, 0])
            found.update(zip(map(id, part), sums.tolist(), strict=True))
    return [found[id(row)] for row in rows]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rows padded on the right, and where in them the action tokens are predicted."""

    ids: Tensor  # [rows, longest] int64
    places: Tensor  # [action tokens] flat positions whose hidden state predicts an action token
    targets: Tensor  # [action tokens] the token there
    owner: Tensor  # [action tokens] the row it belongs to
    rows: int

    @classmethod
    def of(cls, rows: Sequence[TrainingRow], device: Any) -> _Batch:
        longest = max(len(row.ids) for row in rows)
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        places: list[int] = []
        targets: list[int] = []
        owner: list[int] = []
        for index, row in enumerate(rows):
            ids[index, : len(row.ids)] = torch.tensor(row.ids)
            places += range(index * longest + row.action_start - 1, index * longest + len(row.ids) - 1)
            targets += row.ids[row.action_start :]
            owner += [index] * row.action_tokens
        on_device = [torch.tensor(values, device=device) for values in (places, targets, owner)]
        return cls(ids.to(device), on_device[0], on_device[1], on_device[2], len(rows))

    def sum_rows(self, values: Tensor) -> Tensor:
        """Sum [action tokens] into [rows]."""
        return torch.zeros(self.rows, dtype=values.dtype, device=values.device).index_add(
            0, self.owner, values
        )


def _logits(model: Any, batch: _Batch) -> Tensor:
    """Logits [action tokens, vocabulary] in float32 or better.

    Attention is causal and the padding is on the right, so no action token sees it: no mask is needed.
    """
    causal = model.get_base_model()
    body = getattr(causal, causal.base_model_prefix)
    hidden = body(input_ids=batch.ids, use_cache=False).last_hidden_state
    return head_logits(causal, hidden.flatten(0, 1)[batch.places])


def head_logits(causal: Any, hidden: Tensor) -> Tensor:
    """The language-model head in float32 (float64 for a float64 model), with the config's scaling and cap."""
    head, config = causal.get_output_embeddings(), causal.config.get_text_config()
    dtype = torch.float64 if hidden.dtype == torch.float64 else torch.float32
    bias = getattr(head, "bias", None)
    logits = functional.linear(
        hidden.to(dtype), head.weight.to(dtype), None if bias is None else bias.to(dtype)
    )
    if getattr(config, "logits_scaling", None):
        logits = logits / config.logits_scaling
    if getattr(config, "logit_scale", None):
        logits = logits * config.logit_scale
    cap = getattr(config, "final_logit_softcapping", None)
    return cap * torch.tanh(logits / cap) if cap else logits
