"""Steps that auditors are still at when the time they were drawn for is over: they stay reserved.

In the owner's memory alone, for draws are append-only; an app says again and again that its auditor is there.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from bswirl.store.draws import Draw


class _Kept(NamedTuple):
    action_id: int
    auditor: str
    until: datetime


class Keeping:
    """For any thread."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}  # by draw

    def keep(self, draw: Draw, now: datetime, until: datetime) -> None:
        """Reserves a drawn step until then."""
        for draw_id, kept in list(self._kept.items()):
            if kept.until <= now:
                self._kept.pop(draw_id, None)
        self._kept[draw.draw_id] = _Kept(draw.action_id, draw.auditor, until)

    def drop(self, draw_id: int) -> None:
        """It was voted on."""
        self._kept.pop(draw_id, None)

    def actions(self, now: datetime, *, but: str | None = None) -> set[int]:
        """The actions that are reserved so, without those of an auditor."""
        return {kept.action_id for kept in self._at(now) if kept.auditor != but}

    def of(self, auditor: str, now: datetime) -> set[int]:
        """Those of an auditor."""
        return {kept.action_id for kept in self._at(now) if kept.auditor == auditor}

    def _at(self, now: datetime) -> list[_Kept]:
        return [kept for kept in list(self._kept.values()) if kept.until > now]
