"""What `bswirl doctor` says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `bad` is what has to be mended."""

    about: str
    status: Literal["ok", "note", "bad"]
    says: str
    remedy: str = ""
