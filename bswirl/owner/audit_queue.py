"""The audit queue's memory: heads of orders and lists to draw from, read beside the writer, kept warm."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from random import Random, SystemRandom
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from bswirl.audit.records import Judged, Scope
from bswirl.audit.sampling import RANDOM_ORDERS, Inclusion
from bswirl.owner.drawing import Drawing, Request, Tables
from bswirl.owner.keeping import Keeping
from bswirl.owner.writer import WriterThread
from bswirl.store.audit_orders import Frame, Head, newest_marks, read_frame, read_head
from bswirl.store.audit_record import read_judged
from bswirl.store.database import Cursor, utc_now
from bswirl.store.draws import (
    Draw,
    busy_actions,
    drawn_at_random,
    find_draw,
    is_with_another,
    random_draws,
    random_turns,
)
from bswirl.store.writing import StoreWriter

if TYPE_CHECKING:
    from bswirl.owner.session import Session

REFRESH_SECONDS = 30.0  # how old a head may be before news makes it stale

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Read:
    """A head or a frame with what was the newest verdict and label, when it was read and how long it took."""

    what: Head | Frame
    marks: tuple[int, int]
    at: float
    seconds: float

    @property
    def is_old(self) -> bool:
        """Whether it is time to look for news: not more than a twentieth of the time goes into reading."""
        return time.monotonic() - self.at > max(REFRESH_SECONDS, 20 * self.seconds)


class AuditQueue:
    """Answers requests for the next step. For any thread."""

    def __init__(self, cursor: Cursor, writer: WriterThread, rng: Random | None = None) -> None:
        self._cursor = cursor
        self._writer = writer
        self._rng = rng or SystemRandom()
        self._reading = threading.Lock()  # of the cursor
        self._frames: dict[Scope, _Read] = {}
        self._heads: dict[tuple[str, Scope], _Read] = {}
        self._drawn: dict[Scope, dict[int, int]] = {}
        self._inclusion = Inclusion()
        self._busy: set[int] = set()
        self._judged: tuple[int, tuple[Judged, ...]] | None = None  # with what was the newest verdict
        self._refreshing = threading.Event()
        self.keeping = Keeping()
        self.held: WeakValueDictionary[int, Session] = WeakValueDictionary()  # who has which draw
        self.left_overs: dict[str, int] = {}  # draws given a second time, by the uid of the request
        self._holding = threading.Lock()

    def next(self, request: Request) -> tuple[Draw | None, str]:
        """A step, or why there is none. What is known is read again before it says so."""
        began = time.monotonic()
        draw = self._draw(request, self._tables(request))
        if draw is None:
            self._read(request, since=began)
            draw = self._draw(request, self._tables(request))
        if draw is None:
            tables = self._tables(request)
            return None, _why(request, tables)
        self._refresh_later(request)
        return draw, ""

    def judged(self, cursor: Cursor) -> tuple[Judged, ...]:
        """How many actions the judges have judged; counted anew where verdicts came since."""
        mark = newest_marks(cursor)[0]
        known = self._judged
        if known is None or known[0] != mark:
            known = self._judged = (mark, read_judged(cursor))
        return known[1]

    def hold(self, draw_id: int, session: Session) -> bool:
        """Gives a draw to a connection; False where another living one has it."""
        with self._holding:
            return self.held.setdefault(draw_id, session) is session

    def keep(self, draw_id: int, auditor: str, reserve: timedelta) -> bool:
        """Reserves a step for that much longer; False where somebody else has been given it.

        Raises InputError where it was never that auditor's.
        """

        def work(store: StoreWriter) -> bool:
            draw, now = find_draw(store.cursor, draw_id, auditor), utc_now()
            if draw.action_id in self.keeping.actions(now, but=draw.auditor):
                return False
            if is_with_another(store.cursor, draw, now):
                return False
            self.keeping.keep(draw, now, now + reserve)
            return True

        return self._writer.write(work)

    def _draw(self, request: Request, tables: Tables) -> Draw | None:
        def work(store: StoreWriter) -> Draw | None:
            self._check_drawn(store.cursor, request.scope, tables)
            return Drawing(store, request, tables, self._rng).draw()

        return self._writer.write(work)

    def _check_drawn(self, cursor: Cursor, scope: Scope, tables: Tables) -> None:
        """Reads again who was drawn where memory and store differ, as after a transaction that failed."""
        made = random_draws(cursor)
        if tables.inclusion.turns != sum(made.values()):
            self._inclusion = tables.inclusion = Inclusion(random_turns(cursor))
        for depth in (scope.depth, *tables.frame.by_depth):
            one = dataclasses.replace(scope, depth=depth)
            if one not in tables.drawn or len(tables.drawn[one]) != made.get(one, 0):
                tables.drawn[one] = drawn_at_random(cursor, one) if one in made else {}

    def _tables(self, request: Request) -> Tables:
        if not self._is_known(request):
            self._read(request)
        frame = self._frames[request.scope].what
        head = self._heads.get((request.order, request.scope))
        return Tables(
            frame if isinstance(frame, Frame) else Frame(0, {}),
            head.what if head is not None and isinstance(head.what, Head) else Head(()),
            self._drawn,
            self._inclusion,
            self._busy,
            self.keeping,
        )

    def _is_known(self, request: Request) -> bool:
        ordered = request.order not in RANDOM_ORDERS
        return request.scope in self._frames and (
            not ordered or (request.order, request.scope) in self._heads
        )

    def _read(self, request: Request, since: float | None = None) -> None:
        """Reads anew what a request draws from, unless another thread did so after `since`."""
        with self._reading:
            began = time.monotonic()
            if since is None and self._is_known(request):
                return
            marks = newest_marks(self._cursor)
            frame = self._frames.get(request.scope)
            if frame is None or frame.marks[0] != marks[0]:
                found = read_frame(self._cursor, request.scope)
                self._frames[request.scope] = _Read(found, marks, began, time.monotonic() - began)
            key = request.order, request.scope
            if request.order not in RANDOM_ORDERS and (
                key not in self._heads or self._heads[key].at < (since or began)
            ):
                head = read_head(self._cursor, *key, utc_now())
                self._heads[key] = _Read(head, marks, began, time.monotonic() - began)
            now = utc_now()
            self._busy = busy_actions(self._cursor, now) | self.keeping.actions(now)

    def _refresh_later(self, request: Request) -> None:
        """Reads anew on a thread of its own where there may be news, or the head runs low."""
        if self._refreshing.is_set() or not self._is_stale(request):
            return
        self._refreshing.set()
        threading.Thread(target=self._refresh, args=[request], name="audit queue", daemon=True).start()

    def _is_stale(self, request: Request) -> bool:
        read = self._heads.get((request.order, request.scope), self._frames[request.scope])
        if isinstance(read.what, Head) and time.monotonic() - read.at > 20 * read.seconds:
            candidates = read.what.candidates
            left = sum(candidate.action_id not in self._busy for candidate in candidates)
            if 2 * left < len(candidates):
                return True
        return read.is_old

    def _refresh(self, request: Request) -> None:
        try:
            self._read(request, since=time.monotonic())
        except Exception:  # noqa: BLE001 - what is known still serves
            _log.exception("the audit queue could not be refreshed")
        finally:
            self._refreshing.clear()


def _why(request: Request, tables: Tables) -> str:
    """Why there is no step."""
    if not len(tables.frame):
        return "no step there has a verdict yet; `bswirl judge` makes some"
    if len(tables.busy.intersection(tables.frame)) == len(tables.frame):
        return "every judged step there has a label or is with somebody"
    return tables.head.why or f"nothing is left in the order `{request.order}`"
