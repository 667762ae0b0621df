"""How much a run that calls no endpoint will do, and how long that takes, by what such runs took here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bswirl.client import Client
from bswirl.errors import UsageError
from bswirl.launch.estimate import STEP_TOKENS, STEPS, Range
from bswirl.launch.inputs import input_rows, nothing_selected
from bswirl.launch.requests import RunRequest
from bswirl.records import FrozenTree, Run, from_json, seconds_taken

_MOST_RUNS = 200  # earlier runs that are looked at
_MOST_USED = 5  # of them, the newest
_LEAST_TOKENS = 200  # of a run; in fewer, its start weighs too much
_LEAST_STEPS = 4  # of a judge run
_AS_BEFORE = Range(0.8, 1.0, 1.25)  # what a speed or a mean of like runs may be off by
_OTHERWISE = Range(0.5, 1.0, 2.0)  # that of runs with another batch size, or that sampled in another way
_SPEED_SETTINGS = ("device", "load_in_4bit")


@dataclass(frozen=True, slots=True)
class TimeEstimate:
    """Work and time of a run on this machine. `seconds` is None where no such run has been here."""

    model: str
    work: Range
    unit: str  # of `work`
    tokens: Range | None  # that a model writes
    seconds: Range | None  # without the time that a model takes to load
    notes: tuple[str, ...] = ()
    measured_runs: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Speed:
    """Units of work a second in earlier runs, from the slowest to the fastest."""

    rate: Range
    runs: tuple[int, ...]
    note: str = ""

    def seconds(self, work: Range) -> Range:
        return Range(work.low / self.rate.high, work.likely / self.rate.likely, work.high / self.rate.low)


def estimate_time(client: Client, request: RunRequest) -> TimeEstimate:
    """What a run without endpoints would do and how long; nothing is written or started.

    Raises UsageError for a run that calls a served model, whose calls and cost are foreseen instead, and for
    training, which has its forecast; and as `nothing_selected` where there is no input.
    """
    if request.served or request.kind == "train":
        raise UsageError(f"{request.name}: the time of {request.kind} runs like it is not foreseen here", "")
    left_out: dict[str, Any] = {}
    rows = input_rows(client, request, left_out)
    earlier = [run for run in client.runs(limit=_MOST_RUNS) if run.progress is not None]
    if request.kind == "judge":
        count = sum(len(set(from_json(FrozenTree, row).selected)) for row in rows)
        found = _judging(request, count, earlier)
    else:
        count = sum(1 for _ in rows)
        found = _sampling(request, count, earlier)
    if not count:
        raise nothing_selected(request, left_out)
    return found


def _judging(request: RunRequest, steps: int, earlier: Sequence[Run]) -> TimeEstimate:
    judge = request.judge
    if judge is None:
        raise UsageError(f"run {request.name} has no judge", "start it anew")
    like = [
        run
        for run in earlier
        if run.kind == "judge"
        and _is_judge(run, judge.name, judge.model)
        and _done(run) >= _LEAST_STEPS
        and _same_settings(run, request)
    ]
    speed = _speed([(run, _rate(run)) for run in like], _AS_BEFORE)
    work = Range(steps, steps, steps)
    who = "rules" if judge.kind == "rules" else judge.model
    return _estimate(f"judge {judge.name} ({who})", work, "steps to judge", None, speed, work)


def _sampling(request: RunRequest, questions: int, earlier: Sequence[Run]) -> TimeEstimate:
    spec = next(iter(request.policies.values()))
    sampled = [run for run in earlier if _samples(run, spec.model)]
    like = [run for run in sampled if _same_settings(run, request)]
    own = [run for run in sampled if run.name == spec.name]
    settings = request.settings
    steps, step_tokens, notes = _lengths(own or sampled, int(settings["max_steps"]))
    evaluates = request.kind == "evaluate"
    solutions = float(questions * (1 if evaluates else int(settings["trajectories"])))
    branches = 0 if evaluates else int(settings["branches"])
    longest = float(settings["max_tokens"])
    answers = _answer_tokens(own or sampled) if evaluates else None
    solution = answers or _at_most(steps * step_tokens, longest)
    tokens = solution * solutions + steps * step_tokens * (solutions * branches)
    work = Range(solutions, solutions, solutions) if evaluates else steps * (solutions * (1 + branches))
    return _estimate(
        f"policy {spec.name}",
        work,
        "answers" if evaluates else "sampled steps",
        tokens,
        _token_speed(request, like),
        tokens,
        notes if answers is None else [],
    )


def _estimate(
    model: str,
    work: Range,
    unit: str,
    tokens: Range | None,
    speed: _Speed | None,
    counted: Range,
    notes: Sequence[str] = (),
) -> TimeEstimate:
    if speed is None:
        said = (
            *notes,
            "how long is not known: no such run has ended here yet; one with --limit 4 measures it",
        )
        return TimeEstimate(model, work, unit, tokens, None, said)
    said = (*notes, *([speed.note] if speed.note else []))
    if tokens is not None:
        said = (*said, "on a machine like the one of those runs; loading the model comes on top")
    return TimeEstimate(model, work, unit, tokens, speed.seconds(counted), said, speed.runs)


def _token_speed(request: RunRequest, like: Sequence[Run]) -> _Speed | None:
    """Tokens a second: of runs of the same kind in as large batches, else of any that the model did."""
    size = request.settings.get("batch_size")
    exact = [run for run in like if run.kind == request.kind and _settings(run).get("batch_size") == size]
    for runs, spread in ((exact, _AS_BEFORE), (like, _OTHERWISE)):
        speed = _speed(
            [(run, _tokens_a_second(run)) for run in runs if _tokens(run) >= _LEAST_TOKENS], spread
        )
        if speed is not None:
            return speed
    return None


def _speed(rates: Sequence[tuple[Run, float]], spread: Range) -> _Speed | None:
    used = [(run, rate) for run, rate in rates if rate > 0][:_MOST_USED]
    if not used:
        return None
    found = [rate for _, rate in used]
    note = "" if spread is _AS_BEFORE else "at the speed of runs of another kind or batch size: a rough time"
    rate = Range(min(found) * spread.low, sorted(found)[len(found) // 2], max(found) * spread.high)
    return _Speed(rate, tuple(run.run_id for run, _ in used), note)


def _lengths(like: Sequence[Run], most_steps: int) -> tuple[Range, Range, list[str]]:
    """Steps a solution and tokens a step, as generate runs had them or as assumed, and words on which."""
    runs = [run for run in like if run.kind == "generate" and _tokens(run) >= _LEAST_TOKENS][:_MOST_USED]
    samples = sum(_number(run.summary, "samples") for run in runs)
    solutions = sum(_number(run.summary, "trajectories") for run in runs)
    written = sum(_number(run.summary, "trajectories") * _number(run.summary, "mean_steps") for run in runs)
    steps = _mean(written, solutions) or STEPS
    tokens = _mean(sum(_tokens(run) for run in runs), samples) or STEP_TOKENS
    how = "as in earlier runs" if samples else "assumed"
    notes = [f"{steps.likely:.3g} steps a solution, {tokens.likely:.3g} tokens a step: {how}"]
    return _at_most(steps, float(most_steps)), tokens, notes


def _answer_tokens(like: Sequence[Run]) -> Range | None:
    runs = [run for run in like if run.kind == "evaluate" and _tokens(run) >= _LEAST_TOKENS][:_MOST_USED]
    return _mean(sum(_tokens(run) for run in runs), sum(_done(run) for run in runs))


def _mean(total: float, count: float) -> Range | None:
    return _AS_BEFORE * (total / count) if total and count else None


def _tokens(run: Run) -> float:
    """Tokens that the run's model wrote."""
    if run.kind == "evaluate":
        return _number(run.summary, "mean_tokens") * _done(run)
    return _number(run.summary, "num_tokens")


