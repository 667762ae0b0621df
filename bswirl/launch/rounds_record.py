"""How rounds of sampling stand, on disk: what was asked for, which runs they had, why they ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from bswirl.errors import BswirlError, CancelledError, InputError
from bswirl.project import Project
from bswirl.records import from_json
from bswirl.runs.folder import now
from bswirl.runs.locks import FileLock, lock_holder, this_process

_PREFIX = "until-live-"
LOG_NAME = "until-live.log"  # beside the records: what the processes say
_LOCK_SECONDS = 2.0  # others take the lock for an instant, to see whether it is free
WorkStatus = Literal["running", "done", "cancelled", "failed", "lost"]


@dataclass(frozen=True, slots=True)
class Round:
    """What a round brought, and how all groups of the work stand after it. `cost` is in dollars."""

    number: int
    states: int  # sampled in this round
    samples: int
    verdicts: int
    calls: int  # of policy and judge
    judge_calls: int
    cost: float
    became_live: int  # groups that were not before this round
    live: int
    dead: int  # given up, or out of budget
    undecided: int
    not_judged: int
    runs: tuple[int, ...] = ()
    seconds: float = 0.0  # that its runs took; 0 where nobody noted it

    @property
    def cost_per_live_group(self) -> float | None:
        """Of the groups that became live in this round; None where none did."""
        return self.cost / self.became_live if self.became_live else None


@dataclass(slots=True)
class RoundsRecord:
    """One work of rounds. The same command goes on from it after an interruption.

    Once the work is over, its record stays under another name, and the same command begins anew.
    """

    path: Path
    after: int  # the newest run when the work began
    runs: dict[str, int] = field(default_factory=dict)  # by stage, such as `sample 2`
    rounds: list[dict[str, Any]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)  # of the sampling, as they were asked for
    rule: dict[str, Any] = field(default_factory=dict)
    most_rounds: int = 0
    begun: str = ""
    ended: str = ""
    stopped: str = ""  # why there is no further round
    status: str = ""  # how it ended; empty while it is under way, and where its process was killed

    @property
    def lock_file(self) -> Path:
        """Held by the process that conducts the rounds."""
        return self.path.with_suffix(".lock")

    @property
    def cancel_file(self) -> Path:
        """A marker: while it is there, that process should end."""
        return self.path.with_suffix(".cancel")

    def save(self) -> None:
        draft = self.path.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump({name: value for name, value in asdict(self).items() if name != "path"}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)

    @contextmanager
    def conducted(self) -> Iterator[None]:
        """While one process works on it; how that ends is written down.

        Raises BswirlError where another process does so already.
        """
        lock = FileLock(self.lock_file)
        if not lock.acquire(this_process(), patience=_LOCK_SECONDS):
            raise under_way(self.lock_file)
        try:
            self.cancel_file.unlink(missing_ok=True)
            self.begun, self.ended, self.stopped, self.status = self.begun or now(), "", "", ""
            self.save()
            try:
                yield
            except BaseException as error:
                self._end(error)
                raise
        finally:
            self.cancel_file.unlink(missing_ok=True)
            lock.release()

    def finish(self, stopped: str) -> None:
        """There is no further round, for that reason."""
        self.ended, self.stopped, self.status = now(), stopped, "done"
        self.save()
        self.path.replace(self.path.with_name(f"{self.path.stem}.{max(self.runs.values())}.json"))

    def _end(self, error: BaseException) -> None:
        cancelled = isinstance(error, CancelledError | KeyboardInterrupt)
        known = isinstance(error, BswirlError)
        self.stopped = "cancelled" if cancelled else str(error) if known else type(error).__name__
        self.ended, self.status = now(), "cancelled" if cancelled else "failed"
        self.save()


@dataclass(frozen=True, slots=True)
class RoundsWork:
    """A work of rounds as others see it."""

    name: str  # of the policy
    status: WorkStatus
    stopped: str
    options: Mapping[str, Any]
    rule: Mapping[str, Any]
    most_rounds: int
    stages: Mapping[int, str]  # its runs, and what each is, such as `judge 2`
    rounds: tuple[Round, ...]
    begun: str
    ended: str
    path: Path  # of its record
    after: int = 0  # the newest run when it began

    @property
    def log_file(self) -> Path:
        """What the process that conducts them says."""
        return self.path.with_name(LOG_NAME)

    @property
    def cost(self) -> float:
        """Dollars of the rounds that are over."""
        return sum(done.cost for done in self.rounds)

    @property
    def cost_per_live_group(self) -> float | None:
        """None where no group is live yet."""
        live = self.rounds[-1].live if self.rounds else 0
        return self.cost / live if live else None

    @property
    def newest_run(self) -> int:
        """Of its own; before it has one, the last that was there when it began."""
        return max(self.stages, default=self.after)

    @property
    def round_number(self) -> int:
        """Of the round that is under way, or was when the work ended."""
        return len(self.rounds) + (self.status != "done")


def record_path(project: Project, digest: str) -> Path:
    """Where the record of a work that is not over lies."""
    return project.state_folder / f"{_PREFIX}{digest}.json"


def read_record(path: Path) -> RoundsRecord:
    """Raises FileNotFoundError where there is none, InputError where it cannot be read."""
    try:
        found = json.loads(path.read_bytes())
        known = {part.name for part in fields(RoundsRecord)} - {"path"}
        return RoundsRecord(path, **{name: value for name, value in found.items() if name in known})
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: cannot be read: {error}", "remove it to begin anew") from error


def rounds_of(project: Project) -> list[RoundsWork]:
    """All works of rounds in the project's folder, newest first; one that cannot be read is left out.

    A record is read again only where its file is another than at the last look.
    """
    found = []
    for path in project.state_folder.glob(f"{_PREFIX}*.json"):
        try:
            file = path.stat()
            work = _read_work(path, (file.st_ino, file.st_mtime_ns, file.st_size))
            if work.status == "lost":  # or under way: its process tells
                conducted = lock_holder(path.with_suffix(".lock")) is not None
                work = replace(work, status="running" if conducted else "lost")
            known = bool(work.options)  # earlier versions did not note them
            if known:
                found.append(work)
        except (OSError, InputError, ValueError, TypeError, AttributeError):
            continue
    return sorted(found, key=lambda work: (work.newest_run, work.begun), reverse=True)


def under_way(lock_file: Path) -> BswirlError:
    """The error for rounds that a living process conducts."""
    holder = lock_holder(lock_file) or {}
    who = f"process {holder.get('pid', 'unknown')} on {holder.get('host', 'another machine')}"
    return InputError(f"these rounds are under way already: {who}", "cancel them there, or wait")


@lru_cache(maxsize=4096)
def _read_work(path: Path, _file: tuple[int, int, int]) -> RoundsWork:
    """What a record says that was found as that file; `lost` where it does not say how the work ended.

    Raises as `read_record`.
    """
    record = read_record(path)
    status: Any = record.status or "lost"
    return RoundsWork(
        name=str(record.options.get("policy") or ""),
        status=status,
        stopped=record.stopped,
        options=record.options,
        rule=record.rule,
        most_rounds=record.most_rounds,
        stages={record.runs[stage]: stage for stage in sorted(record.runs, key=record.runs.__getitem__)},
        rounds=tuple(from_json(Round, done) for done in record.rounds),
        begun=record.begun,
        ended=record.ended,
        path=path,
        after=record.after,
    )
