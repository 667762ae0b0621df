"""LoRA's product added in two thin matmuls, in the number format of the activations.

PEFT's own layers cast activations to float32 and back around the adapter, which on a small model costs as
much as the base's matmuls. The values are PEFT's up to that rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor


class _AddLora(torch.autograd.Function):
    """y + s·(x·Aᵀ)·Bᵀ for y [tokens, out], x [tokens, in], A [r, in], B [out, r]."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, x: Tensor, a: Tensor, b: Tensor, scaling: float) -> Tensor:
        narrow = x @ a.to(x.dtype).t()
        ctx.save_for_backward(x, narrow, a, b)
        ctx.scaling = scaling
        return torch.addmm(y, narrow, b.to(x.dtype).t(), alpha=scaling)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        x, narrow, a, b = ctx.saved_tensors
        outer_narrow = (outer @ b.to(outer.dtype)).mul_(ctx.scaling)
        to_b = (outer.t() @ narrow).to(b.dtype).mul_(ctx.scaling)
        to_a = (outer_narrow.t() @ x).to(a.dtype)
        return outer, outer_narrow @ a.to(outer.dtype), to_a, to_b, None


@contextmanager
def fused_lora(model: Any) -> Iterator[None]:
    """Within, the model's plain LoRA layers compute as above; all else about them stays."""
    layers = [module for module in model.modules() if _is_plain(module)]
    for layer in layers:
        layer.forward = partial(_forward, layer, type(layer).forward.__get__(layer))
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _is_plain(module: Any) -> bool:
    """One unmerged vanilla adapter on a linear layer."""
    from peft.tuners.lora import LoraLayer

    return (
        isinstance(module, LoraLayer)
        and list(module.lora_A) == list(module.active_adapters)
        and len(module.lora_A) == 1
        and not module.lora_variant
        and not module.merged
        and all(type(part) is torch.nn.Linear and part.bias is None for part in _parts(module))
    )


def _parts(layer: Any) -> list[Any]:
    name = layer.active_adapters[0]
    return [layer.lora_A[name], layer.lora_B[name]]


def _forward(layer: Any, plain: Callable[..., Tensor], x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    if layer.disable_adapters or args or kwargs:
        return plain(x, *args, **kwargs)
    a, b = _parts(layer)
    name = layer.active_adapters[0]
    y = layer.base_layer(x)
    dropped = layer.lora_dropout[name](x)
    added: Tensor = _AddLora.apply(  # type: ignore[no-untyped-call]
        y.flatten(0, -2), dropped.flatten(0, -2).to(y.dtype), a.weight, b.weight, layer.scaling[name]
    )
    return added.view(y.shape)
