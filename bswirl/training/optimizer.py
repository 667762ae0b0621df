"""The optimizer of the adapter's weights."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import torch
from torch import Tensor

from bswirl.errors import UsageError
from bswirl.policies.loading import import_bitsandbytes, quiet
from bswirl.training.settings import TrainSettings

_UPDATE = "bitsandbytes::optimizer_update_8bit_blockwise"


def make_optimizer(weights: Iterable[Tensor], settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW without weight decay, its moments in float32, or in 8 bits in blocks of 256 (`adamw-8bit`).

    bitsandbytes keeps the moments of weights with fewer than 4,096 numbers in float32. Raises UsageError
    where it has no 8-bit update for the weights' device, BswirlError where it is not installed.
    """
    chosen = list(weights)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(chosen, lr=settings.learning_rate, weight_decay=0.0)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it advises on import
    with quiet():
        bitsandbytes = import_bitsandbytes()
    device = chosen[0].device.type
    if not has_8bit_update(device):
        raise UsageError(
            f"bitsandbytes {bitsandbytes.__version__} has no 8-bit optimizer for {device}",
            "use optimizer adamw, or a newer bitsandbytes",
        )
    optimizer: torch.optim.Optimizer = bitsandbytes.optim.AdamW8bit(
        chosen, lr=settings.learning_rate, weight_decay=0.0
    )
    return optimizer


def has_8bit_update(device: str) -> bool:
    """Whether the imported bitsandbytes can update 8-bit states on that kind of device, `cpu` or `cuda`."""
    try:
        return bool(torch._C._dispatch_has_computed_kernel_for_dispatch_key(_UPDATE, device.upper()))
    except RuntimeError:  # the operator itself is not there
        return False
