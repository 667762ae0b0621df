"""A training run as a worker does it: load, tokenise, train, save the adapter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bswirl.errors import InputError
from bswirl.policies.catalogue import PolicySpec, missing_extra
from bswirl.policies.devices import resolve_device
from bswirl.records import FrozenTree, from_json
from bswirl.runs.context import RunContext
from bswirl.training.settings import TrainSettings

if TYPE_CHECKING:
    from bswirl.training.loop import Training

_RUNS = re.compile(r"(?:@\d+(?:/best)?)+$")  # what NAME@RUN puts behind the base's name


def run(context: RunContext) -> dict[str, Any]:
    """Train the run's policy on its frozen trees and save the adapter; returns the run's summary.

    Raises InputError where nothing is left to train on, CancelledError (resumable), and BswirlError where the
    loss is not finite, the policy collapses, or the `train` extra is missing.
    """
    settings = TrainSettings.from_dict(
        {**context.settings, "certified_rates": context.config.get("certified_rates")}
    )
    try:
        from bswirl.training.adapter import save_adapter
        from bswirl.training.tensorboard import require_tensorboard
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error

    if settings.tensorboard:
        require_tensorboard()
    spec = policy_spec(context, settings.policy)
    device = resolve_device(settings.device)
    with context.device_lock(str(device)):
        training = _prepare(context, settings, spec, str(device))
        training.run()
        save_adapter(training.model, context.folder.adapter, settings.adapter_dtype)
    context.log(f"adapter saved to {context.folder.adapter}")
    return _summary(training)


def policy_spec(context: RunContext, name: str) -> PolicySpec:
    """The frozen policy of that name in the run's config. Raises InputError where it is not there."""
    policies = context.config["policies"]
    if name not in policies:
        raise InputError(f"the run's config has no policy {name!r}", "start a new run")
    return PolicySpec.from_json(policies[name])


def base_name(spec: PolicySpec) -> str:
    """What an adapter calls its base: the hub id or the policy's name, never a path of this machine."""
    is_hub_id = not spec.adapters and not Path(spec.model).is_absolute()
    if is_hub_id:
        return spec.model
    runs = _RUNS.search(spec.name)
    return Path(spec.name.removesuffix(runs[0])).name + runs[0] if runs else Path(spec.name).name


def _prepare(context: RunContext, settings: TrainSettings, spec: PolicySpec, device: str) -> Training:
    import torch

    from bswirl.policies.local import load_model
    from bswirl.training.adapter import attach_adapter, checkpoint_activations
    from bswirl.training.loop import Training
    from bswirl.training.rows import build_rows
    from bswirl.training.sampling import policy_in_training

    loaded = load_model(
        spec,
        device=device,
        load_in_4bit=settings.load_in_4bit,
        dtype=getattr(torch, settings.base_dtype),
        log=context.log,
    )
    context.check_cancelled()
    config = loaded.model.config.get_text_config()
    longest = getattr(config, "max_position_embeddings", None)
    rows = build_rows(_trees(context), loaded.tokenizer, settings, longest=longest)
    if rows.too_long:
        context.warn(f"{rows.too_long} rows are longer than the policy's {longest} tokens and were left out")
    context.log(rows.describe())
    torch.manual_seed(settings.seed)
    model = attach_adapter(loaded.model, settings, base_name(spec))
    if settings.gradient_checkpointing:
        checkpoint_activations(model)
    return Training(model, rows, settings, context, policy_in_training(model, loaded, spec))


def _trees(context: RunContext) -> Iterator[FrozenTree]:
    return (from_json(FrozenTree, line) for line in context.input_rows())


def _summary(training: Training) -> dict[str, Any]:
    names = (
        "loss",
        "kl",
        "reward",
        "shift/positive",
        "shift/negative",
        "shift/margin",
        "validation/accuracy",
    )
    rows, last, best = training.rows, training.record.last, training.best
    return {
        "steps": training.steps,
        "questions": len(rows.rows),
        "actions": rows.row_count,
        "probe_actions": min(len(rows.probe), training.settings.probe_actions),
        "num_tokens": training.position.num_tokens,
        "trained_parameters": sum(weight.numel() for weight in training.weights.values()),
        **{name: last[name] for name in names if name in last},
        **({"best_step": best.step, "best_value": best.value} if best else {}),
    }
