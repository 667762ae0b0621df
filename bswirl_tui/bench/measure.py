"""`bswirl bench tui`: the real app in a pseudo-terminal, on a made-up project that two workers write to."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bswirl.client import connect, stop_owner
from bswirl.errors import BswirlError
from bswirl.project import Project
from bswirl.runs.folder import RunFolder
from bswirl_tui.bench.screens import add_training, measure_screens
from bswirl_tui.bench.terminal import COLUMNS, LINES, Terminal

ACTIONS_A_QUESTION = 11  # of the made-up project
WRITERS = 2
MOVE_SECONDS = 0.15  # from key to key
SCREEN_MOVES = 60  # at most, on each of the other screens
TREE_SHOWN = re.compile(rb"crates")  # a word that stands in steps alone
CURSOR = re.compile(rb"48;2;36;71;110")  # the background of the line under the cursor
ANYTHING = re.compile(rb".", re.DOTALL)
AIMS = {
    "first_screen_seconds": 0.5,
    "first_screen_starting_owner_seconds": 0.9,
    "resident_mib": 90,
    "move_ms_median": 20,
    "move_ms_p99": 50,
    "move_bytes_median": 3000,
    "curves_bytes_median": 3000,
    "compare_bytes_median": 3000,
    "audit_bytes_median": 3000,
}
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class TuiSettings:
    """What is measured: the project's size, cursor moves, rows a second of each worker, updates replayed."""

    actions: int = 50_000
    starts: int = 5
    moves: int = 200
    rate: int = 1000
    updates: int = 2000


def measure_tui(settings: TuiSettings, say: Callable[[str], None]) -> dict[str, Any]:
    """All figures as one JSON-ready object. Raises BswirlError where the app or a worker cannot run."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bswirl-bench-") as folder:
        say(f"making a project of {settings.actions:,} actions")
        project = _make_project(Path(folder) / "project", settings.actions)
        try:
            ours = _measure_ours(project, settings, say)
            say(f"{min(settings.moves, SCREEN_MOVES)} keys each on other screens")
            add_training(project)
            moves = min(settings.moves, SCREEN_MOVES)
            ours |= measure_screens(lambda: _app(project), TREE_SHOWN, moves)
            say("the peers")
            peers = [_measure_peer(name, command, settings) for name, command in _peers().items()]
            say(f"replaying {settings.updates:,} updates")
            growth = _replay(project, settings.updates, Path(folder) / "replay.json")
        finally:
            stop_owner(project)
    return {
        "settings": asdict(settings),
        "terminal": {"columns": COLUMNS, "lines": LINES},
        "aims": AIMS,
        "ours": {**ours, **growth},
        "peers": peers,
        "machine": _machine(load),
    }


def _make_project(root: Path, actions: int) -> Project:
    project = Project.create(root)
    questions = max(1, round(actions / ACTIONS_A_QUESTION))
    made = _python("bswirl.store.synthetic", str(root), str(questions))
    made.communicate()
    if made.returncode != 0:
        raise BswirlError("the project could not be made", "what went wrong stands above")
    return project


def _measure_ours(project: Project, settings: TuiSettings, say: Callable[[str], None]) -> dict[str, Any]:
    say(f"{settings.starts} starts with the owner running, and as many without")
    without = []
    for _ in range(settings.starts):
        stop_owner(project)
        without.append(_first_screen(project))
    running = [_first_screen(project) for _ in range(settings.starts)]
    say(f"{settings.moves} cursor moves while {WRITERS} workers write {settings.rate:,} rows/s each")
    with _writers(project, settings) as written, _app(project) as terminal:
        terminal.wait_for(TREE_SHOWN)
        terminal.drain(2.0)
        moved = _moves(terminal, settings.moves, CURSOR)
        resident = terminal.resident_bytes()
    return {
        "name": "bswirl",
        "first_screen_seconds": statistics.median(running),
        "first_screen_starting_owner_seconds": statistics.median(without),
        "resident_mib": resident / 2**20,
        **moved,
        "rows_written": written(),
    }


def _measure_peer(name: str, command: Sequence[str], settings: TuiSettings) -> dict[str, Any]:
    starts = []
    for _ in range(settings.starts):
        with _at_terminal(command) as terminal:
            starts.append(terminal.wait_for_text())
    with _at_terminal(command) as terminal:
        terminal.wait_for_text()
        terminal.drain(2.0)
        moved = _moves(terminal, settings.moves, ANYTHING)
        return {
            "name": name,
            "first_screen_seconds": statistics.median(starts),
            "resident_mib": terminal.resident_bytes() / 2**20,
            **moved,
        }


def _peers() -> dict[str, list[str]]:
    """What to compare with; other people's apps where they are installed."""
    peers = {"bare Textual app": [sys.executable, "-P", "-m", "bswirl_tui.bench.peer"]}
    for name in ("harlequin", "posting"):
        if found := shutil.which(name):
            peers[name] = [found]
    return peers


