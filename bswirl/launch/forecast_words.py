"""A training run's forecast in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bswirl.display import number

if TYPE_CHECKING:
    from bswirl.training.forecast import Forecast

_UNITS = ((1 << 30, "GB"), (1 << 20, "MB"))


def forecast_lines(forecast: Forecast) -> Iterator[str]:
    """The forecast in a few lines, for before a run starts."""
    counts = forecast.counts
    if forecast.left_out:
        yield f"left out: {_left_out(forecast)}"
    if counts.groups:
        yield (
            f"{counts.questions} questions, {_groups(forecast)}, {counts.actions} actions with "
            f"{counts.samples} samples, mean reward {number(counts.mean_reward)}"
        )
    if counts.astray_answers:
        yield _astray(forecast)
    yield (
        f"{forecast.optimiser_steps} steps, {_tokens(forecast)}; memory {_memory(forecast)}, "
        f"time {_time(forecast)}"
    )


def forecast_facts(forecast: Forecast) -> Iterator[tuple[str, object]]:
    """The forecast as names and values."""
    counts = forecast.counts
    yield "questions", f"{counts.questions}, and {counts.probe_questions} held out"
    if forecast.left_out:
        yield "left out", _left_out(forecast)
    yield "groups", _groups(forecast)
    yield "actions", f"{counts.actions} with {counts.samples} samples"
    yield "mean reward", counts.mean_reward
    yield "answers", _astray(forecast) if counts.astray_answers else counts.answers
    yield (
        "to train on",
        f"{counts.trained_questions} questions, {counts.trained_actions} actions with "
        f"{counts.trained_samples} samples",
    )
    yield "steps", f"{forecast.optimiser_steps}, {number(forecast.passes)} passes"
    yield "tokens", _tokens(forecast)
    yield "memory", _memory(forecast, parts=True)
    yield "time", _time(forecast)
    for size, share in forecast.future_live.items():
        yield f"new groups of {size}", f"{share:.0%} would be live" if counts.groups else None
    if forecast.refusal:
        yield "would not start", forecast.refusal


def _left_out(forecast: Forecast) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in forecast.left_out.items())


def _groups(forecast: Forecast) -> str:
    counts = forecast.counts
    return (
        f"{counts.live_groups} of {counts.groups} groups live "
        f"({counts.all_good_groups} dead with every reward 1, {counts.all_bad_groups} with every reward 0)"
    )


def _astray(forecast: Forecast) -> str:
    counts = forecast.counts
    return (
        f"{counts.astray_answers} of {counts.answers} answers stand behind a step with reward 0 "
        f"({counts.astray_answer_groups} groups); if it was wrong, they match gold by accident alone"
    )


def _tokens(forecast: Forecast) -> str:
    about = "" if forecast.tokens_counted else "about "
    return (
        f"{about}{forecast.tree_tokens:,} tokens a pass as trees ({forecast.row_tokens:,} as rows), "
        f"{forecast.num_tokens:,} in all"
    )


def _memory(forecast: Forecast, *, parts: bool = False) -> str:
    memory = forecast.memory
    if memory is None:
        return "unknown"
    whole = f"about {_bytes(memory.total)}"
    if not parts:
        return whole
    return (
        f"{whole}: weights {_bytes(memory.weights)}, adapter and optimizer {_bytes(memory.adapter)}, "
        f"activations {_bytes(memory.activations)}, output head {_bytes(memory.head)}"
    )


def _time(forecast: Forecast) -> str:
    if forecast.seconds is None or forecast.throughput is None:
        return "unknown"
    minutes, seconds = divmod(round(forecast.seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"about {hours}:{minutes:02}:{seconds:02} at the speed of run {forecast.throughput.run_id}"


def _bytes(count: int) -> str:
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1024:.0f} kB"
