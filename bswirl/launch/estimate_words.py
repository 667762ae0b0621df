"""What a run would call and cost, or how long it would take, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bswirl.display import duration, money, safe_text

if TYPE_CHECKING:
    from bswirl.launch.estimate import Estimate, Range
    from bswirl.launch.timing import TimeEstimate


def estimate_line(estimate: Estimate) -> str:
    """The estimate in a line."""
    cost = "" if estimate.cost is None else f", {_dollars(estimate.cost)}"
    return (
        f"{safe_text(estimate.model, one_line=True)}: {_count(estimate.calls)} calls, "
        f"{_count(estimate.prompt_tokens)} tokens in, {_count(estimate.completion_tokens)} out{cost}"
    )


def estimate_lines(estimate: Estimate) -> Iterator[str]:
    """The estimate in a few lines, with what it goes by."""
    yield estimate_line(estimate)
    yield from estimate.notes
    if estimate.measured_runs:
        yield f"measured in {_runs(estimate)}"


def estimate_facts(estimate: Estimate) -> Iterator[tuple[str, object]]:
    """The estimate as names and values."""
    yield "model", estimate.model
    yield "calls", _count(estimate.calls)
    yield "tokens in", _count(estimate.prompt_tokens)
    yield "tokens out", _count(estimate.completion_tokens)
    yield "cost", None if estimate.cost is None else _dollars(estimate.cost)
    for line in estimate.notes:
        yield "by", line
    if estimate.measured_runs:
        yield "measured in", _runs(estimate)


def time_lines(estimate: TimeEstimate) -> Iterator[str]:
    """The work and the time of a run without endpoints, in a few lines."""
    tokens = "" if estimate.tokens is None else f", {_count(estimate.tokens)} tokens written"
    model = safe_text(estimate.model, one_line=True)
    yield f"{model}: {_count(estimate.work)} {estimate.unit}{tokens}"
    if estimate.seconds is not None:
        yield f"takes {_time(estimate.seconds)} here, and costs nothing: no endpoint is called"
    yield from estimate.notes
    if estimate.measured_runs:
        yield f"measured in {_runs(estimate)}"


def time_facts(estimate: TimeEstimate) -> Iterator[tuple[str, object]]:
    """The same as names and values."""
    yield "runs", estimate.model
    yield estimate.unit, _count(estimate.work)
    if estimate.tokens is not None:
        yield "tokens written", _count(estimate.tokens)
    yield "time", "not known yet" if estimate.seconds is None else _time(estimate.seconds)
    yield "cost", "nothing: no endpoint is called"
    for line in estimate.notes:
        yield "by", line
    if estimate.measured_runs:
        yield "measured in", _runs(estimate)


def _time(value: Range) -> str:
    low, likely, high = (duration(seconds) for seconds in (value.low, value.likely, value.high))
    return f"about {likely}" if low == high else f"about {likely} ({low} to {high})"


def _runs(estimate: Estimate | TimeEstimate) -> str:
    return ", ".join(f"run {number}" for number in estimate.measured_runs)


def _count(value: Range) -> str:
    if round(value.low) == round(value.high):
        return f"{value.likely:,.0f}"
    return f"{value.likely:,.0f} ({value.low:,.0f} to {value.high:,.0f})"


def _dollars(value: Range) -> str:
    return f"{money(value.likely)} ({money(value.low)} to {money(value.high)})"
