"""Drawing one step for an auditor, inside the writer's transaction, so that no two are given the same."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bswirl.audit.records import DECIDED, Scope, Turn
from bswirl.audit.sampling import RANDOM_ORDERS, REPEAT_GAP, Inclusion, Shares, Way
from bswirl.owner.keeping import Keeping
from bswirl.store.audit_orders import Frame, Head
from bswirl.store.database import Cursor, utc_now
from bswirl.store.draws import (
    Draw,
    add_draw,
    asked_for,
    describe,
    drawn_and_waiting,
    draws_by_uid,
    first_verdict,
    overlappable,
    repeatable,
    standing_of_action,
)
from bswirl.store.writing import StoreWriter

_PICKS = 200  # before the free ones of a frame are listed
_NAMESPACE = uuid.UUID("8f5f0c5e-2b0e-4a39-9a5e-1b7c1b2d8c11")


@dataclass(frozen=True, slots=True)
class Request:
    """What an auditor asked for; `ways` were thrown before anything was looked at."""

    client_uid: str
    auditor: str
    peer_uid: int
    order: str
    scope: Scope
    shares: Shares
    blind: bool
    reserve: timedelta
    ways: tuple[Way, ...]

    @property
    def asked(self) -> tuple[str, Scope, bool]:
        """As of a draw."""
        return asked_for(self.order, self.scope, self.blind)


@dataclass(slots=True)
class Tables:
    """What is kept in memory for drawing; the store has the last word on every candidate."""

    frame: Frame
    head: Head
    drawn: dict[Scope, dict[int, int]]  # at random, by scope, with their depths; also later than the frame
    inclusion: Inclusion  # of all random draws
    busy: set[int]  # labelled or with somebody; may be out of date
    keeping: Keeping


class Drawing:
    """One request being answered."""

    def __init__(self, store: StoreWriter, request: Request, tables: Tables, rng: Random) -> None:
        self._store = store
        self._cursor: Cursor = store.cursor
        self._request = request
        self._tables = tables
        self._rng = rng
        self._now: datetime = utc_now()
        self._kept = tables.keeping.actions(self._now)
        self._has_met = False  # this request made its random draw before, in an attempt that was cut short

    def draw(self) -> Draw | None:
        """The step to show, kept in the record; None where the order has none."""
        known = draws_by_uid(self._cursor, self._request.client_uid, self._met_uid())
        if shown := [draw for draw in known if not draw.met]:
            return shown[0]
        self._has_met = bool(known)
        for way in self._request.ways:
            found = {
                "repeat": self._repeat,
                "overlap": self._overlap,
                "random": self._random,
                "order": self._ordered,
            }[way]()
            if found is not None:
                return found
        return self._ordered() if self._request.ways[-1] == "random" else None

    def _repeat(self) -> Draw | None:
        """One of the auditor's own, uniformly. Nothing in how it is shown tells it from others."""
        old = repeatable(self._cursor, self._request.auditor, self._request.scope, REPEAT_GAP)
        if not old:
            return None
        action_id, question_id, uid = self._rng.choice(old)
        return self._keep(action_id, question_id, "repeat", repeats=uid)

    def _overlap(self) -> Draw | None:
        auditor = self._request.auditor
        mine = self._tables.keeping.of(auditor, self._now)
        found = overlappable(self._cursor, auditor, self._request.scope, self._now)
        others = [(action_id, question_id) for action_id, question_id in found if action_id not in mine]
        return self._keep(*self._rng.choice(others), "overlap") if others else None

    def _random(self) -> Draw | None:
        """A random draw; None where it met a step that needs no showing, or all were drawn."""
        if self._has_met:
            return None
        waiting = drawn_and_waiting(
            self._cursor, self._request.scope, self._now, self._kept, each_depth=self._is_by_depth
        )
        if waiting is not None:
            action_id, question_id, scope = waiting
            return self._keep(action_id, question_id, "random", scope=scope, again=True)
        scope = self._random_scope()
        frame, drawn = self._tables.frame.at(scope.depth), self._tables.drawn[scope]
        remaining = len(frame) - frame.count(drawn)
        if remaining <= 0:
            return None
        action_id = self._pick(frame, drawn)
        question_id, dataset, depth, is_answer = describe(self._cursor, action_id)
        standing = standing_of_action(self._cursor, action_id, question_id, self._now)
        met = (
            self._request.auditor in standing.words
            or any(word in DECIDED for word in standing.words.values())
            or standing.reserved
            or action_id in self._kept
        )
        drawn[action_id] = depth
        inclusion = self._tables.inclusion
        inclusion.add(Turn(scope, frame.mark, remaining))
        one_list = inclusion.oldest_mark == inclusion.newest_mark
        mark = frame.mark if one_list else first_verdict(self._cursor, action_id, question_id)
        kept = self._keep(
            action_id,
            question_id,
            "random",
            scope=scope,
            met=met,
            client_uid=self._met_uid() if met else self._request.client_uid,
            mark=frame.mark,
            remaining=remaining,
            inclusion=inclusion.at(dataset, depth, is_answer, mark),
        )
        return None if met else kept

    def _ordered(self) -> Draw | None:
        """The best that is free; for an order of random draws any that is free, outside the sample."""
        if self._request.order in RANDOM_ORDERS:
            return self._any_free()
        for candidate in self._tables.head.candidates:
            if candidate.action_id not in self._tables.busy:
                if self._is_free(candidate.action_id, candidate.question_id):
                    return self._keep(
                        candidate.action_id, candidate.question_id, "order", score=candidate.score
                    )
                self._tables.busy.add(candidate.action_id)
        return None

    def _any_free(self) -> Draw | None:
        frame, busy = self._tables.frame, self._tables.busy
        while len(frame) and (action_id := self._pick_free(frame, busy)) is not None:
            question_id = describe(self._cursor, action_id)[0]
            if self._is_free(action_id, question_id):
                return self._keep(action_id, question_id, "order")
            busy.add(action_id)
        return None

    def _pick_free(self, frame: Frame, busy: set[int]) -> int | None:
        for _ in range(_PICKS):
            action_id = frame.pick(self._rng)
            if action_id not in busy:
                return action_id
        free = [action_id for action_id in frame if action_id not in busy]
        return self._rng.choice(free) if free else None

    def _pick(self, frame: Frame, drawn: Collection[int]) -> int:
        """Uniform among those of the frame that were not drawn; there is one."""
        for _ in range(_PICKS):
            action_id = frame.pick(self._rng)
            if action_id not in drawn:
                return action_id
        return self._rng.choice([action_id for action_id in frame if action_id not in drawn])

    def _random_scope(self) -> Scope:
        """The request's scope; by depth, the one of its depths with the fewest random draws so far."""
        scope, frame = self._request.scope, self._tables.frame
        if not self._is_by_depth:
            return scope
        left = []
        for depth, actions in frame.by_depth.items():
            one = dataclasses.replace(scope, depth=depth)
            drawn = self._tables.drawn[one]
            if frame.count(drawn) < len(actions):
                left.append((len(drawn), depth, one))
        return min(left)[-1] if left else scope

    @property
    def _is_by_depth(self) -> bool:
        """Whether random draws are made within one depth each."""
        return self._request.order == "depth" and self._request.scope.depth is None

    def _is_free(self, action_id: int, question_id: int) -> bool:
        standing = standing_of_action(self._cursor, action_id, question_id, self._now)
        return standing.is_free and action_id not in self._kept

    def _met_uid(self) -> str:
        """The uid of the random draw that a request made without showing it."""
        return str(uuid.uuid5(_NAMESPACE, self._request.client_uid))

    def _keep(self, action_id: int, question_id: int, way: str, **more: Any) -> Draw:
        request = self._request
        facts: dict[str, Any] = {
            "client_uid": request.client_uid,
            "scope": request.scope,
            "blind": request.blind,
            **more,
        }
        draw = Draw(
            auditor=request.auditor,
            action_id=action_id,
            question_id=question_id,
            order_name=request.order,
            way=way,
            shown_at=self._now,
            expires_at=self._now + request.reserve,
            random_share=1.0 if request.order in RANDOM_ORDERS else request.shares.random,
            peer_uid=request.peer_uid,
            **facts,
        )
        if not draw.met:
            self._tables.busy.add(action_id)
        return add_draw(self._store, draw)
