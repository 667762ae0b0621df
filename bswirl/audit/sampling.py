"""How the next step is chosen, so that what is reported stays unbiased (docs/method.md, The audit).

Every request throws its coins before anything is looked at. One coin decides between the order and a random
draw; a random draw is uniform among the scope's actions that were not drawn at random before, labelled or
not. So the set drawn at random depends on no order and on no label, and each action's probability of being in
it is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal

from bswirl.audit.records import AuditedItem, Scope, Turn
from bswirl.errors import UsageError

ORDERS = ("random", "judge-split", "judge-reference", "high-stakes", "depth", "unaudited")
RANDOM_ORDERS = ("random", "depth")  # every request of these is a random draw
REPEAT_GAP = 20  # labels between a step's first showing and its hidden repeat

Way = Literal["repeat", "overlap", "random", "order"]


@dataclass(frozen=True, slots=True)
class Shares:
    """How often a request leaves the order. Raises UsageError outside [0, 1]."""

    random: float = 0.2  # of the requests: a random draw
    repeats: float = 0.05  # a step that the auditor labelled before
    overlap: float = 0.0  # a step that another auditor labelled

    def __post_init__(self) -> None:
        for name in ("random", "repeats", "overlap"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value <= 1):
                raise UsageError(f"{value} is no share of {name}", "shares go from 0 to 1")


def ways(order: str, shares: Shares, rng: Random) -> tuple[Way, ...]:
    """The ways to try for one request, the first that has a step wins; exactly one of the last two is there.

    A repeat and an overlap fall through where there is none; the coin for the random draw is thrown in any
    case.
    """
    if order not in ORDERS:
        raise UsageError(f"`{order}` is no order", f"orders are {', '.join(ORDERS)}")
    repeat, overlap, chance = rng.random(), rng.random(), rng.random()
    found: list[Way] = []
    if repeat < shares.repeats:
        found.append("repeat")
    if overlap < shares.overlap:
        found.append("overlap")
    found.append("random" if order in RANDOM_ORDERS or chance < shares.random else "order")
    return tuple(found)


class Inclusion:
    """Probabilities of having been drawn at random, given the record of all random draws.

    π = 1 − Π (1 − 1/remaining) over the draws whose scope held the action when it was listed. With one
    unchanging scope of N actions and m draws that is m/N.
    """

    def __init__(self, turns: Iterable[Turn] = ()) -> None:
        self._missed: dict[tuple[Scope, int], float] = {}  # by scope and mark: Π (1 − 1/remaining)
        self.turns = 0
        for turn in turns:
            self.add(turn)

    def add(self, turn: Turn) -> None:
        """Takes in one more random draw."""
        key = turn.scope, turn.mark
        self._missed[key] = self._missed.get(key, 1.0) * (1 - 1 / turn.remaining)
        self.turns += 1

    @property
    def newest_mark(self) -> int:
        """The newest verdict that any of the draws knew of."""
        return max((mark for _, mark in self._missed), default=0)

    @property
    def oldest_mark(self) -> int:
        """The newest verdict that all of the draws knew of."""
        return min((mark for _, mark in self._missed), default=0)

    def of(self, item: AuditedItem) -> float:
        """The probability of that action; 0 where no draw could have reached it."""
        if item.mark is None:
            return 0.0
        return self.at(item.dataset, item.depth, item.is_answer, item.mark)

    def at(self, dataset: str, depth: int, is_answer: bool, mark: int) -> float:
        """As `of`, for an action of which that much is known; `mark` is the number of its first verdict."""
        return 1 - math.prod(
            missed
            for (scope, known), missed in self._missed.items()
            if known >= mark and scope.holds(dataset, depth, is_answer)
        )
