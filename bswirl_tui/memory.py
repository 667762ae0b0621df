"""What the app remembers of a user from one start to the next: the place in each project, the trees that were
looked at before a vote, and the tour.

It lies in the user's state folder. Losing it loses nothing that matters: no failure to read or write counts.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_TOUR = "tour-seen"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one was: a question by its address, the line under the cursor, and what lay around it."""

    address: str
    key: int
    comparing: bool = False  # siblings stood side by side
    query: dict[str, Any] = field(default_factory=dict)  # of the list of questions
    screens: list[dict[str, Any]] = field(default_factory=list)  # that were open over the main one
    audit: dict[str, Any] = field(default_factory=dict)  # how the newest sitting at the queue was set up
    aside: dict[str, Any] = field(default_factory=dict)  # the list that escape leads back to


class Memory:
    """Of one user and one project; each name that shares an account has its own places."""

    def __init__(self, project: Path, folder: Path | None = None, *, auditor: str | None = None) -> None:
        self._folder = folder or state_folder()
        whose = os.fsencode(project) + (b"" if auditor is None else b"\0" + os.fsencode(auditor))
        name = hashlib.sha256(whose).hexdigest()[:16]
        self._place_file = self._folder / "places" / f"{name}.json"
        self._seen_file = self._folder / "places" / f"{name}.seen"
        self._kept: Place | None = None

    @property
    def tour_seen(self) -> bool:
        return (self._folder / _TOUR).exists()

    def see_tour(self) -> None:
        """The tour is not shown by itself any more."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / _TOUR).touch()

    def trees_seen(self) -> set[str]:
        """Addresses of the questions whose tree was opened from the audit queue."""
        try:
            lines = self._seen_file.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return set()
        return set(map(_address, lines))

    def see_tree(self, question: str) -> None:
        """Notes one, at once, and beside what other apps of the same auditor note."""
        with suppress(OSError):
            self._seen_file.parent.mkdir(parents=True, exist_ok=True)
            with self._seen_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(question) + "\n")

    def place(self) -> Place | None:
        """Where one was; None where nobody knows."""
        try:
            found = json.loads(self._place_file.read_text(encoding="utf-8"))
            address, key = str(found["address"]), int(found["key"])
            query, audit, screens = found.get("query"), found.get("audit"), found.get("screens")
            aside = found.get("aside")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return Place(
            address,
            key,
            found.get("comparing") is True,
            query if isinstance(query, dict) else {},
            [one for one in screens if isinstance(one, dict)] if isinstance(screens, list) else [],
            audit if isinstance(audit, dict) else {},
            aside if isinstance(aside, dict) else {},
        )

    def keep(self, place: Place) -> None:
        """Notes where one is."""
        if place == self._kept:
            return
        draft = self._place_file.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._place_file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(asdict(place), default=sorted), encoding="utf-8")
            draft.replace(self._place_file)
            self._kept = place


def _address(text: str) -> str:
    """The address in a line; nothing where the line is cut off."""
    with suppress(ValueError):
        return str(json.loads(text))
    return ""


def state_folder() -> Path:
    """The user's folder for what programs remember: `$XDG_STATE_HOME/bswirl`, usually in ~/.local/state."""
    import platformdirs

    return platformdirs.user_state_path("bswirl")
