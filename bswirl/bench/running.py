"""Running the variants side by side: each in its own process, their steps taking turns."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bswirl.bench.settings import CARD, EXACT, KTO, REFERENCE, STEP, BenchSettings

Say = Callable[[str], None]
_END_SECONDS = 20.0
_START = (
    "import sys; sys.path.append(sys.argv[1]); from bswirl.bench.worker import main; "
    "sys.exit(main(sys.argv[2:]))"
)


@dataclass(slots=True)
class Outcome:
    """What one variant gave: facts of its model, a message a step (the first is the warm-up), or an error."""

    variant: str
    facts: dict[str, Any] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    exact: dict[str, Any] | None = None
    card: dict[str, Any] | None = None
    error: str | None = None


def run_variants(settings: BenchSettings, say: Say) -> list[Outcome]:
    """Every variant's outcome, in the settings' order. An error ends that variant alone.

    All are loaded first; then each takes a warm-up step and `repeat` measured ones, one variant after the
    other in every round, and one round beginning where the last one's second was.
    """
    with tempfile.TemporaryDirectory(prefix="bswirl-bench-") as folder, contextlib.ExitStack() as stack:
        say(f"loading {settings.model_name} for {', '.join(settings.variants)}")
        workers = [stack.enter_context(_worker(settings, name, Path(folder))) for name in settings.variants]
        for worker in workers:
            worker.wait_ready()
        for number in range(settings.repeat + 1):
            if not any(worker.is_alive for worker in workers):
                break
            say("warming up" if number == 0 else f"round {number} of {settings.repeat}")
            turn = max(number - 1, 0) % len(workers)
            for worker in workers[turn:] + workers[:turn]:
                worker.step()
        _ask_card(settings, workers, say)
        _ask_exactness(workers, say)  # last: it turns models into float32
        return [worker.outcome for worker in workers]


def _ask_exactness(workers: list[Worker], say: Say) -> None:
    """How far each is from the row-wise variant, which is asked first; TRL minimises another loss."""
    comparable = [worker for worker in workers if worker.outcome.variant != KTO]
    if not any(worker.outcome.variant == REFERENCE and worker.is_alive for worker in comparable):
        return
    say("comparing gradients")
    for worker in comparable:
        worker.exactness()


def _ask_card(settings: BenchSettings, workers: list[Worker], say: Say) -> None:
    """What the device can do, from one of the workers that run whole trees; on a CPU only for a shape."""
    able = [worker for worker in workers if worker.outcome.variant in ("d", "d2") and worker.is_alive]
    on_gpu = any(worker.outcome.facts["machine"]["device"] != "cpu" for worker in able)
    if able and (on_gpu or settings.shape is not None):
        say("measuring the device")
        able[-1].card()


class Worker:
    """The process of one variant. Its libraries' words go to a log, whose last line explains a crash."""

    def __init__(self, variant: str, process: subprocess.Popen[str], log: Path) -> None:
        self.outcome = Outcome(variant)
        self._process = process
        self._log = log

    @property
    def is_alive(self) -> bool:
        return self.outcome.error is None

    def wait_ready(self) -> None:
        """Waits until the model is loaded."""
        message = self._receive()
        if message is not None:
            self.outcome.facts = message

    def step(self) -> None:
        """Has one step computed, and keeps its message."""
        message = self._ask(STEP)
        if message is not None:
            self.outcome.steps.append(message)

    def exactness(self) -> None:
        """Has the loss and the gradient compared."""
        self.outcome.exact = self._ask(EXACT)

    def card(self) -> None:
        """Has the device measured."""
        self.outcome.card = self._ask(CARD)

    def _ask(self, word: str) -> dict[str, Any] | None:
        if not self.is_alive:
            return None
        with contextlib.suppress(BrokenPipeError):
            _pipe(self._process.stdin).write(f"{word}\n")
            _pipe(self._process.stdin).flush()
        return self._receive()

    def _receive(self) -> dict[str, Any] | None:
        """The next message; None after an error, which is kept."""
        line = _pipe(self._process.stdout).readline()
        message: dict[str, Any] = (
            json.loads(line) if line else {"event": "error", "message": self._last_words()}
        )
        if message.pop("event") == "error":
            self.outcome.error = message["message"]
            return None
        return message

    def _last_words(self) -> str:
        code = self._process.wait()
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        words = next((line.strip() for line in reversed(lines) if line.strip()), "no word of why")
        return f"ended with code {code}: {words}"


@contextlib.contextmanager
def _worker(settings: BenchSettings, variant: str, folder: Path) -> Iterator[Worker]:
    """A worker that begins to load its model; its process is ended on leaving."""
    log = folder / f"{variant}.log"
    arguments = [json.dumps(settings.to_json()), variant, str(folder / "reference.safetensors")]
    root = str(Path(__file__).resolve().parents[2])
    with (
        log.open("w", encoding="utf-8") as words,
        subprocess.Popen(
            [sys.executable, "-P", "-c", _START, root, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            env={**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1"},  # TRL reports its use
        ) as process,
    ):
        try:
            yield Worker(variant, process, log)
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(BrokenPipeError):
        _pipe(process.stdin).close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise ValueError("the worker was started without pipes")
    return pipe
