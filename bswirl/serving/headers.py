"""What a server's headers say about waiting: `retry-after` and the families of `x-ratelimit-*`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime

MOST_SECONDS = 900.0  # no header makes anybody wait longer in one go
_CLOCK_TIMES = 1e9  # a number of seconds this large is a time since 1970
_MILLISECONDS = 1e11  # and one this large is in milliseconds
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d*)?)(ms|s|m|h|d)")
_LIMIT = "x-ratelimit-"

RawHeaders = Iterable[tuple[bytes, bytes]]


def asked_wait(headers: RawHeaders, now: float) -> float | None:
    """Seconds that the server asks to wait: by `retry-after`, else until a used-up limit is reset.

    `now` is in seconds since 1970. None where it asks for nothing.
    """
    retry: float | None = None
    left: dict[str, float] = {}
    reset: dict[str, float] = {}
    for raw_name, raw_value in headers:
        if raw_name[:1] not in b"rRxX":
            continue
        name = raw_name.decode("latin-1").lower()
        if name.startswith(_LIMIT):
            what, _, rest = name[len(_LIMIT) :].partition("-")
            _note(left if what == "remaining" else reset if what == "reset" else {}, rest, raw_value, now)
        elif name in ("retry-after", "retry-after-ms"):
            found = _seconds(raw_value.decode("latin-1"), now)
            if found is not None:
                retry = found / 1000 if name.endswith("ms") else found
    waits = [reset[rest] for rest, amount in left.items() if amount <= 0 and rest in reset]
    asked = retry if retry is not None else max(waits, default=None)
    return None if asked is None else min(asked, MOST_SECONDS)


def _note(values: dict[str, float], rest: str, raw: bytes, now: float) -> None:
    seconds = _seconds(raw.decode("latin-1"), now)
    if seconds is not None:
        values[rest] = seconds


def _seconds(text: str, now: float) -> float | None:
    """A number, a duration such as `6m0.5s`, or a date, as seconds from now; never negative."""
    text = text.strip()
    try:
        value = float(text)
    except ValueError:
        return _duration(text) or _until(text, now)
    if not 0 <= value < float("inf"):
        return None
    if value > _MILLISECONDS:
        value /= 1000
    return max(0.0, value - now) if value > _CLOCK_TIMES else value


def _duration(text: str) -> float | None:
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _until(text: str, now: float) -> float | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)
