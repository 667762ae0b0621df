"""What a key costs on the other screens: curves of two runs, candidates side by side, the audit queue."""

from __future__ import annotations

import math
import re
import statistics
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bswirl.client import connect
from bswirl.errors import BswirlError
from bswirl.project import Project
from bswirl.runs.folder import RunFolder
from bswirl.runs.journal import JournalWriter
from bswirl_tui.bench.terminal import Terminal

RUNS, STEPS = 2, 400  # training runs with curves, and their steps
PAUSE_SECONDS = 0.25  # from key to key
_STARTED = {"t": "start", "attempt": 1, "pid": 1, "host": "bench", "at": "2026-01-01T00:00:00.000Z"}
_ENDED: dict[str, Any] = {"t": "end", "status": "done", "error": None, "exit_code": 0, "summary": {}}
_ANYTHING = re.compile(rb".", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """A screen: the keys that lead to it, each with what then stands there, and the keys measured."""

    name: str
    ways: Sequence[tuple[bytes, re.Pattern[bytes]]]
    keys: Sequence[bytes]


PLACES = (
    Place(
        "curves",
        (
            (b"V", re.compile(rb"newest")),
            (b"r", re.compile(rb"Runs")),
            (b" ", _ANYTHING),
            (b"\r", re.compile(rb"bench 1")),
        ),
        (b"h",),
    ),
    Place(
        "compare",
        ((b"j", _ANYTHING), (b"\r", re.compile(rb"Candidates"))),
        (b"l", b"l", b"h", b"h"),
    ),
    Place(
        "audit",
        ((b"a", re.compile(rb"hidden until")), (b"\r", re.compile(rb"to judge"))),
        (b"1", b"0"),
    ),
)


def add_training(project: Project) -> None:
    """Training runs whose curves are known beforehand."""
    with connect(project) as client:
        for number in range(1, RUNS + 1):
            folder = RunFolder.create(
                project.root / f"bench-{number}",
                kind="train",
                name=f"bench {number}",
                run_uid=str(uuid.uuid4()),
                rows=[],
                settings={"objective": "bswirl"},
            )
            writer = JournalWriter(folder.journal_file)
            writer.append([_STARTED, *(_row(step, number) for step in range(1, STEPS + 1)), _ENDED])
            writer.close()
            client.attach_run(folder.path)


def _row(step: int, number: int) -> dict[str, Any]:
    wave = math.sin(step * 1.7) / 20
    moved = 0.01 * step * number
    values = {"loss": math.exp(-step / (90 * number)) + wave, "kl": moved / 9, "grad_norm": 1 + 5 * abs(wave)}
    if step % 10 == 0:
        for name, value in (("positive", moved), ("negative", -moved)):
            values |= {
                f"shift/{name}": value,
                f"shift/{name}_low": value - 1,
                f"shift/{name}_high": value + 1,
            }
    return {"t": "metrics", "step": step, "values": values}


def measure_screens(at_start: Callable[[], Terminal], tree: re.Pattern[bytes], moves: int) -> dict[str, Any]:
    """Median bytes a key, by screen. Raises BswirlError where keys changed nothing."""
    found = {}
    for place in PLACES:
        with at_start() as terminal:
            terminal.wait_for(tree)
            terminal.drain(0.8)
            for key, mark in place.ways:
                terminal.send(key)
                terminal.wait_for(mark)
                terminal.drain(0.6)
            sizes = [
                terminal.press(place.keys[index % len(place.keys)], _ANYTHING, PAUSE_SECONDS)[1]
                for index in range(moves)
            ]
        if sum(size > 0 for size in sizes) < moves / 2:
            raise BswirlError(f"of {moves} keys at the screen `{place.name}` most changed nothing")
        found[f"{place.name}_bytes_median"] = statistics.median(sizes)
    return found
