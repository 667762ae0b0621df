"""Starting, resuming and cancelling runs: the folder is written here, the worker goes its own way."""

from __future__ import annotations

import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bswirl.client import Client
from bswirl.client.spawn import module_environment, spawn_module
from bswirl.errors import BswirlError, ExitCode, InputError
from bswirl.launch.checks import check_space
from bswirl.launch.requests import RunRequest, policies_json
from bswirl.launch.scope import scope_prefix
from bswirl.policies.catalogue import EMBEDDED
from bswirl.policies.smollm2 import ensure_smollm2
from bswirl.project import Project
from bswirl.records import LIVE_STATUSES, FrozenTree, Question, QuestionTree, Run, from_json, to_json
from bswirl.runs.folder import RunFolder, sync_folder
from bswirl.runs.locks import is_local_process, lock_holder

_DRAFT_PREFIX = ".new-"
_DRAFT_SECONDS = 24 * 3600.0

Say = Callable[[str], None]


class NothingToDoError(BswirlError):
    """All that was asked for has been done before: worth a word, and no failure."""

    exit_code = ExitCode.DONE


def start_run(client: Client, project: Project, request: RunRequest, *, say: Say | None = None) -> Run:
    """Freezes the run's input, registers it, and starts its worker. Returns the queued run.

    `say` gets a line for what takes long before the run exists, such as fetching a model. Raises InputError
    where nothing is selected, NothingToDoError where everything is done already, BswirlError where the disk
    is full. Until the run is registered nothing stays behind.
    """
    check_space(project.root)
    for spec in request.policies.values():
        if spec.model == EMBEDDED:
            ensure_smollm2(log=say)
    _sweep_drafts(project)
    run_uid = str(uuid.uuid4())
    draft = project.runs_folder / f"{_DRAFT_PREFIX}{run_uid}"
    try:
        folder = _freeze(client, project, request, draft, run_uid)
        config = folder.read_config()
        run = client.register_run(run_uid, request.kind, request.name, config, config["input_sha256"])
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _start_worker(run)
    return run


def resume_run(client: Client, project: Project, run_id: int) -> Run:
    """Starts another worker on a cancelled, failed or lost run; it goes on where the earlier one ended.

    Raises InputError where the run is alive or done, or its folder is gone.
    """
    check_space(project.root)
    folder = RunFolder(Path(client.run(run_id).folder))
    folder.read_config()
    run = client.restart_run(run_id)
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


def _freeze(client: Client, project: Project, request: RunRequest, draft: Path, run_uid: str) -> RunFolder:
    left_out: dict[str, Any] = {}
    kind = "generate" if request.from_solutions else request.kind
    rows: Iterator[dict[str, Any]] = _noting(client.select(kind, **request.select), left_out)
    if request.from_solutions:
        rows = _solution_trees(rows)
    try:
        folder = RunFolder.create(
            draft,
            kind=request.kind,
            name=request.name,
            run_uid=run_uid,
            rows=rows,
            settings=request.settings,
            policies=policies_json(request),
            extra={"select": request.select, "project": str(project.root)},
        )
        sync_folder(project.runs_folder)
    except OSError as error:
        raise BswirlError(
            f"cannot write the run's folder {draft}: {error.strerror or error}",
            "the project's folder must be writable, on a disk with free space",
        ) from error
    if folder.read_config()["input_rows"] == 0:
        raise _nothing_selected(request, left_out)
    return folder


def _sweep_drafts(project: Project) -> None:
    """Removes what clients that were killed while they froze an input left behind."""
    for draft in project.runs_folder.glob(f"{_DRAFT_PREFIX}*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _DRAFT_SECONDS:
                shutil.rmtree(draft)


def _noting(
    rows: Generator[dict[str, Any], None, dict[str, Any]], left_out: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The rows as they are; at their end `left_out` says what was not selected and why."""
    left_out.update((yield from rows) or {})


def _solution_trees(questions: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Trees without actions of the questions that have a solution to learn from."""
    for row in questions:
        question = from_json(Question, row)
        if question.solution:
            yield to_json(FrozenTree(QuestionTree(question, (), ()), ()))


def _nothing_selected(request: RunRequest, left_out: dict[str, Any]) -> BswirlError:
    """Why a run would have no input, and what to do about it."""
    considered = left_out.get("considered", 0)
    reasons = {reason: count for reason, count in left_out.get("reasons", {}).items() if count}
    if request.kind == "judge":
        if not considered:
            return InputError("there is nothing to judge", "sample something: `bswirl generate --policy P`")
        if set(reasons) <= {"already judged", "no gold answer"}:
            return NothingToDoError(
                f"nothing to do: {request.name} has judged all it can of {considered} actions",
                "--again judges them once more",
            )
    elif not considered:
        return InputError("the project has no questions", "import some: `bswirl import gsm8k FILE`")
    if request.from_solutions and not reasons:
        return InputError("none of the questions has a solution", "sft_source rewarded learns from samples")
    why = ", ".join(f"{count} ({reason})" for reason, count in reasons.items()) or "no reason was given"
    remedies = {
        "train": "choose another dataset or split, or generate and judge first",
        "judge": "choose another dataset or split",
    }
    return InputError(
        f"the run would have no input; left out of {considered}: {why}",
        remedies.get(request.kind, "choose another dataset or split: `bswirl stats` counts them"),
    )


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
