"""From the variants' messages to the figures that are reported: times, ratios and the FLOP ceiling."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bswirl.bench.flops import FORMULA, ModelSize, Work, step_flops
from bswirl.bench.running import Outcome
from bswirl.bench.settings import REFERENCE, VARIANTS, BenchSettings
from bswirl.errors import BswirlError

PER_STATE = "b"


def make_report(settings: BenchSettings, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All figures as one JSON-ready object. Raises BswirlError where no variant gave any."""
    done = [outcome for outcome in outcomes if outcome.steps]
    if not done:
        raise BswirlError(f"nothing was measured: {outcomes[0].error}")
    facts = done[0].facts
    size = ModelSize(**facts["model"])
    figures = [_figures(outcome, size) for outcome in outcomes]
    by_name = {entry["variant"]: entry for entry in figures}
    for entry in figures:
        entry |= _against(entry, by_name.get(REFERENCE), by_name.get(PER_STATE))
    return {
        "machine": {**_machine(), **facts["machine"]},
        "model": {
            "name": settings.model_name,
            "dtype": settings.base_dtype,
            "load_in_4bit": settings.load_in_4bit or settings.shape is not None,
            **facts["model"],
        },
        "data": facts["data"],
        "settings": {
            name: getattr(settings, name)
            for name in ("pack_tokens", "gradient_checkpointing", "repeat", "seed")
        },
        "formula": FORMULA,
        "variants": figures,
        "device": _device(outcomes, by_name, size),
    }


def _figures(outcome: Outcome, size: ModelSize) -> dict[str, Any]:
    """What one variant did by itself."""
    name = outcome.facts.get("name") or VARIANTS[outcome.variant]
    entry: dict[str, Any] = {"variant": outcome.variant, "name": name}
    if len(outcome.steps) < 2:
        return {**entry, "error": outcome.error or "no step was measured"}
    _warm_up, *measured = outcome.steps
    seconds = [step["seconds"] for step in measured]
    work = Work(**measured[-1]["work"])
    peaks = {
        name: [step[name] for step in outcome.steps if step[name] is not None]
        for name in ("peak", "peak_total")
    }
    return {
        **entry,
        "error": None,
        "note": outcome.error,  # what went wrong after the measured steps
        "tokens": work.plain_tokens,
        "padded_tokens": work.tokens,
        "free_tokens": work.free_tokens,
        "head_positions": work.head,
        "free_head_positions": work.free_head,
        "flops": step_flops(size, work),
        "seconds": seconds,
        "seconds_median": median(seconds),
        "seconds_min": min(seconds),
        "peak_bytes": max(peaks["peak"], default=None),
        "peak_total_bytes": max(peaks["peak_total"], default=None),
        "exactness": outcome.exact,
    }


def _against(
    entry: dict[str, Any], rows: dict[str, Any] | None, per_state: dict[str, Any] | None
) -> dict[str, Any]:
    """How many times faster than (a) and (b), how many times the FLOPs allow, and what share that is."""
    found: dict[str, Any] = {}
    for name, other in (("a", rows), ("b", per_state)):
        if entry["error"] is not None or other is None or other["error"] is not None:
            found |= {f"ratio_{name}": None, f"ceiling_{name}": None, f"share_{name}": None}
            continue
        ratio = other["seconds_median"] / entry["seconds_median"]
        ceiling = other["flops"] / entry["flops"]
        found |= {f"ratio_{name}": ratio, f"ceiling_{name}": ceiling, f"share_{name}": ratio / ceiling}
    return found


def _device(
    outcomes: Sequence[Outcome], by_name: dict[str, dict[str, Any]], size: ModelSize
) -> dict[str, Any] | None:
    """The device's own rate, and the share of it that whole trees reach.

    FLOPs of that share: 6·N a distinct token, 4·N with a cached base side; N: the body's weights.
    """
    card = next((outcome.card for outcome in outcomes if outcome.card), None)
    if card is None:
        return None
    shares = {}
    for name, passes in (("d", 6), ("d2", 4)):
        entry = by_name.get(name, {"error": "not run"})
        if entry["error"] is None:
            rate = entry["tokens"] / entry["seconds_median"]
            shares[name] = {
                "tokens_per_second": rate,
                "matmul_share": passes * size.body * rate / card["matmul"],
            }
    return {
        "matmul_flops_per_second": card["matmul"],
        "kernel": card["kernel"],
        "kernel_gradient_difference": card["gradient"],
        "variants": shares,
    }


def _machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
