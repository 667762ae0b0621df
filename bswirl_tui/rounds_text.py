"""What the screens say of rounds of sampling until groups are live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.text import Text

from bswirl.display import money
from bswirl.errors import UsageError
from bswirl.launch import RoundsWork, form_command, values_of
from bswirl.records import Run
from bswirl_tui.glyphs import glyphs
from bswirl_tui.runs_text import is_live, queue_order, waiting_words
from bswirl_tui.text import (
    BLANK,
    STATUS_STYLES,
    Paragraph,
    clean,
    count,
    duration,
    fit,
    heading,
    joined,
    line,
    moment,
    parse_time,
    progress_words,
)
from bswirl_tui.themes import Palette

NAME_CELLS = 15  # of a policy's name in the list of runs
Listed = Run | RoundsWork
_COLUMNS = (
    ("round", 5),
    ("runs", 10),
    ("samples", 8),
    ("verdicts", 9),
    ("live", 6),
    ("given up", 9),
    ("undecided", 10),
    ("cost", 8),
    ("a new live", 11),
)


def grouped(runs: Sequence[Run], works: Sequence[RoundsWork]) -> list[Listed]:
    """Runs in the order of the queue, those of rounds under a line of their own; rounds under way first.

    Rounds that ended before their first run stand before the runs that were there when they began.
    """
    ordered = queue_order(list(runs))
    of_run = {number: work for work in works for number in work.stages}
    rows: list[Listed] = []
    for work in works:
        if work.status == "running":
            rows += _group(work, ordered)
    bare = [work for work in works if not work.stages and work.status != "running"]
    for run in ordered:
        while bare and not is_live(run) and bare[0].newest_run >= run.run_id:
            rows.append(bare.pop(0))
        own = of_run.get(run.run_id)
        if own is None:
            rows.append(run)
        elif own not in rows:
            rows += _group(own, ordered)
    return rows + bare


def _group(work: RoundsWork, ordered: Sequence[Run]) -> list[Listed]:
    return [work, *(run for run in ordered if run.run_id in work.stages)]


def work_status(work: RoundsWork, colours: Palette) -> Text:
    """How the work stands, in the colour of runs that stand so."""
    return Text(work.status, getattr(colours, STATUS_STYLES.get(work.status, "muted")))


def work_line(work: RoundsWork, runs: Mapping[int, Run], colours: Palette, width: int, now: datetime) -> Text:
    """The line over the work's runs: how its groups stand, what a live one costs, how long it may take."""
    text = Text(f" {glyphs().opened:>4}  ", colours.strong)
    text.append_text(fit(Text("rounds", colours.strong), 9)).append(" ")
    text.append_text(fit(line(work.name, limit=60), NAME_CELLS)).append(" ")
    text.append_text(fit(work_status(work, colours), 10)).append(" ")
    facts = [_groups(work), f"round {work.round_number}", _price(work)]
    if work.status == "running":
        facts.append(time_left(work, runs, now))
    room = width - text.cell_len - 1
    words = glyphs().separator.join(fact for fact in facts if fact)
    return text.append_text(fit(Text(words, colours.muted), max(0, room)))


def _groups(work: RoundsWork) -> str:
    if not work.rounds:
        return ""
    last = work.rounds[-1]
    return f"{last.live} live, {last.undecided} undecided, {last.dead} dead"


def _price(work: RoundsWork) -> str:
    each = work.cost_per_live_group
    return f"{money(each)} a live group" if each else ""


def doing(work: RoundsWork, runs: Mapping[int, Run]) -> str:
    """What the work is doing now, or why it ended."""
    if work.status == "lost":
        return "its process was killed, or its machine went down"
    if work.status != "running":
        return work.stopped
    live = next((runs[number] for number in work.stages if number in runs and is_live(runs[number])), None)
    if live is None:
        return f"round {work.round_number}: chooses what to sample next"
    stage = work.stages[live.run_id].split()[0]
    words = [f"round {work.round_number}: {stage}s in run {live.run_id}"]
    if live.status == "queued":
        words.append(waiting_words(live) or "waits for its worker")
    elif live.progress is not None and live.progress.total > 0:
        words.append(progress_words(live.progress))
        if live.progress.eta_seconds is not None:
            words.append(f"{duration(live.progress.eta_seconds)} left of it")
    return ", ".join(words)


