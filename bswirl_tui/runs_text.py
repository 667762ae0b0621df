"""What the screens say of a run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from bswirl.display import spending_words
from bswirl.records import LIVE_STATUSES, Run
from bswirl_tui.glyphs import glyphs
from bswirl_tui.text import (
    BLANK,
    Paragraph,
    age,
    bar,
    clean,
    duration,
    heading,
    joined,
    line,
    moment,
    parse_time,
    progress_words,
    status,
)
from bswirl_tui.themes import Palette

_NAMES = 20  # cells of the column of names


def is_live(run: Run) -> bool:
    """Whether the run is queued or running."""
    return run.status in LIVE_STATUSES


def headline(run: Run, colours: Palette, *, stopping: bool = False) -> Text:
    """Kind, number, name, status, attempt."""
    return joined(
        [
            Text(f"{run.kind} {run.run_id}", colours.strong),
            line(run.name, limit=60),
            status(run, colours, stopping=stopping),
            Text(f"attempt {run.attempt}", colours.muted) if run.attempt > 1 else "",
        ],
        style=colours.faint,
    )


def progress_line(run: Run, colours: Palette, width: int) -> Text:
    """A bar, what is done, the rate and the time left; for a run that ended, how long it took."""
    progress = run.progress
    if progress is None or progress.total <= 0:
        return Text(_without_progress(run), colours.muted)
    facts = [progress_words(progress), spending_words(run.summary)]
    if run.status == "queued":
        facts.append(waiting_words(run) or "waits for its worker")
    elif is_live(run):
        if progress.rate > 0:
            facts.append(f"{progress.rate:.3g}/s")
        if progress.eta_seconds is not None:
            facts.append(f"{duration(progress.eta_seconds)} left")
    else:
        facts.append(f"took {took(run)}" if took(run) else "")
    drawn = Text().append_text(bar(progress.done, progress.total, max(8, min(40, width // 3)), colours))
    percent = f" {min(100, 100 * progress.done // progress.total)}%  "
    return drawn.append(percent, colours.strong).append_text(Text(_sentence(facts), colours.muted))


def _without_progress(run: Run) -> str:
    if run.status == "queued":
        return waiting_words(run) or "waiting for its worker or its device"
    if run.status == "running":
        return "starting"
    return f"took {took(run)}" if took(run) else ""


def _sentence(facts: list[str]) -> str:
    return glyphs().separator.join(fact for fact in facts if fact)


def waiting_words(run: Run) -> str:
    """Which device a queued run waits for, and who has it; empty where it waits for none."""
    waiting = run.summary.get("waiting")
    return clean(waiting, one_line=True, limit=200) if isinstance(waiting, str) else ""


def queue_order(runs: list[Run]) -> list[Run]:
    """Runs that are alive first, those that work before those that wait, then the others, newest first."""
    places = {"running": 0, "queued": 1}
    waiting = [run for run in runs if run.status == "queued"]
    others = [run for run in runs if run.status != "queued"]
    return sorted([*reversed(waiting), *others], key=lambda run: places.get(run.status, 2))


def queue_words(runs: list[Run]) -> str:
    """`12 · 1 running · 2 queued`."""
    counts = {status: sum(run.status == status for run in runs) for status in ("running", "queued")}
    return _sentence([f"{len(runs):,}", *(f"{n} {status}" for status, n in counts.items() if n)])


def took(run: Run) -> str:
    """How long the run took from its making to its end."""
    begin, end = parse_time(run.created_at), parse_time(run.ended_at)
    return duration((end - begin).total_seconds()) if begin and end else ""


def error_line(run: Run, colours: Palette) -> Text:
    """Why it failed."""
    return line(run.error or "", colours.bad, limit=600)


def list_cells(run: Run, colours: Palette, now: datetime, *, stopping: bool = False) -> dict[str, Text]:
    """The columns of a run in the list, by name."""
    progress = run.progress
    done = Text()
    if progress is not None and progress.total > 0:
        done.append_text(bar(progress.done, progress.total, 10, colours))
        done.append(f" {min(100, 100 * progress.done // progress.total):>3}%")
    left = took(run)
    if is_live(run):
        eta = progress.eta_seconds if progress is not None else None
        left = "" if eta is None else f"{duration(eta)} left"
    return {
        "run": Text(f"{run.run_id:>4}", colours.strong),
        "kind": Text(run.kind),
        "name": line(run.name, limit=60),
        "status": status(run, colours, stopping=stopping),
        "progress": done,
        "time": Text(left or "", colours.muted),
        "age": Text(age(run.created_at, now), colours.muted),
        "by": line(run.created_by, colours.muted, limit=24),
        "result": error_line(run, colours) if run.error else Text(outcome_words(run), colours.muted),
    }


def outcome_words(run: Run) -> str:
    """What a run waits for, has cost so far, and came to."""
    waiting = (waiting_words(run) or "waits for its worker") if run.status == "queued" else ""
    return waiting or _sentence([spending_words(run.summary), result_words(run)])


def result_words(run: Run) -> str:
    """The few facts of a summary that fit on a line."""
    facts = [f"{_name(key)} {shown(value)}" for key, value in run.summary.items() if _is_scalar(value)]
    return clean(", ".join(facts[:4]), one_line=True, limit=120)


def about_paragraphs(run: Run, colours: Palette, root: Path) -> list[Paragraph]:
    """Summary, settings and provenance of a run of the project in `root`."""
    parts: list[Paragraph] = []
    if run.error:
        parts += [heading("Error", colours), Paragraph(Text(clean(run.error), colours.bad)), BLANK]
    if run.summary:
        words = {"spending": spending_words(run.summary)} if "spending" in run.summary else {}
        parts += [heading("Result", colours), *_table({**run.summary, **words}, colours), BLANK]
    parts += [heading("Settings", colours), *_table(run.config.get("settings", {}), colours), BLANK]
    policies = run.config.get("policies") or {}
    if policies:
        parts += [heading("Policies", colours)]
        for name, spec in policies.items():
            model = spec.get("model", "") if isinstance(spec, Mapping) else spec
            parts.append(_row(name, model, colours))
        parts.append(BLANK)
    facts = {
        "made": f"{moment(run.created_at)} UTC" + (f" by {run.created_by}" if run.created_by else ""),
        "ended": f"{moment(run.ended_at)} UTC" if run.ended_at else "",
        "input": _input_words(run.config),
        "code": run.config.get("code_version", ""),
        "folder": _relative(run.folder, root),
    }
    parts.append(heading("Run", colours))
    parts += [_row(name, value, colours) for name, value in facts.items() if value]
    return parts


def _relative(folder: str, root: Path) -> str:
    path = Path(folder)
    return str(path.relative_to(root)) if folder and path.is_relative_to(root) else folder


def _input_words(config: Mapping[str, Any]) -> str:
    rows, sha = config.get("input_rows"), config.get("input_sha256")
    return f"{rows:,} rows, sha256 {str(sha)[:12]}" if isinstance(rows, int) and sha else ""


def _table(values: Mapping[str, Any], colours: Palette) -> list[Paragraph]:
    if not values:
        return [Paragraph(Text("none", colours.muted))]
    return [_row(name, value, colours) for name, value in values.items()]


def _row(name: str, value: Any, colours: Palette) -> Paragraph:
    lead = line(_name(name), colours.muted, limit=_NAMES - 1)
    return Paragraph(Text(clean(shown(value), limit=2000)), lead, indent=_NAMES)


def _name(key: str) -> str:
    return str(key).replace("_", " ")


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool))


def shown(value: Any) -> str:
    """A setting or a result as a person would write it."""
    if value is None:
        return glyphs().dash
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(item) for item in value) or glyphs().dash
    if isinstance(value, Mapping):
        return ", ".join(f"{_name(key)} {shown(item)}" for key, item in value.items()) or glyphs().dash
    return str(value)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)
