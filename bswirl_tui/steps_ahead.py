"""The step to judge and those after it: fetched before they are needed, kept reserved while one is there."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from bswirl.audit.records import AuditItem, AuditNext, AuditPosition
from bswirl.errors import BswirlError
from bswirl_tui.outbox import Ask
from bswirl_tui.votes_cast import NOTHING_KEPT, Clock, Draft, QueueOptions

AHEAD = 5  # steps fetched before they are needed


@dataclass(slots=True)
class Ahead:
    """A step that waits, and when it was reserved."""

    item: AuditItem
    at: float = field(default_factory=lambda: time.monotonic())
    draft: Draft = NOTHING_KEPT


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
        keep_seen: Callable[[str], None],
    ) -> None:
        self.options = options
        self.current: AuditItem | None = None  # the step to judge
        self.why = ""  # there is no step
        self.problem: BswirlError | None = None  # why no step came
        self.draft = NOTHING_KEPT  # of the vote to come
        self.seen = set(seen)  # addresses of questions whose tree was opened: their judges were in sight
        self._keep_seen = keep_seen
        self.clock = Clock(now)
        self.began: float | None = None  # when the first step was shown
        self._ask = ask
        self._changed = changed
        self._ahead: deque[Ahead] = deque()
        self._fetching = False
        self._renewed: set[int] = set()  # actions that were drawn anew while they waited here
        self._reserved: float | None = None  # when the step to judge was; None: not known
        self._key = time.monotonic()  # when the newest was pressed
        item = position.item
        if item is not None and position.order == options.order and options.fits(item):
            self._place(item)

    @property
    def _on_the_way(self) -> list[AuditItem]:
        """Steps whose vote has not reached the record."""
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
        self.poke()
        self._changed()

    def _fill(self) -> None:
        wanted = AHEAD + (self.current is None)
        if self._fetching or self.why or self.problem is not None or len(self._ahead) >= wanted:
            return
        self._fetching = True
        options, client_uid = self.options, str(uuid.uuid4())
        draws = [item.draw_id for item in self._waiting + self._on_the_way]

        def came(found: AuditNext) -> None:
            self._fetching = False
            if options is not self.options:
                self._fill()
                return
            goes_on = True
            if found.item is None:
                self.why = found.why or "nothing is left"
            elif _is_among(found.item, self._waiting + self._on_the_way):
                goes_on = self._renew(found.item)
            else:
                self._take(Ahead(found.item))
            self._changed()
            if goes_on:
                self._fill()

        self._ask(client_uid, lambda client: options.ask(client, client_uid, draws), came, self._not_fetched)

    def _not_fetched(self, error: BswirlError) -> None:
        self._fetching = False
        self.problem = error
        self._changed()

    @property
    def _waiting(self) -> list[AuditItem]:
        """The steps that wait here for a vote."""
        here = [self.current] if self.current is not None else []
        return here + [one.item for one in self._ahead]

    def is_blind(self, item: AuditItem) -> bool:
        """Whether nothing that a judge said of a step was in sight."""
        return item.blind and not item.revealed and item.detail.question.address not in self.seen

    def saw(self, question: str) -> None:
        """The tree of a question was opened, with what the judge said: so for good, whatever happens next."""
        self.seen.add(question)
        self._keep_seen(question)

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
                self._ahead[place] = Ahead(item, draft=one.draft)
        again = action_id in self._renewed
        self._renewed.add(action_id)
        return not again

    def _take(self, ahead: Ahead) -> None:
        if self.current is None:
            self._place(ahead.item, ahead.at, ahead.draft)
        else:
            self._ahead.append(ahead)

    def _place(
        self, item: AuditItem | None, reserved: float | None = None, draft: Draft = NOTHING_KEPT
    ) -> None:
        """Puts a step before the auditor, with what was kept of it."""
        self.current, self._reserved, self.draft = item, reserved, draft
        if item is None:
            self.clock.stop()
            return
        self.clock.restart(draft.seconds)
        if self.began is None:
            self.began = self.clock.now()

    def _next(self) -> None:
        """The next step. Where it is not reserved any more, all are asked for again, in their order."""
        oldest = time.monotonic() - 60 * self.options.reserve_minutes
        if self._ahead and self._ahead[0].at < oldest:
            self._ahead.clear()
        following = self._ahead.popleft() if self._ahead else None
        if following is None:
            self._place(None)
        else:
            self._place(following.item, following.at, following.draft)
        self._fill()

    def _show_again(self, item: AuditItem, draft: Draft) -> None:
        """Puts a step before the auditor again; the one that is there comes after it, as it was left.

        Where that step was drawn anew meanwhile and waits, it is not asked twice.
        """
        for one in [one for one in self._ahead if _is_among(item, [one.item])]:
            self._ahead.remove(one)
        if self.current is not None:
            reserved = time.monotonic() if self._reserved is None else self._reserved
            kept = dataclasses.replace(self.draft, seconds=self.clock.seconds)
            self._ahead.appendleft(Ahead(self.current, reserved, kept))
        self._place(item, draft=draft)

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


def _is_among(item: AuditItem, others: Sequence[AuditItem]) -> bool:
    """Whether it is the step of one of them, by whatever draw."""
    return item.detail.action.action_id in {other.detail.action.action_id for other in others}