def _tokens_a_second(run: Run) -> float:
    if run.kind == "evaluate":
        return _number(run.summary, "mean_tokens") * _rate(run)
    return _number(run.summary, "tokens_per_second")


def _samples(run: Run, model: str) -> bool:
    """Whether that model, on this machine, sampled in the run; adapters are merged and change no speed."""
    specs = (run.config.get("policies") or {}).values()
    return run.kind in ("generate", "evaluate") and any(
        isinstance(spec, dict) and spec.get("kind") == "local" and spec.get("model") == model
        for spec in specs
    )


def _is_judge(run: Run, name: str, model: str) -> bool:
    spec = run.config.get("judge") or {}
    if not spec:  # runs of early versions name it alone
        return bool(_settings(run).get("judge") == name)
    return bool((spec.get("name"), spec.get("model")) == (name, model))


def _same_settings(run: Run, request: RunRequest) -> bool:
    """Whether the run was on the same device, with weights held in the same way."""
    mine, theirs = request.settings, _settings(run)
    return all(mine.get(name) == theirs.get(name, mine.get(name)) for name in _SPEED_SETTINGS)


def _settings(run: Run) -> Mapping[str, Any]:
    return run.config.get("settings") or {}


def _done(run: Run) -> float:
    return float(run.progress.done) if run.progress is not None else 0.0


def _rate(run: Run) -> float:
    """Units a second; of a run too short to measure that itself, over the whole time from its making on."""
    if run.progress is not None and run.progress.rate:
        return float(run.progress.rate)
    took = seconds_taken(run)
    return _done(run) / took if took else 0.0


def _number(summary: Mapping[str, Any], name: str) -> float:
    value = summary.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _at_most(value: Range, limit: float) -> Range:
    return Range(min(value.low, limit), min(value.likely, limit), min(value.high, limit))
