"""How far a variant's loss, KL and gradient are from the row-wise ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file

from bswirl.bench.engines import make_bench
from bswirl.bench.model import first_questions, gradients, relative_difference
from bswirl.bench.settings import REFERENCE
from bswirl.training.rows import TrainingRow
from bswirl.training.settings import TrainSettings

_QUESTIONS = 1


def compare(
    variant: str, model: Any, rows: Sequence[TrainingRow], settings: TrainSettings, reference: Path
) -> dict[str, Any]:
    """Differences from the row-wise variant: loss and KL in nats, the gradient by norm, relative to its own.

    The row-wise variant writes its own to `reference`, a safetensors file, and must have come first. A dense
    model is turned into float32 for this, in place, so that what shows is the engine and not bfloat16's
    rounding; one in 4 bits stays as it is.
    """
    if not getattr(model.get_base_model(), "is_loaded_in_4bit", False):
        model.float()
        settings = dataclasses.replace(settings, base_dtype="float32")
    bench = make_bench(variant, model, first_questions(rows, _QUESTIONS), settings)
    values = bench.step()
    found = gradients(model)
    if variant == "d2":  # now the cache is full: the next step is one that reads it
        values = bench.step()
        found = gradients(model)
    own = {"loss": values.policy_loss + settings.beta * values.kl_loss, "kl": values.kl_loss}
    if variant == REFERENCE:
        save_file(found, reference, {name: repr(value) for name, value in own.items()})
    with safe_open(reference, framework="pt") as kept:
        wanted = {name: float(value) for name, value in kept.metadata().items()}
        gradient = relative_difference(found, {name: kept.get_tensor(name) for name in kept.keys()})  # noqa: SIM118
    apart = {name: abs(own[name] - wanted[name]) for name in own}
    return {"dtype": settings.base_dtype, **own, "difference": {**apart, "gradient": gradient}}
