"""The language-model head in chunks: log-probs, exact KL and entropy, and the gradient with them.

No [sites × vocabulary] tensor lives for a whole pack: a chunk's logits are made, used for values and
gradient, and overwritten by the next chunk's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_CHUNK_BYTES = 24 << 20  # of one chunk's logits: they should stay in the cache of a CPU
_CUDA_CHUNK_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class HeadValues:
    """What the head says of a pack, without gradient; float32 (float64 for a float64 model)."""

    logprob: Tensor  # [targets] log π_θ of each target
    base_logprob: Tensor | None  # [targets] log π_base
    kl: Tensor | None  # [sites] KL(π_θ‖π_base)
    entropy: Tensor  # [sites]


class Head:
    """A model's output head, ready to be used in chunks."""

    def __init__(self, causal: Any) -> None:
        head, config = causal.get_output_embeddings(), causal.config.get_text_config()
        self._linear = head
        self.cap: float | None = getattr(config, "final_logit_softcapping", None) or None
        self.scale = float(getattr(config, "logit_scale", None) or 1.0) / float(
            getattr(config, "logits_scaling", None) or 1.0
        )
        weight = head.weight
        self.dtype = torch.float64 if weight.dtype == torch.float64 else torch.float32
        # Products of bfloat16 numbers are exact in float32, so their faster matmul loses nothing in the
        # logits. A CPU has it for float32 operands alone, hence the copy of the weights.
        self._half = weight.dtype == torch.bfloat16
        self._on_cuda = weight.device.type == "cuda"
        keeps_half = self._half and self._on_cuda
        self._weight = weight.detach() if keeps_half else weight.detach().to(self.dtype)
        bias = getattr(head, "bias", None)
        self._bias = None if bias is None else bias.detach().to(self.dtype)
        size = self._weight.shape[0] * (8 if self.dtype == torch.float64 else 4)
        self.chunk = max(1, (_CUDA_CHUNK_BYTES if self._on_cuda else _CHUNK_BYTES) // size)
        self._buffers: dict[str, Tensor] = {}

    def buffer(self, name: str, rows: int) -> Tensor:
        """Scratch [rows, vocabulary] that is used again by every chunk."""
        if name not in self._buffers:
            shape = (self.chunk, self._weight.shape[0])
            self._buffers[name] = torch.empty(shape, dtype=self.dtype, device=self._weight.device)
        return self._buffers[name][:rows]

    def release(self) -> None:
        """Gives the scratch memory back."""
        self._buffers.clear()

    def logits(self, hidden: Tensor, out: Tensor) -> Tensor:
        """Logits [rows, vocabulary] of hidden states [rows, width], into `out`."""
        with self._matmul():
            if self._weight.dtype == torch.bfloat16:
                torch.mm(hidden.to(torch.bfloat16), self._weight.t(), out_dtype=torch.float32, out=out)
            else:
                torch.mm(hidden.to(self.dtype), self._weight.t(), out=out)
        if self._bias is not None:
            out += self._bias
        if self.scale != 1.0:
            out *= self.scale
        if self.cap:
            out.div_(self.cap).tanh_().mul_(self.cap)
        return out

    def pull_back(self, gradient: Tensor) -> Tensor:
        """The gradient of hidden states from that of the logits' matmul, [rows, vocabulary]."""
        if self._bias is not None or self.scale != 1.0:
            gradient = gradient * self.scale
        with self._matmul():
            if self._weight.dtype == torch.bfloat16:
                return torch.mm(gradient.to(torch.bfloat16), self._weight, out_dtype=torch.float32)
            return torch.mm(gradient, self._weight)

    @contextmanager
    def _matmul(self) -> Iterator[None]:
        """Within, a CPU multiplies float32 copies of bfloat16 numbers as what they are."""
        settings: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
        before = settings.fp32_precision
        if self._half and not self._on_cuda:
            settings.fp32_precision = "bf16"
        try:
            yield
        finally:
            settings.fp32_precision = before


def head_values(head: Head, hidden: Tensor, base: Tensor | None, targets: Tensor, site: Tensor) -> HeadValues:
    """The values at hidden states [sites, width], `base` being the base policy's; see `head_loss`."""
    values, _ = _run(head, hidden.detach(), base, targets, site, None)
    return values


def head_loss(
    head: Head,
    hidden: Tensor,
    base: Tensor | None,
    targets: Tensor,
    site: Tensor,
    coefficient: Tensor,
    kl_weight: Tensor | None,
) -> tuple[Tensor, HeadValues]:
    """The loss −Σ_v c_v·log π_θ(v) + Σ_u w_u·KL_u(π_θ‖π_base) of a pack, and the values it is made of.

    `hidden` and `base` [sites, width] are the policies' last hidden states; `targets` and `site` [targets]
    int64 are the tokens predicted and by which site, ascending; `coefficient` [targets] is c, `kl_weight`
    [sites] w. The loss carries the gradient to `hidden`, which is made with the values, chunk by chunk:
    ∂/∂z = Σ_v c_v·(p − 1_v) + w·p∘(log p − log q − KL), with z the logits, p = π_θ and q = π_base.
    """
    values, gradient = _run(head, hidden.detach(), base, targets, site, (coefficient, kl_weight))
    loss = -(coefficient * values.logprob).sum()
    if kl_weight is not None and values.kl is not None:
        loss = loss + (kl_weight * values.kl).sum()
    carried: Tensor = _Carry.apply(hidden, gradient, loss)  # type: ignore[no-untyped-call]
    return carried, values


class _Carry(torch.autograd.Function):
    """A loss whose gradient is known already."""

    @staticmethod
    def forward(ctx: Any, _hidden: Tensor, gradient: Tensor, loss: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * outer).to(gradient.dtype), None, None


@torch.no_grad()
def _run(
    head: Head,
    hidden: Tensor,
    base: Tensor | None,
    targets: Tensor,
    site: Tensor,
    weights: tuple[Tensor, Tensor | None] | None,
) -> tuple[HeadValues, Tensor]:
    """All chunks: the values, and the gradient [sites, width] where there are weights."""
    sites = len(hidden)
    if base is not None and len(base) != sites:
        raise ValueError(f"{len(base)} hidden states of the base policy for {sites} of the policy")
    logprob = torch.empty(len(targets), dtype=head.dtype, device=hidden.device)
    base_logprob = torch.empty_like(logprob) if base is not None else None
    entropy = torch.empty(sites, dtype=head.dtype, device=hidden.device)
    kl = torch.empty_like(entropy) if base is not None else None
    gradient = torch.empty_like(hidden) if weights is not None else hidden.new_empty(0)
    bounds = torch.searchsorted(site, torch.arange(0, sites + head.chunk, head.chunk, device=site.device))
    edges = bounds.tolist()
    for index, start in enumerate(range(0, sites, head.chunk)):
        stop = min(start + head.chunk, sites)
        own = slice(edges[index], edges[index + 1])
        rows, tokens = site[own] - start, targets[own]
        log_p = head.logits(hidden[start:stop], head.buffer("policy", stop - start))
        slope = None  # of the cap, at these logits
        if head.cap and weights is not None:
            slope = 1 - (log_p / head.cap).square()
        log_p -= log_p.logsumexp(-1, keepdim=True)
        logprob[own] = log_p[rows, tokens]
        p = torch.exp(log_p, out=head.buffer("probability", stop - start))
        negative_entropy = torch.linalg.vecdot(p, log_p)
        entropy[start:stop] = -negative_entropy
        if base is not None and kl is not None and base_logprob is not None:
            log_q = head.logits(base[start:stop], head.buffer("base", stop - start))
            log_q -= log_q.logsumexp(-1, keepdim=True)
            base_logprob[own] = log_q[rows, tokens]
            log_p -= log_q
            kl[start:stop] = torch.linalg.vecdot(p, log_p)
        if weights is not None:
            coefficient, kl_weight = weights
            total = torch.zeros(stop - start, dtype=head.dtype, device=hidden.device)
            total.index_add_(0, rows, coefficient[own])
            if kl_weight is None or kl is None:
                slope_of_logits = p.mul_(total[:, None])
            else:
                w = kl_weight[start:stop]
                slope_of_logits = log_p.mul_(w[:, None]).add_((total - w * kl[start:stop])[:, None]).mul_(p)
            slope_of_logits.index_put_((rows, tokens), -coefficient[own], accumulate=True)
            if slope is not None:
                slope_of_logits *= slope
            gradient[start:stop] = head.pull_back(slope_of_logits)
    return HeadValues(logprob, base_logprob, kl, entropy), gradient
