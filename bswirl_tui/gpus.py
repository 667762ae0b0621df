"""How busy this machine's GPUs are, asked of `nvidia-smi`."""

from __future__ import annotations

import csv
import math
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

_FIELDS = ("index", "name", "utilization.gpu", "memory.used", "memory.total", "temperature.gpu", "power.draw")
_SECONDS = 5.0  # a driver that takes longer is in trouble


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; what its driver does not say is None."""

    index: int
    name: str
    busy: float | None  # percent of the time
    used: float | None  # MiB of its memory
    memory: float | None  # MiB in all
    degrees: float | None  # Celsius
    watts: float | None


def has_gpu_tool() -> bool:
    """Whether there is a program to ask."""
    return shutil.which("nvidia-smi") is not None


def read_gpus() -> tuple[Gpu, ...] | None:
    """The GPUs as they stand; none where there is no program or driver to say. Takes up to seconds.

    None where the program does not answer, so that there may well be some. Of several, one may be lost: then
    it fails, and tells of the others.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        done = subprocess.run(
            [program, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return tuple(_parsed(done.stdout.decode("utf-8", "replace")))


def _parsed(output: str) -> Iterator[Gpu]:
    """The lines that are about a GPU; anything else that the program says is passed over."""
    for row in csv.reader(output.splitlines(), skipinitialspace=True):
        if len(row) == len(_FIELDS) and row[0].strip().isdigit():
            yield Gpu(int(row[0]), row[1].strip(), *(_number(cell) for cell in row[2:]))


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:  # `[N/A]`, `[Not Supported]`
        return None
    return number if math.isfinite(number) else None
