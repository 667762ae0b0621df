"""One variant in a process of its own, started by `running`.

It loads the model, says `ready`, and then computes a step at each word on its stdin and reports it as a JSON
line.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bswirl.bench.flops import Work
from bswirl.bench.settings import CARD, EXACT, STEP, BenchSettings
from bswirl.errors import BswirlError


class Channel:
    """JSON lines to the parent, on what was stdout; the libraries' own words go to stderr."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def send(self, **message: Any) -> None:
        """One message to the parent."""
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    def wait(self) -> str:
        """The parent's next word. Ends the process where the parent is gone or needs nothing more."""
        word = sys.stdin.readline().strip()
        if not word:
            raise SystemExit(0)
        return word


def main(arguments: list[str]) -> int:
    """Runs a variant until the parent closes the pipe. Returns the exit code.

    `arguments`: the settings as JSON, the variant, and the file of gradients that the row-wise variant writes
    and the others compare with.
    """
    channel = Channel()
    try:
        settings = BenchSettings.from_json(json.loads(arguments[0]))
        _serve(settings, arguments[1], Path(arguments[2]), channel)
    except BswirlError as error:
        channel.send(event="error", message=str(error))
        return int(error.exit_code)
    except (RuntimeError, MemoryError) as error:
        channel.send(event="error", message=_first_line(error))
        return 1
    return 0


def _serve(settings: BenchSettings, variant: str, reference: Path, channel: Channel) -> None:
    if variant == "c":
        _serve_kto(settings, channel)
    else:
        _serve_engine(settings, variant, reference, channel)


def _serve_engine(settings: BenchSettings, variant: str, reference: Path, channel: Channel) -> None:
    from bswirl.bench.card import kernel_difference, matmul_rate, now
    from bswirl.bench.engines import make_bench
    from bswirl.bench.exactness import compare
    from bswirl.bench.memory import PeakMemory
    from bswirl.bench.model import adapted, gradients, load_bench, touch, train_settings

    bench = load_bench(settings)
    training = train_settings(settings)
    model = adapted(bench.base, training)
    touch(model)
    memory = PeakMemory(bench.device)
    engine = make_bench(variant, model, bench.rows, training)
    work = dataclasses.asdict(engine.work())
    channel.send(event="ready", **_facts(bench))
    while True:
        word = channel.wait()
        if word == STEP:
            started = now(bench.device)
            engine.step()
            seconds = now(bench.device) - started
            channel.send(event="step", seconds=seconds, **_peak(memory), work=work)
            gradients(model)  # which takes them off the model
        elif word == CARD:
            rate = matmul_rate(bench.device)
            channel.send(event="card", matmul=rate, **kernel_difference(model, bench.rows, training))
        elif word == EXACT:
            channel.send(event="exact", **compare(variant, model, bench.rows, training, reference))


def _serve_kto(settings: BenchSettings, channel: Channel) -> None:
    from bswirl.bench.trl_kto import check_installed, import_trl, run_kto

    check_installed()
    if settings.shape is not None:
        raise BswirlError("not run: it takes texts, and a shape has no tokenizer")
    from bswirl.bench.memory import PeakMemory
    from bswirl.bench.model import load_bench, touch, train_settings

    bench = load_bench(settings)
    import_trl()
    touch(bench.base)
    memory = PeakMemory(bench.device)
    started = False

    def wait() -> None:
        nonlocal started
        if not started:
            channel.send(event="ready", name=f"TRL {version('trl')} KTO", **_facts(bench))
            started = True
        channel.wait()

    def report(seconds: float, work: Work) -> None:
        channel.send(event="step", seconds=seconds, **_peak(memory), work=dataclasses.asdict(work))

    rounds = settings.repeat + 1
    run_kto(bench.base, bench.tokenizer, bench.trees, train_settings(settings), rounds, wait, report)


def _facts(bench: Any) -> dict[str, Any]:
    """What the parent reports of model, data and machine."""
    import torch

    from bswirl.bench.flops import model_size
    from bswirl.bench.model import realised

    size = model_size(bench.base)
    device = bench.device
    return {
        "model": {"body": size.body, "hidden": size.hidden, "vocabulary": size.vocabulary},
        "data": realised(bench.rows),
        "machine": {
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        },
    }


def _peak(memory: Any) -> dict[str, int | None]:
    return {"peak": memory.above, "peak_total": memory.total}


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
