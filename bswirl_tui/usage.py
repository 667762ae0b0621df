"""What the workers of runs use of this machine's processor and memory, by what Linux says of them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bswirl.records import Run
from bswirl.runs.folder import RunFolder
from bswirl.runs.locks import is_local_process, lock_holder

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class WorkerUse:
    """One run's worker. `cores` is None before it was seen twice."""

    run_id: int
    cores: float | None
    memory: float  # GB


@dataclass(frozen=True, slots=True)
class MachineUse:
    """The machine, and the workers on it that were asked for."""

    cores: int
    used: float  # GB of memory
    memory: float  # GB in all
    workers: tuple[WorkerUse, ...] = ()


class Meter:
    """Between two readings it remembers how long each worker has been computing."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[float, float]] = {}  # by process: when, and seconds of the processor

    def read(self, runs: Sequence[Run]) -> MachineUse | None:
        """The machine as it stands; None where the system does not say. For threads: it reads files."""
        before, self._before = self._before, {}  # of workers that are gone nothing is kept
        try:
            memory, free = _memory()
            workers = [use for run in runs if (use := self._worker(run, before)) is not None]
        except (OSError, ValueError, IndexError, KeyError):
            return None
        return MachineUse(
            len(os.sched_getaffinity(0)), round(memory - free, 1), round(memory, 1), tuple(workers)
        )

    def _worker(self, run: Run, before: Mapping[int, tuple[float, float]]) -> WorkerUse | None:
        """None for a worker that is not alive, or on another machine."""
        holder = lock_holder(RunFolder(Path(run.folder)).lock_file) or {}
        if not is_local_process(holder):
            return None
        process = int(holder["pid"])
        try:
            seconds, size = _process(process)
        except OSError:
            return None
        now = time.monotonic()
        at, spent = before.get(process, (now, seconds))
        self._before[process] = now, seconds
        cores = round((seconds - spent) / (now - at), 1) if now > at else None
        return WorkerUse(run.run_id, cores, round(size, 1))


def _memory() -> tuple[float, float]:
    """All of the machine's memory and what is left of it, in GB."""
    lines = (_PROC / "meminfo").read_text(encoding="ascii").splitlines()
    sizes = {name: float(words.split()[0]) for name, _, words in (line.partition(":") for line in lines)}
    return sizes["MemTotal"] / 2**20, sizes["MemAvailable"] / 2**20


def _process(number: int) -> tuple[float, float]:
    """Seconds of processor time so far and GB of memory, of one process."""
    stat = (_PROC / str(number) / "stat").read_text(encoding="utf-8", errors="replace")
    fields = stat.rpartition(")")[2].split()  # its name before may hold anything
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE / 2**30
