"""Work that is made of many runs: each stage is one run, started once, resumed where it was interrupted."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bswirl.client import Client
from bswirl.errors import BswirlError, CancelledError, InputError
from bswirl.launch.requests import RunRequest, make_request, policies_json
from bswirl.launch.selected import with_selection
from bswirl.launch.start import Say, cancel_run, resume_run, start_run
from bswirl.project import Project
from bswirl.records import LIVE_STATUSES, Run

_POLL_SECONDS = 0.5
_MANY = 100_000  # more runs than a project has
_THREADS = "OMP_NUM_THREADS"

Watch = Callable[[str, Run], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """A run by the name of the stage that it is, and what it is told.

    `adapt` says what no option does, such as which runs' samples it is about.
    """

    name: str
    kind: str
    options: dict[str, Any]
    adapt: Callable[[RunRequest], RunRequest] = lambda request: request


class Stages:
    """The runs of a project by stage. `runs` maps a stage's name to its run; `save` makes that durable.

    A run up to number `after` is no stage of this work, even where it is just what a stage asks for.
    """

    def __init__(
        self,
        client: Client,
        project: Project,
        runs: dict[str, int],
        save: Callable[[], None],
        *,
        say: Say | None = None,
        watch: Watch | None = None,
        after: int = 0,
        asked_to_end: Callable[[], bool] = lambda: False,
    ) -> None:
        """`asked_to_end` is looked at now and then: where it is true, that is as an interruption."""
        self._asked_to_end = asked_to_end
        self._after = after
        self._client = client
        self._project = project
        self._runs = runs
        self._save = save
        self._say = say
        self._watch: Watch = watch or (lambda _name, _run: None)

    def finish(
        self,
        stages: Sequence[Stage],
        *,
        jobs: int = 1,
        accept: Callable[[Run], bool] = lambda _run: False,
    ) -> list[Run]:
        """The ended runs of `stages`, in their order; up to `jobs` work at once and share the CPU's cores.

        All are done, or ended in another way that `accept` accepts. Raises BswirlError for one that did not,
        once those beside it have ended, and CancelledError where the user interrupts: call again to go on.
        """
        jobs = max(1, min(jobs, len(stages)))
        waiting, live, ended = list(stages), dict[str, int](), dict[str, Run]()
        try:
            while live or waiting:
                self._check_asked()
                while waiting and len(live) < jobs:
                    stage = waiting.pop(0)
                    with _threads(jobs):
                        live[stage.name] = self._begin(stage, accept).run_id
                for name, run_id in list(live.items()):
                    run = self._client.run(run_id)
                    self._watch(name, run)
                    if run.status not in LIVE_STATUSES:
                        ended[name] = run
                        del live[name]
                        if run.status != "done" and not accept(run):
                            waiting.clear()
                if live:
                    time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            self._cancel(live)
            raise CancelledError("interrupted", "the same command goes on from here") from None
        for name, run in ended.items():
            if run.status != "done" and not accept(run):
                raise BswirlError(
                    f"{name}: run {run.run_id} {run.status}: {run.error or 'no reason given'}",
                    f"see {run.folder}/log; the same command resumes it",
                )
        return [ended[stage.name] for stage in stages]

    def _check_asked(self) -> None:
        if self._asked_to_end():
            raise KeyboardInterrupt

    def _begin(self, stage: Stage, accept: Callable[[Run], bool]) -> Run:
        """The stage's run: started if there is none yet, resumed where it ended too early."""
        if stage.name not in self._runs:
            made = stage.adapt(make_request(stage.kind, self._project, stage.options))
            request = with_selection(self._client, made)
            run = self._unclaimed(request) or start_run(self._client, self._project, request, say=self._say)
            self._runs[stage.name] = run.run_id
            self._save()
        run = self._client.run(self._runs[stage.name])
        if run.status in (*LIVE_STATUSES, "done") or accept(run):
            return run
        return resume_run(self._client, self._project, run.run_id)

    def _unclaimed(self, request: RunRequest) -> Run | None:
        """A run of just this request that no stage has: one whose starter was killed before it noted it."""
        claimed = set(self._runs.values())
        judge = request.judge.to_json() if request.judge is not None else None
        wanted = _normal([request.settings, request.select, policies_json(request), judge])
        for run in self._client.runs(kind=request.kind, limit=_MANY):
            config = run.config
            found = [
                config.get("settings"),
                config.get("select"),
                config.get("policies"),
                config.get("judge"),
            ]
            if run.run_id > self._after and run.run_id not in claimed and _normal(found) == wanted:
                return run
        return None

    def _cancel(self, live: dict[str, int]) -> None:
        for run_id in live.values():
            try:
                cancel_run(self._client, self._project, run_id)
            except InputError:
                continue  # it ended by itself
        while any(self._client.run(run_id).status in LIVE_STATUSES for run_id in live.values()):
            time.sleep(_POLL_SECONDS)


def _normal(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@contextmanager
def _threads(jobs: int) -> Iterator[None]:
    """Workers started within get their share of this machine's cores; one alone takes what it likes."""
    before = os.environ.get(_THREADS)
    if jobs > 1:
        os.environ[_THREADS] = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_THREADS, None)
        else:
            os.environ[_THREADS] = before
