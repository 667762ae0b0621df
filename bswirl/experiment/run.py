"""Starting an experiment in a folder, or going on with the one that is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bswirl.client import connect
from bswirl.errors import BswirlError, InputError
from bswirl.experiment.conduct import Experiment
from bswirl.experiment.machine import machine_facts
from bswirl.experiment.options import ExperimentOptions
from bswirl.experiment.record import Record
from bswirl.experiment.report import write_report
from bswirl.launch.checks import TRAINING_PACKAGES, check_packages
from bswirl.policies.catalogue import require_local, resolve_policy
from bswirl.policies.devices import check_device_name
from bswirl.project import Project
from bswirl.runs.folder import now
from bswirl.runs.locks import FileLock, this_process

RECORD = "record.json"


def run_experiment(folder: Path, options: ExperimentOptions, jobs: int, say: Callable[[str], None]) -> Record:
    """Does what is left of the experiment in `folder`, a project of its own, and writes its report there.

    Raises UsageError where it was begun with other options, InputError where the folder holds another
    project, BswirlError where a run fails or another process is at it.
    """
    check_packages(TRAINING_PACKAGES, "the experiment")
    check_device_name(options.device)
    project = _project(folder)
    require_local(resolve_policy(options.policy, project), "to be trained")
    with _alone(project):
        record = Record.open(project.root / RECORD, options, machine_facts())
        session = {"started_at": now(), "ended_at": None, "jobs": jobs}
        record.values.setdefault("sessions", []).append(session)
        record.save()
        with connect(project) as client:
            Experiment(client, project, record, options, jobs, say).run()
        session["ended_at"] = now()
        record.save()
        write_report(record.values, project.root, say)
    return record


def _project(folder: Path) -> Project:
    project = Project(folder.expanduser().resolve())
    if not project.settings_file.is_file():
        return Project.create(folder)
    if project.store_file.exists() and not (project.root / RECORD).is_file():
        raise InputError(f"{folder} holds a project that is no experiment", "give another --work")
    return Project.open(folder)


@contextmanager
def _alone(project: Project) -> Iterator[None]:
    """One process at a time conducts an experiment."""
    project.state_folder.mkdir(exist_ok=True)
    lock = FileLock(project.state_folder / "experiment.lock")
    if not lock.acquire(this_process(), patience=1.0):
        raise BswirlError(f"another process conducts the experiment in {project.root}", "wait for it to end")
    try:
        yield
    finally:
        lock.release()