def time_left(work: RoundsWork, runs: Mapping[int, Run], now: datetime) -> str:
    """From this round alone to all the rounds that may come, at the speed of the round before."""
    last = work.rounds[-1] if work.rounds else None
    if last is None or not last.states or not last.seconds:
        return ""
    whole = last.seconds / last.states * last.undecided
    begun = [parse_time(runs[n].created_at) for n in _current(work) if n in runs]
    elapsed = max(((now - at).total_seconds() for at in begun if at is not None), default=0.0)
    least = max(0.0, whole - elapsed)
    most = least + whole * max(0, work.most_rounds - len(work.rounds) - 1)
    if round(most) <= round(least):
        return f"{duration(least)} left"
    return f"{duration(least)} to {duration(most)} left"


def _current(work: RoundsWork) -> list[int]:
    """The runs of the round that is not over."""
    over = {number for done in work.rounds for number in done.runs}
    return [number for number in work.stages if number not in over]


def work_paragraphs(
    work: RoundsWork, runs: Mapping[int, Run], colours: Palette, root: Path, now: datetime
) -> list[Paragraph]:
    """All that is known of a work of rounds of the project in `root`."""
    title = [Text("Rounds until groups are live", colours.strong), line(work.name, limit=60)]
    parts = [Paragraph(joined([*title, work_status(work, colours)], style=colours.faint))]
    said = doing(work, runs)
    if said != work.status:
        parts.append(Paragraph(Text(clean(said), colours.muted if work.status == "running" else "")))
    if work.status == "running":
        left, more = time_left(work, runs, now), work.most_rounds - len(work.rounds)
        left = left or "how long is known after the first round"
        words = f"{left}; at most {count(more, 'round')} with this one"
        parts.append(Paragraph(Text(words, colours.muted)))
    elif work.status != "done":
        parts.append(Paragraph(Text("What they did is kept, and they can go on from there.", colours.muted)))
    parts += [BLANK, heading("Rounds", colours), *_table(work, colours), BLANK]
    parts += [heading("So far", colours), *_sums(work, runs, colours), BLANK, heading("Work", colours)]
    command = clean(_command(work), one_line=True)
    facts = {"begun": _at(work.begun), "ended": _at(work.ended), "command": command}
    parts += [_row(name, value, colours) for name, value in facts.items() if value]
    parts.append(_row("log", str(work.log_file.relative_to(root)), colours))
    return parts


def _command(work: RoundsWork) -> str:
    """The command of these rounds; empty where this version knows none."""
    try:
        return form_command("generate", values_of(work))
    except UsageError:
        return ""


def _at(stamp: str) -> str:
    return f"{moment(stamp)} UTC" if stamp else ""


def _table(work: RoundsWork, colours: Palette) -> list[Paragraph]:
    if not work.rounds:
        return [Paragraph(Text("none is over yet", colours.muted))]
    head = "".join(f"{name:>{width}}" for name, width in _COLUMNS)
    rows = [Paragraph(Text(head, colours.muted), wrap=False)]
    for done in work.rounds:
        each = done.cost_per_live_group
        cells = (
            done.number,
            ",".join(map(str, done.runs)),
            f"{done.samples:,}",
            f"{done.verdicts:,}",
            f"{done.live:,}",
            f"{done.dead:,}",
            f"{done.undecided:,}",
            money(done.cost),
            money(each) if each else glyphs().dash,
        )
        pairs = zip(cells, _COLUMNS, strict=True)
        rows.append(Paragraph(Text("".join(f"{cell!s:>{width}}" for cell, (_, width) in pairs)), wrap=False))
    return rows


def _sums(work: RoundsWork, runs: Mapping[int, Run], colours: Palette) -> list[Paragraph]:
    open_cost = sum(_cost(runs[number]) for number in _current(work) if number in runs)
    samples, live = sum(done.samples for done in work.rounds), work.rounds[-1].live if work.rounds else 0
    each = [money(work.cost / live) if work.cost else "", f"{samples / live:.3g} samples"] if live else []
    facts = {
        "cost": money(work.cost + open_cost),
        "a live group": ", ".join(word for word in each if word) or glyphs().dash,
        "samples": f"{samples:,}",
        "judge calls": f"{sum(done.judge_calls for done in work.rounds):,}",
        "time": duration(sum(done.seconds for done in work.rounds)),
    }
    return [_row(name, value, colours) for name, value in facts.items()]


def _cost(run: Run) -> float:
    spending = run.summary.get("spending")
    return float(spending.get("cost") or 0.0) if isinstance(spending, Mapping) else 0.0


def _row(name: str, value: str, colours: Palette) -> Paragraph:
    return Paragraph(Text(value), Text(name, colours.muted), indent=14)
