"""What the device itself can do, and whether its attention kernel is exact."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from bswirl.bench.engines import TreeBench
from bswirl.bench.model import first_questions, gradients, relative_difference
from bswirl.training.rows import TrainingRow
from bswirl.training.settings import TrainSettings

_SIDE = {"cuda": 8192, "cpu": 512}
_REPEATS = 20
_QUESTIONS_COMPARED = 2


def matmul_rate(device: torch.device) -> float:
    """FLOP/s of the fastest of some large square matmuls in bfloat16."""
    side = _SIDE[device.type]
    left, right = (torch.randn((side, side), device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(_REPEATS):
        started = now(device)
        torch.mm(left, right)
        best = min(best, now(device) - started)
    return 2 * side**3 / best


def kernel_difference(model: Any, rows: Sequence[TrainingRow], settings: TrainSettings) -> dict[str, Any]:
    """How far the adapter's gradients through the device's tree attention are from a dense mask's, by norm.

    A few questions decide: the dense mask is [pack × pack]. On CUDA the device's own is FlexAttention.
    """
    some = first_questions(rows, _QUESTIONS_COMPARED)
    own = TreeBench(model, some, settings)
    own.step()
    found = gradients(model)
    TreeBench(model, some, settings, kernel="dense").step()
    return {"kernel": own.kernel, "gradient": relative_difference(found, gradients(model))}


def now(device: torch.device) -> float:
    """Seconds, when all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
