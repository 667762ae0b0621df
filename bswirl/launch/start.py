"""Starting, resuming and cancelling runs: the folder is written here, the worker goes its own way."""

from __future__ import annotations

import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bswirl.certificates import Certificate
from bswirl.client import Client
from bswirl.client.spawn import module_environment, spawn_module
from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.launch.certified import (
    RewardJudges,
    certificates_for,
    corrects_by_certificate,
    frozen_rates,
    rate_words,
)
from bswirl.launch.checks import check_cost_limit, check_space
from bswirl.launch.estimate import Estimate, Estimator, estimated, measured_means
from bswirl.launch.forecast import finished, forecaster_of, noted
from bswirl.launch.inputs import input_rows, nothing_selected
from bswirl.launch.keys import AskTrust, check_keys, models_of
from bswirl.launch.requests import RunRequest, policies_json
from bswirl.launch.scope import scope_prefix
from bswirl.launch.selected import provenance, with_selection
from bswirl.policies.catalogue import EMBEDDED
from bswirl.policies.smollm2 import ensure_smollm2
from bswirl.project import Project
from bswirl.records import LIVE_STATUSES, Run
from bswirl.runs.folder import RunFolder, sync_folder
from bswirl.runs.locks import is_local_process, lock_holder
from bswirl.training.forecast import Forecast, Forecaster

_DRAFT_PREFIX = ".new-"
_DRAFT_SECONDS = 24 * 3600.0

Say = Callable[[str], None]


def start_run(
    client: Client,
    project: Project,
    request: RunRequest,
    *,
    say: Say | None = None,
    on_forecast: Callable[[Forecast], None] | None = None,
    on_estimate: Callable[[Estimate], None] | None = None,
    ask_trust: AskTrust | None = None,
) -> Run:
    """Freezes the run's input, registers it, and starts its worker. Returns the queued run.

    `say` gets a line for what takes long before the run exists, such as fetching a model; `on_forecast` gets
    what a training run will be, `on_estimate` what a run on a served model will call and cost; `ask_trust` is
    asked whether a key may be sent to an endpoint that is new to this user. Raises RefusedError where an
    endpoint's key is missing, InputError where nothing is selected or a training run would learn nothing,
    NothingToDoError where everything is done already, BswirlError where the disk is full. Until the run is
    registered nothing stays behind.
    """
    check_space(project.root)
    check_cost_limit(request.settings.get("max_cost"), request.served)
    check_keys(request.served, ask_trust)
    _sweep_drafts(project)
    request = with_selection(client, request)
    forecaster = forecaster_of(request) if request.kind == "train" else None
    estimator = Estimator(request) if request.served and on_estimate is not None else None
    run_uid = str(uuid.uuid4())
    draft = project.runs_folder / f"{_DRAFT_PREFIX}{run_uid}"
    try:
        folder = _freeze(client, project, request, draft, run_uid, forecaster, estimator, say)
        if any(spec.kind == "local" and spec.model == EMBEDDED for spec in request.models):
            ensure_smollm2(log=say)
        if forecaster is not None and on_forecast is not None:
            on_forecast(finished(client, request, forecaster))
        if estimator is not None and on_estimate is not None:
            on_estimate(estimator.estimate(measured_means(client, request)))
        config = folder.read_config()
        run = client.register_run(run_uid, request.kind, request.name, config, config["input_sha256"])
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _start_worker(run)
    return run


def resume_run(
    client: Client,
    project: Project,
    run_id: int,
    *,
    max_cost: float | None = None,
    ask_trust: AskTrust | None = None,
) -> Run:
    """Starts another worker on a cancelled, failed or lost run; it goes on where the earlier one ended.

    `max_cost` is from now on what it may cost in dollars, over all its attempts. Raises InputError where the
    run is alive or done, or its folder is gone, UsageError where it makes no calls that could cost anything,
    and RefusedError as `start_run`.
    """
    check_space(project.root)
    folder = RunFolder(Path(client.run(run_id).folder))
    served = models_of(folder.read_config())
    if max_cost is not None and not served:
        raise UsageError(f"run {run_id} calls no served model: it costs nothing", "leave out --max-cost")
    check_cost_limit(max_cost, served)
    check_keys(served, ask_trust)
    run = client.restart_run(run_id)
    if max_cost is not None:
        folder.max_cost_file.write_text(f"{max_cost!r}\n", encoding="utf-8")
    folder.cancel_file.unlink(missing_ok=True)
    _start_worker(run)
    return run


