"""How fast calls go out: the engine beside a plain gather, against a server whose room is known."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bswirl.errors import BswirlError

NAMES = {
    "engine": "bswirl's engine, with ledger",
    "gather-aiohttp": "gather of create, on aiohttp",
    "gather-httpx": "gather of create, on httpx",
}
_SLOW = ("gather-httpx",)  # some 15 ms of CPU a call with 200 in flight: it gets a tenth of the calls
_LESS = 10
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class CallsSettings:
    """What is measured: `in_flight` requests at a time are allowed, each answered after `latency` seconds."""

    calls: int = 10_000
    latency: float = 0.5
    in_flight: int = 200


def measure_calls(settings: CallsSettings, say: Callable[[str], None]) -> dict[str, Any]:
    """All clients' figures as one JSON-ready object. Raises BswirlError where a client cannot run."""
    allowed = settings.in_flight / settings.latency
    machine = _machine()
    clients = []
    for client, name in NAMES.items():
        count = settings.calls // _LESS if client in _SLOW else settings.calls
        count = max(count, settings.in_flight)
        say(f"{name}: {count} calls, about {count / allowed:.0f} s at best")
        clients.append(_measure(client, count, settings))
    return {
        "settings": asdict(settings),
        "allowed_per_second": allowed,
        "machine": machine,
        "clients": clients,
    }


def _measure(client: str, count: int, settings: CallsSettings) -> dict[str, Any]:
    with _server(settings) as (url, ask):
        found = _client(client, url, count, settings.in_flight)
        seen = ask()
    rate = (count - found["failed"]) / found["seconds"]
    return {
        "client": client,
        "name": NAMES[client],
        "calls": count,
        "failed": found["failed"],
        "seconds": found["seconds"],
        "calls_per_second": rate,
        "share": rate * settings.latency / settings.in_flight,
        "cpu_ms_per_call": 1000 * found["cpu_seconds"] / count,
        "peak_bytes": found["peak_bytes"],
        "held_bytes": found["held_bytes"],
        "prompt_bytes": found["prompt_bytes"],
        "server": seen,
    }


@contextlib.contextmanager
def _server(settings: CallsSettings) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """A new server: its address, and a function that ends it and returns what it saw."""
    command = ["bswirl.bench.calls_server", str(settings.latency), str(settings.in_flight)]
    with _python(command, stdin=subprocess.PIPE) as process:
        if process.stdin is None or process.stdout is None:
            raise BswirlError("the server of the benchmark was started without pipes")
        port = process.stdout.readline().strip()
        if not port:
            raise BswirlError("the server of the benchmark did not start")
        says, hears = process.stdout, process.stdin

        def ask() -> dict[str, Any]:
            hears.close()
            seen: dict[str, Any] = json.loads(says.readline())
            return seen

        try:
            yield f"http://127.0.0.1:{port}/v1", ask
        finally:
            process.kill()


def _client(client: str, url: str, count: int, in_flight: int) -> dict[str, Any]:
    with _python(["bswirl.bench.calls_worker", client, url, str(count), str(in_flight)]) as process:
        out, _ = process.communicate()
    if process.returncode != 0:
        raise BswirlError(f"{NAMES[client]} could not be measured", "what it said stands above")
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def _python(command: list[str], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """A module of ours in a process of its own; no proxy of the environment stands between."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-P", "-m", *command],
        stdin=stdin,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "together": version("together"),
        "aiohttp": version("aiohttp"),
        "httpx": version("httpx"),
        "date": datetime.now(UTC).date().isoformat(),
    }
