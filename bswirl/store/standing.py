"""How journal rows about the run itself change its standing."""

from __future__ import annotations

from collections.abc import Callable

from bswirl.store.database import moment, utc_now
from bswirl.store.fields import INT64, Fields, RowError
from bswirl.store.runs import RunStanding

FINAL = ("done", "failed", "cancelled")
WARNINGS_KEPT = 50
_SPENDING = ("calls", "requests", "recorded", "failures", "prompt_tokens", "completion_tokens", "in_flight")


def note_work(standing: RunStanding) -> bool:
    """A row of work came: the run is running. Returns whether that is news."""
    if standing.status not in ("queued", "lost"):
        return False
    standing.status, standing.ended_at, standing.waiting = "running", None, None
    return True


def _start(standing: RunStanding, fields: Fields) -> None:
    standing.attempt = fields.optional_integer("attempt") or standing.attempt
    standing.pid = fields.optional_integer("pid")
    standing.host = fields.optional_text("host")
    standing.status = "running"
    standing.ended_at = standing.exit_code = standing.error = standing.waiting = None
    standing.summary, standing.warnings = {}, []
    standing.rate = None


def _waiting(standing: RunStanding, fields: Fields) -> None:
    holder = fields.optional_text("holder")
    if holder is None:
        standing.status, standing.waiting = "running", None
    else:
        standing.status = "queued"
        standing.waiting = f"{fields.optional_text('device') or 'a device'} is in use by {holder}"


def _progress(standing: RunStanding, fields: Fields) -> None:
    limit = 2**62
    standing.done = fields.integer("done", high=limit)
    standing.total = fields.integer("total", high=limit)
    standing.unit = fields.optional_text("unit")
    rate = fields.number("rate")
    standing.rate = rate if rate is not None and rate == rate else None
    note_work(standing)


def _warning(standing: RunStanding, fields: Fields) -> None:
    standing.warnings = [*standing.warnings, fields.text("text")][-WARNINGS_KEPT:]


def _spending(standing: RunStanding, fields: Fields) -> None:
    """The run's calls and costs so far, of all its attempts."""
    spent: dict[str, int | float | None] = {
        name: fields.optional_integer(name, high=INT64) for name in _SPENDING
    }
    spent |= {name: fields.number(name) for name in ("cost", "uncertain")}
    standing.summary = {**standing.summary, "spending": spent}
    note_work(standing)


def _end(standing: RunStanding, fields: Fields) -> None:
    status = fields.text("status")
    if status not in FINAL:
        raise RowError(f"a run cannot end as `{status}`")
    standing.exit_code = fields.optional_integer("exit_code", low=-(2**31))
    standing.error = fields.optional_text("error")
    standing.summary = {**standing.summary, **fields.object("summary")}
    standing.status, standing.waiting = status, None
    standing.ended_at = moment(fields.optional_text("at") or "") or utc_now()


STANDING_ROWS: dict[str, Callable[[RunStanding, Fields], None]] = {
    "start": _start,
    "waiting": _waiting,
    "progress": _progress,
    "warning": _warning,
    "spending": _spending,
    "end": _end,
}
