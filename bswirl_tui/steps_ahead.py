"""The step to judge and those after it: fetched before they are needed, kept reserved while one is there."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from bswirl.audit.records import AuditItem, AuditNext, AuditPosition
from bswirl.errors import BswirlError
from bswirl_tui.outbox import Ask
from bswirl_tui.votes_cast import Clock, QueueOptions

AHEAD = 5  # steps fetched before they are needed


@dataclass(slots=True)
class Ahead:
    """A step that waits, and when it was reserved."""

    item: AuditItem
    at: float = field(default_factory=lambda: time.monotonic())


class StepsAhead:
    """The part of a sitting that asks for steps. `changed` is called after every change."""

    def __init__(
        self,
        ask: Ask,
        options: QueueOptions,
        position: AuditPosition,
        changed: Callable[[], None],
        now: Callable[[], float],
        seen: Collection[str],
    ) -> None:
        self.options = options
        self.current: AuditItem | None = None  # the step to judge
        self.why = ""  # there is no step
        self.problem: BswirlError | None = None  # why no step came
        self.reason: str | None = None  # of the vote to come
        self.flagged = False
        self.seen = set(seen)  # addresses of questions whose tree was opened: their judges were in sight
        self.clock = Clock(now)
        self.began: float | None = None  # when the first step was shown
        self._ask = ask
        self._changed = changed
        self._ahead: deque[Ahead] = deque()
        self._fetching = False
        self._renewed: set[int] = set()  # actions that were drawn anew while they waited here
        self._reserved: float | None = None  # when the step to judge was; None: not known
        self._key = time.monotonic()  # when the newest was pressed
        self._left_over: set[int] = set()  # draws of an earlier sitting; empty: no more of them wait
        if position.item is not None and position.order == options.order:
            self._left_over.add(position.item.draw_id)
            self._place(position.item)

    def was_voted_on(self, draw_id: int) -> bool:
        """In this sitting."""
        raise NotImplementedError

    # fetching

    def poke(self) -> None:
        """Tries again where no step came, for things may have changed."""
        self.problem = None
        self.why = ""
        self._fill()

    def reorder(self, options: QueueOptions) -> None:
        """Another order from the next step on; what was fetched ahead goes back when its time is over."""
        self.options = options
        self._ahead.clear()
        self._left_over.clear()
        self.poke()
        self._changed()

    def _fill(self) -> None:
        wanted = AHEAD + (self.current is None)
        if self._fetching or self.why or self.problem is not None or len(self._ahead) >= wanted:
            return
        self._fetching = True
        options, client_uid, here = self.options, str(uuid.uuid4()), self._actions_here

        def came(found: AuditNext) -> None:
            self._fetching = False
            if options is not self.options:
                self._fill()
                return
            goes_on = True
            if found.item is None:
                self.why = found.why or "nothing is left"
            elif found.item.detail.action.action_id in here:
                goes_on = self._renew(found.item)
            else:
                self._take(Ahead(found.item))
            self._changed()
            if goes_on:
                self._fill()

        self._ask(client_uid, lambda client: options.ask(client, client_uid), came, self._not_fetched)

    def _not_fetched(self, error: BswirlError) -> None:
        self._fetching = False
        self.problem = error
        self._changed()

    @property
    def _waiting(self) -> list[AuditItem]:
        """The steps that wait here for a vote."""
        here = [self.current] if self.current is not None else []
        return here + [one.item for one in self._ahead]

    @property
    def _known(self) -> set[int]:
        """Their draws."""
        return {item.draw_id for item in self._waiting}

    @property
    def _actions_here(self) -> set[int]:
        """Their actions."""
        return {item.detail.action.action_id for item in self._waiting}

    def is_blind(self, item: AuditItem) -> bool:
        """Whether nothing that a judge said of a step was in sight."""
        return item.blind and not item.revealed and item.detail.question.address not in self.seen

    def gives_away(self, question: str) -> bool:
        """Whether the tree of a question shows the judge of steps that wait here for a blind vote."""
        return any(item.detail.question.address == question and self.is_blind(item) for item in self._waiting)

    def _renew(self, item: AuditItem) -> bool:
        """A step that waits here was drawn anew, for its reservation had ended: the new draw takes its place.

        Where it was voted on meanwhile, it is not asked again. Whether there may be other steps behind it.
        """
        action_id = item.detail.action.action_id
        current = self.current
        if current is not None and current.detail.action.action_id == action_id:
            self.current = dataclasses.replace(item, revealed=item.revealed or current.revealed)
            self._reserved = time.monotonic()
        for place, one in enumerate(self._ahead):
            if one.item.detail.action.action_id == action_id:
                self._ahead[place] = Ahead(item)
        again = action_id in self._renewed
        self._renewed.add(action_id)
        return not again

    def _take(self, ahead: Ahead, *, first: bool = False) -> None:
        if ahead.item.draw_id in self._known:
            return
        if self.current is None:
            self._place(ahead.item, ahead.at)
        elif first:
            self._ahead.appendleft(ahead)
        else:
            self._ahead.append(ahead)

    def _look_for_left_over(self) -> None:
        """Whether the sitting before left another step: those come before new ones."""

        def came(position: AuditPosition) -> None:
            if not self._left_over:
                return
            item = position.item
            if item is None or (item.draw_id in self._known and item.draw_id not in self._left_over):
                self._left_over.clear()  # the oldest open step is one of this sitting
                return
            self._left_over.add(item.draw_id)
            if self.was_voted_on(item.draw_id):
                return  # its vote is on the way
            self._take(Ahead(item), first=True)
            self._changed()

        self._ask(str(uuid.uuid4()), lambda client: client.audit_position(), came, lambda _: None)

    def _place(self, item: AuditItem | None, reserved: float | None = None) -> None:
        """Puts a step before the auditor."""
        self.current, self._reserved = item, reserved
        self.reason, self.flagged = None, False
        if item is None:
            self.clock.stop()
            return
        self.clock.restart()
        if self.began is None:
            self.began = self.clock.now()

    def _next(self) -> None:
        """The next step that is still reserved for this auditor."""
        oldest = time.monotonic() - 60 * self.options.reserve_minutes
        while self._ahead and self._ahead[0].at < oldest:
            self._ahead.popleft()
        following = self._ahead.popleft() if self._ahead else None
        if following is None:
            self._place(None)
        else:
            self._place(following.item, following.at)
        self._fill()

    def _show_again(self, item: AuditItem) -> None:
        """Puts a step before the auditor again; the one that is there comes after it."""
        if self.current is not None:
            reserved = time.monotonic() if self._reserved is None else self._reserved
            self._ahead.appendleft(Ahead(self.current, reserved))
        self._place(item)

    # keeping the step

    def key_pressed(self) -> None:
        """Its auditor is there."""
        self._key = time.monotonic()
        self.keep_step()

    def keep_step(self) -> None:
        """Reserves the step on screen anew where half the time is over and there was a key within its length.

        Whether somebody else was given it meanwhile is nothing to interrupt the auditor for.
        """
        now, length = time.monotonic(), 60 * self.options.reserve_minutes
        item = self.current
        fresh = self._reserved is not None and now - self._reserved < length / 2
        if item is None or fresh or now - self._key > length:
            return
        self._reserved = now
        minutes = self.options.reserve_minutes
        self._ask("keep", lambda client: client.audit_keep(item, minutes), lambda _: None, lambda _: None)
