"""The pieces that the report is put together from: numbers, tables, and the conclusion in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from bswirl.experiment.results import AIM_OVER_BASE, AIM_P

Values = dict[str, Any]


def percent(share: float, low: float | None = None, high: float | None = None) -> str:
    """A share in percent, with its interval where there is one."""
    words = f"{100 * share:.1f}%"
    return words if low is None or high is None else f"{words} [{100 * low:.1f}, {100 * high:.1f}]"


def points(difference: float, low: float | None = None, high: float | None = None) -> str:
    """A difference of shares in percentage points, signed, with its interval where there is one."""
    words = f"{100 * difference:+.1f}"
    return words if low is None or high is None else f"{words} [{100 * low:+.1f}, {100 * high:+.1f}]"


def margin_words(found: Mapping[str, float]) -> str:
    """A probe margin with its interval."""
    if "margin" not in found:
        return "–"
    words = f"{found['margin']:+.3f}"
    return f"{words} [{found['low']:+.3f}, {found['high']:+.3f}]" if "low" in found else words


def duration(start: str, end: str | None) -> str:
    """The time between two moments as h:mm:ss; `–` where one is missing."""
    if not start or not end:
        return "–"
    seconds = round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table, line by line."""
    yield "| " + " | ".join(headings) + " |"
    yield "| " + " | ".join("---" for _ in headings) + " |"
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"


def conclusion(record: Values) -> Iterator[str]:
    """What the figures say, in plain words, whichever way they fell."""
    results = record["results"]
    differences = results["differences"]
    over_base, over_swirl = differences.get("bswirl − base"), differences.get("bswirl − swirl")
    if over_base is None:
        yield "`bswirl` has no policy to measure: every one of its configurations or seeds failed."
    else:
        yield _against_base("bswirl", over_base)
    swirl = differences.get("swirl − base")
    if swirl is not None:
        yield _against_base("swirl", swirl)
    if over_swirl is not None:
        yield _against_swirl(over_swirl)
    yield from _margin_words(results["margins"])


def _against_base(name: str, found: Values) -> str:
    size = points(found["difference"], found["low"], found["high"])
    if found["low"] is not None and found["high"] < 0:
        return f"`{name}` is worse than the base policy, by {size} points."
    if found["low"] is None or found["low"] <= 0:
        return f"`{name}` cannot be told from the base policy: {size} points."
    aim = (
        ""
        if name != "bswirl" or found["difference"] >= AIM_OVER_BASE
        else f", less than the {100 * AIM_OVER_BASE:.0f} points that were aimed for"
    )
    return f"`{name}` beats the base policy by {size} points{aim}."


def _against_swirl(found: Values) -> str:
    size = points(found["difference"], found["low"], found["high"])
    if found["p"] >= AIM_P:
        return f"`bswirl` and `swirl` cannot be told apart: {size} points, p = {found['p']:.3g}."
    better = "beats" if found["difference"] > 0 else "is worse than"
    return f"`bswirl` {better} `swirl`: {size} points, p = {found['p']:.3g}."


def _margin_words(margins: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    for objective in ("bswirl", "swirl"):
        own = {name: found for name, found in margins.items() if name.startswith(f"{objective} ") and found}
        if own:
            opened = sum(found.get("low", 0.0) > 0 for found in own.values())
            yield f"The probe's margin opens in {opened} of {len(own)} seeds of `{objective}`."
