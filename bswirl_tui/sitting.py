"""One auditor's sitting at the queue: votes cast, and what a key takes back or changes."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from bswirl.audit.records import AuditItem, AuditPosition, AuditUndo, AuditVote
from bswirl.errors import BswirlError
from bswirl_tui import actions
from bswirl_tui.outbox import Ask, Letter, Outbox
from bswirl_tui.steps_ahead import Ahead, StepsAhead
from bswirl_tui.votes_cast import Cast, Draft, Entry, QueueOptions

if TYPE_CHECKING:
    from bswirl.client import Client

RATE_SECONDS = 30.0  # before which a rate an hour says nothing
AHEAD_SECONDS = 0.5  # keys that close behind one that found no step were keyed before the step could be seen
ON_ITS_WAY = "The step you took back is on its way: the key was not taken."

_REWINDING = object()  # what the letter that takes back an earlier sitting's label is about
_VOTING = ("audit.good", "audit.bad", "audit.unsure", "audit.undo")


class Sitting(StepsAhead):
    """Keeps what the screen shows. `changed` is called after every change, `said` with words for people."""

    def __init__(
        self,
        ask: Ask,
        options: QueueOptions,
        position: AuditPosition,
        *,
        changed: Callable[[], None],
        failed: Callable[[BswirlError], None],
        said: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
        seen: Collection[str] = (),
        keep_seen: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(ask, options, position, changed, now, seen, keep_seen)
        self.entries: list[Entry] = []  # by their first vote
        self.looked_at: Entry | None = None  # a step that was voted on, shown again
        self.advance = True
        self.rewinding = False  # a step of an earlier sitting is on its way back
        self.outbox = Outbox(ask, changed, failed)
        self._said = said
        self._refused: float | None = None  # when a key found no step on screen
        self._casts: list[tuple[Entry, Cast]] = []  # in the order they were keyed
        self.before = position  # where the auditor was when the sitting began
        self._fill()

    # what is going on

    @property
    def shown(self) -> AuditItem | None:
        """The step on screen."""
        return self.looked_at.item if self.looked_at is not None else self.current

    def is_at(self, item: AuditItem) -> bool:
        """Whether that step is still on screen, though it may have been drawn anew."""
        shown = self.shown
        return shown is not None and shown.detail.action.action_id == item.detail.action.action_id

    @property
    def _on_the_way(self) -> list[AuditItem]:
        return [entry.item for entry in self.entries if entry.reveal is None]

    @property
    def labelled(self) -> int:
        """Steps voted on in this sitting, skipped ones left out."""
        return sum(entry.now.value != "skip" for entry in self.entries)

    @property
    def an_hour(self) -> float | None:
        """Labels an hour since the sitting's first step was shown; None while that is too short to say."""
        elapsed = self.clock.now() - self.began if self.began is not None else 0.0
        return 3600 * self.labelled / elapsed if elapsed >= RATE_SECONDS else None

    @property
    def reveals(self) -> tuple[int, int]:
        """Of how many blind votes the judge was shown, and how many of them that turned; earlier ones too."""
        return (
            self.before.reveals + sum(entry.revealed for entry in self.entries),
            self.before.turned + sum(entry.turned for entry in self.entries),
        )

    # voting

    def takes(self) -> bool:
        """Whether a key can be about a step: one is on screen, and was before the key was on its way.

        Of keys typed ahead, those after one that found no step are refused with it: a step that comes among
        them was not seen by whoever keyed them.
        """
        if self.rewinding:
            self._said(ON_ITS_WAY)
            return False
        now = self.clock.now()
        typed_ahead = self._refused is not None and now - self._refused < AHEAD_SECONDS
        if self.looked_at is not None or (self.current is not None and not typed_ahead):
            return True
        self._refused = now
        self._said("No step was on screen yet: the key was not taken.")
        return False

    def vote(self, value: str) -> bool:
        """Votes on the step on screen; a second vote where it was voted on already. Whether it was taken."""
        if not self.takes():
            return False
        if self.looked_at is not None:
            if value == "skip":
                good, bad, unsure, undo = actions.keys_of(*_VOTING)
                self._said(f"A skip is not taken here: {good}, {bad} or {unsure} votes anew, {undo} undoes.")
                return False
            before = self.looked_at.now
            reason = before.reason if value == before.value else None  # it was one for the other vote
            self._change(self.looked_at, Cast(value, reason, before.flagged))
            if self.advance:
                self.go_on()
            return True
        if self.current is None:
            return False
        self._answer(self.current, Cast(value, self.draft.reason_for(value), self.draft.flagged))
        return True

    def label(self, action_id: int, value: str, reason: str | None) -> bool:
        """Takes a label set in the tree as the vote on that step, where the queue asked or asks about it.

        Its judge was in sight there. Whether it was taken.
        """
        item = self.current
        if item is not None and item.detail.action.action_id == action_id:
            self.saw(item.detail.question.address)
            self._answer(item, Cast(value, reason or self.draft.reason_for(value), self.draft.flagged))
            self.clock.stop()  # the queue is not in sight
            return True
        for one in self._ahead:
            if one.item.detail.action.action_id == action_id:
                self._answer_ahead(one, value, reason)
                return True
        for entry in reversed(self.entries):
            if entry.item.detail.action.action_id == action_id:
                self._change(entry, Cast(value, reason, entry.now.flagged))
                return True
        return False

    def _answer(self, item: AuditItem, cast: Cast) -> None:
        """Casts the first vote on the step to judge, and goes on."""
        self.clock.stop()
        entry = Entry(item, [cast], self.is_blind(item))
        self.entries.append(entry)
        self._send(entry, cast, seconds=round(self.clock.seconds, 3))
        self._next()
        if not self.advance:
            self.look_at(entry)
        self._changed()

    def _answer_ahead(self, one: Ahead, value: str, reason: str | None) -> None:
        """Casts the vote on a step that is fetched and not shown yet; the one to judge stays."""
        self._ahead.remove(one)
        self.saw(one.item.detail.question.address)
        cast = Cast(value, reason or one.draft.reason_for(value), one.draft.flagged)
        entry = Entry(one.item, [cast], self.is_blind(one.item))
        self.entries.append(entry)
        self._send(entry, cast, seconds=None)
        self._fill()
        self._changed()

    def give_reason(self, reason: str | None) -> None:
        """Why: kept for the vote to come, or on a step that was voted on said with the vote again."""
        if self.looked_at is None:
            self.draft = dataclasses.replace(self.draft, reason=reason, about=None)
        else:
            now = self.looked_at.now
            self._change(self.looked_at, Cast(now.value, reason, now.flagged))
        self._changed()

    def flag(self) -> None:
        """Sets the flag of the step on screen, or takes it."""
        if self.looked_at is None:
            self.draft = dataclasses.replace(self.draft, flagged=not self.draft.flagged)
        else:
            now = self.looked_at.now
            self._change(self.looked_at, Cast(now.value, now.reason, not now.flagged))
        self._changed()

    def _change(self, entry: Entry, cast: Cast) -> None:
        entry.casts.append(cast)
        self._send(entry, cast, seconds=None)
        self._changed()

    def _send(self, entry: Entry, cast: Cast, *, seconds: float | None) -> None:
        item = entry.item
        seen = item.detail.question.address in self.seen
        self._casts.append((entry, cast))

        def work(client: Client) -> AuditVote:
            return client.audit_label(
                item,
                cast.value,
                reason=cast.reason,
                flagged=cast.flagged,
                seconds=seconds,
                seen=seen,
                client_uid=cast.client_uid,
            )

        def done(vote: AuditVote) -> None:
            entry.reveal = vote

        words = f"your {vote_words(cast.value)} on action {item.detail.action.action_id}"
        self.outbox.add(Letter(words, work, done, cast, cast.client_uid))

    def give_up(self) -> None:
        """Drops the vote that the owner would not take."""
        for letter in self.outbox.drop():
            if letter.about is _REWINDING:
                self.rewinding = False
            for entry, cast in list(self._casts):
                if cast is letter.about:
                    self._forget(entry, cast)
        self._changed()

    def _forget(self, entry: Entry, cast: Cast) -> None:
        self._casts = [pair for pair in self._casts if pair[1] is not cast]
        entry.casts = [one for one in entry.casts if one is not cast]
        if not entry.casts:
            self.entries.remove(entry)
            self.looked_at = None if self.looked_at is entry else self.looked_at

    # looking back

    def look_at(self, entry: Entry) -> None:
        """Shows a step that was voted on, to change the vote."""
        self.clock.stop()
        self.looked_at = entry
        self._changed()

    def look_back(self) -> None:
        """One step further back among those voted on in this sitting."""
        place = len(self.entries) if self.looked_at is None else self.entries.index(self.looked_at)
        if place == 0:
            self._said("No vote of this sitting is further back.")
        else:
            self.look_at(self.entries[place - 1])

    def go_on(self) -> None:
        """Back to the step to judge."""
        if self.looked_at is not None:
            self.looked_at = None
            if self.current is not None:
                self.clock.go()
            self._changed()
        elif self.current is None:
            self.poke()

    # taking back

    def undo(self) -> None:
        """Takes the newest vote back. Its step is shown again; of a changed vote the one before stands."""
        if self.rewinding:
            self._said(ON_ITS_WAY)
            return
        if not self._casts:
            self._undo_earlier()
            return
        entry, cast = self._casts[-1]
        action_id, client_uid = entry.item.detail.action.action_id, str(uuid.uuid4())
        self.outbox.add(
            Letter(
                f"taking back your vote on action {action_id}",
                lambda client: client.set_label(
                    action_id, "withdrawn", withdraws=cast.client_uid, client_uid=client_uid
                ),
                lambda _: None,
                cast,
                client_uid,
            )
        )
        self._take_back(entry, cast)
        if entry.casts:
            self._said(f"Your {vote_words(entry.now.value)} on action {action_id} stands again.")
        else:
            self._said(f"Took back your {vote_words(cast.value)}.")

    def withdrawn(self, client_uid: str) -> None:
        """A label was taken back in the tree: where it was a vote of this sitting, it is one no more."""
        for entry, cast in self._casts:
            if cast.client_uid == client_uid:
                self._take_back(entry, cast)
                self.clock.stop()
                return

    def _take_back(self, entry: Entry, cast: Cast) -> None:
        """The vote before stands again; where there was none, the step is shown again."""
        self._forget(entry, cast)
        if not entry.casts:
            self.looked_at = None
            item = dataclasses.replace(entry.item, revealed=True)  # its next vote is not blind
            self._show_again(item, Draft.of(cast))
        self._changed()

    def _undo_earlier(self) -> None:
        """The newest label before this sitting; only the owner knows which."""
        client_uid = str(uuid.uuid4())
        self.rewinding = True

        def done(result: tuple[AuditUndo | None, AuditPosition]) -> None:
            self.rewinding = False
            undone, self.before = result
            if undone is None:
                self._said("You have no label left to take back.")
            elif undone.item is None:
                where = f"action {undone.label.action_id}"
                self._said(f"Took back your label {undone.label.value} on {where}, set outside the queue.")
            else:
                self._show_again(undone.item, Draft.of(undone.label))
                self._said(f"Took back your {vote_words(undone.label.value)}, of an earlier sitting.")

        def work(client: Client) -> tuple[AuditUndo | None, AuditPosition]:
            return client.audit_undo(client_uid=client_uid), client.audit_position()

        self.outbox.add(Letter("taking back your newest label", work, done, _REWINDING, client_uid))
        self._changed()


def vote_words(value: str) -> str:
    """A vote as part of a sentence: `vote 1`, `skip`."""
    return value if value == "skip" else f"vote {value}"


def ask_of(request: Callable[..., Any], node: Any) -> Ask:
    """The queue's own way to the owner: calls in a lane of their own, in order."""

    def ask(
        key: str,
        work: Callable[[Client], Any],
        done: Callable[[Any], None],
        failed: Callable[[BswirlError], None],
    ) -> None:
        request(node, key, work, done, failed=failed, lane="audit")

    return ask
