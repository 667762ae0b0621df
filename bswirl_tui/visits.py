"""Where one has been in the app, to go back and forth."""

from __future__ import annotations

from dataclasses import dataclass, replace

KEPT = 200


@dataclass(frozen=True, slots=True)
class Visit:
    """A question, the line under the cursor, and whether siblings stood side by side."""

    question_id: int
    key: int
    comparing: bool = False


class Visits:
    """A history: moving about changes the visit, another question or mode begins a new one."""

    def __init__(self) -> None:
        self._visits: list[Visit] = []
        self._at = -1
        self._leaving = False

    @property
    def current(self) -> Visit | None:
        return self._visits[self._at] if self._visits else None

    def leave(self) -> None:
        """What is seen next is a visit of its own, even on the same question."""
        self._leaving = True

    def see(self, visit: Visit) -> None:
        """Takes in what is on screen now. A new visit drops those that one had gone back from."""
        current, leaving = self.current, self._leaving
        self._leaving = False
        if visit == current:
            return
        if current is not None and not leaving and replace(current, key=visit.key) == visit:
            self._visits[self._at] = visit
            return
        self._visits = [*self._visits[: self._at + 1], visit][-KEPT:]
        self._at = len(self._visits) - 1

    def go(self, direction: int) -> Visit | None:
        """The visit before (-1) or after (1), which is the current one from then on; None at the ends."""
        if not 0 <= self._at + direction < len(self._visits):
            return None
        self._at += direction
        self._leaving = False
        return self._visits[self._at]
