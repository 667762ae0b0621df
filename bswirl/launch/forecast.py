"""The forecast of a training run: from the input it would freeze, the policy's files, and earlier runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bswirl.client import Client
from bswirl.errors import BswirlError, UsageError
from bswirl.launch.certified import RewardJudges, certificates_for, corrects_by_certificate
from bswirl.launch.inputs import input_rows, nothing_selected
from bswirl.launch.requests import RunRequest, policies_json
from bswirl.launch.selected import with_selection
from bswirl.policies.catalogue import EMBEDDED, PolicySpec
from bswirl.policies.devices import expects_gpu
from bswirl.policies.smollm2 import cache_folder
from bswirl.records import FrozenTree, from_json
from bswirl.training.forecast import Forecast, Forecaster, Throughput
from bswirl.training.memory import Shape, shape_of
from bswirl.training.settings import TrainSettings

_MOST_RUNS = 20  # earlier runs that are looked at for their throughput
_SPEED = ("engine", "load_in_4bit", "base_dtype", "device", "gradient_checkpointing")  # what it depends on


def forecast_run(client: Client, request: RunRequest, *, tokenise: bool = False) -> Forecast:
    """What a training run would be; nothing is written or started.

    With `tokenise` the policy's tokenizer counts the tokens where it is on this machine, which imports
    transformers. Raises InputError where the run would have no input or lacks a certificate that it asks for,
    UsageError on another kind of run.
    """
    if request.kind != "train":
        raise UsageError(f"a {request.kind} run has no forecast", "training runs have one")
    request = with_selection(client, request)
    forecaster = forecaster_of(request, tokenise=tokenise)
    left_out: dict[str, Any] = {}
    selected = 0
    judges = RewardJudges()
    for row in noted(judges.noted(input_rows(client, request, left_out)), forecaster):
        selected += bool(row)
    if not selected:
        raise nothing_selected(request, left_out)
    forecaster.left_out = left_out.get("reasons", {})
    if corrects_by_certificate(request):
        certificates_for(client, request, judges)
    return finished(client, request, forecaster)


def forecaster_of(request: RunRequest, *, tokenise: bool = False) -> Forecaster:
    """A forecaster for the settings of a training run."""
    tokenizer = _tokenizer(_spec(request)) if tokenise else None
    return Forecaster(TrainSettings.from_dict(request.settings), tokenizer=tokenizer)


def noted(rows: Iterator[dict[str, Any]], forecaster: Forecaster) -> Iterator[dict[str, Any]]:
    """The rows as they are, each also given to the forecaster."""
    for row in rows:
        forecaster.add(from_json(FrozenTree, row))
        yield row


def finished(client: Client, request: RunRequest, forecaster: Forecaster) -> Forecast:
    """The forecast of all that the forecaster was given."""
    return forecaster.forecast(
        shape=_shape(_spec(request)),
        on_gpu=expects_gpu(request.settings["device"]),
        throughput=_throughput(client, request),
    )


def _spec(request: RunRequest) -> PolicySpec:
    return next(iter(request.policies.values()))


def _throughput(client: Client, request: RunRequest) -> Throughput | None:
    """The median speed of the newest run that trained the same policy in the same way.

    None for `swirl-onpolicy`, whose sampling takes most of its time and is no part of that figure.
    """
    if request.settings["objective"] == "swirl-onpolicy":
        return None
    wanted = _trained(request.settings, policies_json(request))
    for run in client.runs(kind="train", limit=_MOST_RUNS):
        if _trained(run.config.get("settings") or {}, run.config.get("policies") or {}) != wanted:
            continue
        points = client.metrics(run.run_id).get("tokens_per_second")
        speed = statistics.median(value for _, value in points) if points else 0.0
        if speed > 0:
            return Throughput(run.run_id, speed)
    return None


def _trained(settings: dict[str, Any], policies: dict[str, Any]) -> list[Any]:
    spec = policies.get(settings.get("policy", "")) or {}
    return [spec.get("model"), list(spec.get("adapters") or ()), *(settings.get(name) for name in _SPEED)]


def _shape(spec: PolicySpec) -> Shape | None:
    """The size of the policy's model; None where its config is not on this machine."""
    folder = _model_folder(spec)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8")) if folder else None
    except (OSError, ValueError):
        return None
    return shape_of(config) if isinstance(config, dict) else None


def _tokenizer(spec: PolicySpec) -> Any:
    """The policy's tokenizer; None where it is not on this machine, or transformers is not."""
    folder = _model_folder(spec)
    if folder is None:
        return None
    try:
        from bswirl.policies.loading import load_tokenizer

        return load_tokenizer(folder)
    except (ModuleNotFoundError, BswirlError):
        return None


def _model_folder(spec: PolicySpec) -> Path | None:
    """Where the model's config and tokenizer lie, without fetching anything."""
    if spec.model == EMBEDDED:
        folder: Path | None = cache_folder() / EMBEDDED
    else:
        folder = Path(spec.model) if Path(spec.model).is_absolute() else _cached(spec.model)
    return folder if folder is not None and (folder / "config.json").is_file() else None


def _cached(name: str) -> Path | None:
    """The folder of a hub model in the local cache."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ModuleNotFoundError:
        return None
    try:
        found = try_to_load_from_cache(name, "config.json")
    except ValueError:  # no name that the hub allows; loading will say so
        return None
    return Path(found).parent if isinstance(found, str) else None