def cancel_run(client: Client, project: Project, run_id: int) -> Run:  # noqa: ARG001 - the shape of the others
    """Asks a run's worker to end, which it does at the next safe point. Returns the run as it stands.

    Raises InputError where the run has ended already.
    """
    run = client.run(run_id)
    if run.status not in LIVE_STATUSES:
        raise InputError(
            f"run {run_id} is {run.status} already", "`bswirl runs list` shows which runs are alive"
        )
    folder = RunFolder(Path(run.folder))
    try:
        folder.cancel_file.touch()
    except OSError as error:
        raise BswirlError(f"{folder.cancel_file}: {error.strerror}", "check the run's folder") from error
    holder = lock_holder(folder.lock_file)
    if holder and is_local_process(holder):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(holder["pid"], signal.SIGTERM)
    return client.run(run_id)


def _freeze(
    client: Client,
    project: Project,
    request: RunRequest,
    draft: Path,
    run_uid: str,
    forecaster: Forecaster | None,
    estimator: Estimator | None,
    say: Say | None,
) -> RunFolder:
    left_out: dict[str, Any] = {}
    judges = RewardJudges()
    rows = input_rows(client, request, left_out)
    if corrects_by_certificate(request):
        rows = judges.noted(rows)
    if forecaster is not None:
        rows = noted(rows, forecaster)
    if estimator is not None:
        rows = estimated(rows, estimator)
    try:
        folder = RunFolder.create(
            draft,
            kind=request.kind,
            name=request.name,
            run_uid=run_uid,
            rows=rows,
            settings=request.settings,
            policies=policies_json(request),
            extra={
                "select": request.select,
                **provenance(request),
                "project": str(project.root),
                **({"judge": request.judge.to_json()} if request.judge is not None else {}),
            },
        )
        sync_folder(project.runs_folder)
    except OSError as error:
        raise BswirlError(
            f"cannot write the run's folder {draft}: {error.strerror or error}",
            "the project's folder must be writable, on a disk with free space",
        ) from error
    if folder.read_config()["input_rows"] == 0:
        raise nothing_selected(request, left_out)
    if forecaster is not None:
        forecaster.left_out = left_out.get("reasons", {})
    if forecaster is not None and (refusal := forecaster.refusal) is not None:
        raise refusal
    if corrects_by_certificate(request):
        _freeze_rates(folder, certificates_for(client, request, judges), say)
    return folder


def _freeze_rates(folder: RunFolder, certificates: Sequence[Certificate], say: Say | None) -> None:
    folder.write_config({**folder.read_config(), "certified_rates": frozen_rates(certificates)})
    for certificate in certificates:
        if say is not None:
            say(rate_words(certificate))


def _sweep_drafts(project: Project) -> None:
    """Removes what clients that were killed while they froze an input left behind."""
    for draft in project.runs_folder.glob(f"{_DRAFT_PREFIX}*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _DRAFT_SECONDS:
                shutil.rmtree(draft)


def _start_worker(run: Run) -> None:
    folder = RunFolder(Path(run.folder))
    try:
        with folder.log_file.open("ab") as log:
            spawn_module(
                "bswirl.worker",
                [str(folder.path)],
                environment=module_environment(os.environ),
                output=log,
                prefix=scope_prefix(),
            )
    except OSError as error:
        raise BswirlError(
            f"run {run.run_id} is registered, but its worker could not be started: {error.strerror or error}",
            f"`bswirl runs resume {run.run_id}` tries again",
        ) from error
