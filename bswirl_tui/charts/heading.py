"""The lines above all panels: which runs, and what is special about the view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from bswirl_tui.glyphs import glyphs

NAME = 24  # characters of a run's name, where there is room
STEP = 22  # cells that words about a step take: a cursor that moves shall not change how many lines there are
PAGE = 17
Pieces = list[tuple[str, str]]  # texts and the names of their styles


@dataclass(frozen=True, slots=True)
class Head:
    """What to say: of every run its letter, number, name and status; facts in a long and a short form."""

    runs: Sequence[tuple[str, int, str, str]] = ()
    step: tuple[str, str] = ("", "")
    facts: Sequence[tuple[str, str]] = ()

    def rows(self, width: int) -> int:
        """How many lines it takes in so many cells."""
        facts = sum(cell_len(long) + 3 for long, _ in self.facts)
        alone = len(self.runs) < 2 and not self.facts
        return 1 if alone or self._runs_cells(NAME) + STEP + PAGE + facts < width else 2

    def lines(self, width: int, page: int, pages: int) -> list[Pieces]:
        """The lines, with the page in sight where there are several."""
        paging = [(f"page {page} of {pages}", f"p {page}/{pages}")] if pages > 1 else []
        facts = [fact for fact in (self.step, *self.facts, *paging) if fact[0]]
        if self.rows(width) == 1:
            return [[*self._named(NAME), *self._joined(facts, width - self._runs_cells(NAME))]]
        return [self._named(self._name_room(width)), self._joined(facts, width - 1)]

    def _named(self, name: int) -> Pieces:
        pieces: Pieces = []
        for place, (letter, number, words, status) in enumerate(self.runs):
            pieces.append((f"{letter} " if letter else "", f"c{place}*"))
            said = [str(number), words[:name].strip(), status if name else ""]
            pieces.append((" ".join(word for word in said if word) + "   ", ""))
        return pieces

    def _runs_cells(self, name: int) -> int:
        return 1 + sum(cell_len(text) for text, _ in self._named(name))

    def _name_room(self, width: int) -> int:
        """The most characters of names with which all runs fit."""
        return next((room for room in range(NAME, 0, -1) if self._runs_cells(room) - 3 <= width), 0)

    def _joined(self, facts: Sequence[tuple[str, str]], room: int) -> Pieces:
        """The facts in their long form where they fit, else in their short one."""
        between = glyphs().separator
        long = between.join(fact[0] for fact in facts)
        return [(long if cell_len(long) <= room else between.join(fact[1] for fact in facts), "muted")]
