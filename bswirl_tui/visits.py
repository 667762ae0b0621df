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
        self._visits: list[tuple[Visit, int | None]] = []  # each with the list that led to it
        self._at = -1
        self._leaving = False
        self._from: int | None = None  # the list that leads to the next one

    @property
    def current(self) -> Visit | None:
        return self._visits[self._at][0] if self._visits else None

    @property
    def came_from(self) -> int | None:
        """The number of the list that led to the current visit; None: a visit before, or nothing."""
        return self._visits[self._at][1] if self._visits else None

    def leave(self, came_from: int | None = None) -> None:
        """What is seen next is a visit of its own, even on the same question; a list may have led there."""
        self._leaving = True
        self._from = came_from

    def see(self, visit: Visit) -> None:
        """Takes in what is on screen now. A new visit drops those that one had gone back from."""
        current, leaving, came_from = self.current, self._leaving, self._from
        self._leaving, self._from = False, None
        if visit == current:
            if came_from is not None:
                self._visits[self._at] = (visit, came_from)
            return
        if current is not None and not leaving and replace(current, key=visit.key) == visit:
            self._visits[self._at] = (visit, self.came_from)
            return
        self._visits = [*self._visits[: self._at + 1], (visit, came_from)][-KEPT:]
        self._at = len(self._visits) - 1

    def go(self, direction: int) -> Visit | None:
        """The visit before (-1) or after (1), which is the current one from then on; None at the ends."""
        if not 0 <= self._at + direction < len(self._visits):
            return None
        self._at += direction
        self._leaving, self._from = False, None
        return self.current