def _first_screen(project: Project) -> float:
    with _app(project) as terminal:
        return terminal.wait_for(TREE_SHOWN)


def _app(project: Project) -> Terminal:
    command = [sys.executable, "-P", "-m", "bswirl.cli", "-p", str(project.root), "--fresh", "--no-tour"]
    return _at_terminal(command)


def _moves(terminal: Terminal, count: int, mark: re.Pattern[bytes]) -> dict[str, Any]:
    """Moves down and up again. Raises BswirlError where keys moved nothing."""
    times, sizes = [], []
    for index in range(count):
        key = b"\x1b[B" if index % 8 < 4 else b"\x1b[A"
        seconds, sent = terminal.press(key, mark, MOVE_SECONDS)
        sizes.append(sent)
        if seconds is not None:
            times.append(1000 * seconds)
    if len(times) < count / 2:
        raise BswirlError(f"of {count} cursor moves only {len(times)} were seen on the terminal")
    return {
        "move_ms_median": statistics.median(times),
        "move_ms_p99": percentile(times, 0.99),
        "move_bytes_median": statistics.median(sizes),
        "moves_late": count - len(times),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 1).__trunc__() - 1)]


@contextlib.contextmanager
def _writers(project: Project, settings: TuiSettings) -> Iterator[Callable[[], int]]:
    """Workers that write meanwhile, and a function that says how many rows they wrote in all."""
    questions = max(1, round(settings.actions / ACTIONS_A_QUESTION))
    actions = str(questions * ACTIONS_A_QUESTION)
    workers = []
    written: list[int] = []
    for _ in range(WRITERS):
        folder = project.run_folder(_register(project))
        workers.append(_python("bswirl_tui.bench.writer", str(folder), actions, str(settings.rate)))
    try:
        yield lambda: sum(written)
    finally:
        for worker in workers:
            out, _ = worker.communicate()
            written.append(int(out.strip() or 0))


def _register(project: Project) -> int:
    """A queued run, and its number."""
    uid = str(uuid.uuid4())
    folder = RunFolder.create(
        project.runs_folder / f".new-{uid}", kind="judge", name="bench", run_uid=uid, rows=[], settings={}
    )
    config = folder.read_config()
    with connect(project) as client:
        return client.register_run(uid, "judge", "bench", config, config["input_sha256"]).run_id


def _replay(project: Project, updates: int, report: Path) -> dict[str, Any]:
    """Memory before, after a tenth and after all updates."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "bswirl_tui.bench.replay",
        str(project.root),
        str(updates),
        str(report),
    ]
    with _at_terminal(command) as terminal:
        code = terminal.ended()
    if code != 0 or not report.is_file():
        raise BswirlError(f"the app ended with {code} while updates were replayed")
    found = json.loads(report.read_text(encoding="utf-8"))
    held = [size / 2**20 for size in found["resident_bytes"]]
    warm = held[max(1, len(held) // 10)]
    return {
        "updates": found["updates"],
        "update_ms": 1000 * found["seconds"] / found["updates"],
        "resident_mib_by_updates": [round(size, 1) for size in held],
        "growth_mib": held[-1] - warm,
    }


def _at_terminal(command: Sequence[str]) -> Terminal:
    return Terminal(command, PYTHONPATH=_path(), XDG_STATE_HOME=os.devnull)  # it remembers nothing


def _path() -> str:
    return os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))


def _python(*module: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", *module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": _path()},
    )


def _machine(load: float) -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "load": load,
        "python": platform.python_version(),
        "textual": version("textual"),
        "date": datetime.now(UTC).date().isoformat(),
    }
