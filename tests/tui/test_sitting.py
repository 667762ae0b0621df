"""Sittings over a line that loses requests and replies: the record against a plain list of what was keyed."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bswirl.audit.records import AuditNext
from bswirl.errors import BswirlError, InputError
from bswirl.owner import audit, audit_queue, drawing, methods_write
from bswirl.owner.keeping import Keeping
from bswirl.store.database import utc_now
from bswirl.store.fields import Fields
from bswirl_tui import steps_ahead
from bswirl_tui.audit_text import headline, reveal_paragraphs
from bswirl_tui.sitting import Sitting
from bswirl_tui.themes import _PALETTES, DARK
from bswirl_tui.votes_cast import QueueOptions
from tests.owner.auditing import desk_on, grow, judge_all
from tests.store.kit import Kit, kit_in, memory_folder

COLOURS = _PALETTES[DARK]
LOST = 0.1  # of the requests, and again of the replies
Keyed = tuple[str, int, str, str | None, bool]
KEYS = ("1", "0", "unsure", "skip")


class Peer:
    """A client whose calls go to the owner's methods directly."""

    def __init__(self, owner: Any, auditor: str, cursor: Any) -> None:
        self.owner, self.auditor, self.cursor, self.peer_uid = owner, auditor, cursor, 0

    def _call(self, method: Callable[..., Any], **params: Any) -> Any:
        return method(self, Fields(params))

    def audit_next(self, order: str, **params: Any) -> Any:
        return self._call(audit.audit_next, order=order, **params)

    def audit_keep(self, item: Any, reserve_minutes: float) -> Any:
        return self._call(audit.audit_keep, draw_id=item.draw_id, reserve_minutes=reserve_minutes)

    def audit_label(self, item: Any, value: str, **params: Any) -> Any:
        return self._call(audit.audit_label, draw_id=item.draw_id, value=value, **params)

    def audit_undo(self, **params: Any) -> Any:
        return self._call(audit.audit_undo, **params)

    def audit_position(self) -> Any:
        return self._call(audit.audit_position)

    def set_label(self, action_id: int, value: str, **params: Any) -> Any:
        return self._call(methods_write._label_set, action_id=action_id, value=value, **params)


class Person:
    """An auditor at the keys, and what they keyed that stands."""

    def __init__(self, peer: Peer, rng: random.Random) -> None:
        self.peer, self.rng = peer, rng
        self.keyed: list[Keyed] = []
        self.changes = 0  # votes and withdrawals
        self.seconds, self.each_key = 0.0, 1.0
        self.begin()

    def begin(self, options: QueueOptions | None = None) -> None:
        """A new sitting, where the one before stopped."""
        self.waiting: list[tuple[Any, Any, Any]] = []
        position = self.peer.audit_position()
        nothing: Callable[[Any], None] = lambda _: None  # noqa: E731
        options = options or QueueOptions(self.rng.choice(("random", "unaudited")), overlap=0.3, repeats=0.2)

        def ask(key: str, work: Any, done: Any, failed: Any) -> None:
            self.waiting.append((work, done, failed))

        self.said: list[str] = []
        self.kept_seen: list[str] = []
        self.sitting = Sitting(
            ask,
            options,
            position,
            changed=lambda: None,
            failed=nothing,
            said=self.said.append,
            now=self.now,
            keep_seen=self.kept_seen.append,
        )

    def now(self) -> float:
        """Keys are a second from each other, or as far as a test says."""
        self.seconds += self.each_key
        return self.seconds

    def deliver(self, *, lost: float = LOST) -> None:
        """One call goes its way, or is lost before or after the owner heard of it."""
        work, done, failed = self.waiting.pop(0)
        chance = self.rng.random()
        if chance >= lost:
            result = work(self.peer)
        if chance < 2 * lost:
            failed(BswirlError("the line broke", "again"))
        else:
            done(result)

    def settle(self) -> None:
        """Everything is acknowledged."""
        while self.waiting or len(self.sitting.outbox):
            self.go_on()
            if self.waiting:
                self.deliver(lost=0)

    def go_on(self) -> None:
        if self.sitting.outbox.problem is not None:
            self.sitting.outbox.again()
        if self.sitting.problem is not None:
            self.sitting.poke()

    def key(self, name: str) -> None:
        """One of the keys; what it cast is noted."""
        known = len(self.sitting._casts)
        match name:
            case "vote":
                self.sitting.vote(self.rng.choice(KEYS))
            case "look back":
                self.sitting.look_back()
            case "flag":
                self.sitting.flag()
            case "reason":
                self.sitting.give_reason(self.rng.choice(("sum", None)))
        for entry, cast in self.sitting._casts[known:]:
            action_id = entry.item.detail.action.action_id
            self._note((cast.client_uid, action_id, cast.value, cast.reason, cast.flagged))

    def label_elsewhere(self, actions: int) -> None:
        """In the tree, on any step."""
        self.settle()
        label = self.peer.set_label(self.rng.randint(1, actions), self.rng.choice("01"))
        self._note((label.client_uid, label.action_id, label.value, None, False))

    def undo(self) -> None:
        """Of this sitting's votes the newest; without any, the auditor's newest label."""
        if self.sitting._casts:
            uid = self.sitting._casts[-1][1].client_uid
            self.sitting.undo()
            self.keyed = [one for one in self.keyed if one[0] != uid]
        else:
            self.settle()
            self.sitting.undo()
            self.settle()
            if not self.keyed:
                return
            self.keyed.pop()
        self.changes += 1

    def _note(self, keyed: Keyed) -> None:
        self.keyed.append(keyed)
        self.changes += 1


@contextmanager
def two_people(rng: random.Random) -> Iterator[tuple[Kit, Any, list[Person]]]:
    with memory_folder() as folder, kit_in(folder) as kit:
        grow(kit, 2)
        judge_all(kit)
        with desk_on(kit) as desk:
            owner = SimpleNamespace(writer=desk.writer, audit_queue=desk.queue)
            yield kit, owner, [Person(Peer(owner, name, kit.database.cursor()), rng) for name in "ab"]


@pytest.mark.parametrize("seed", range(2))
def test_the_record_holds_exactly_what_was_keyed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Votes, changes, notes, flags and undo of two people, labels from elsewhere, sittings begun anew."""
    rng = random.Random(seed)
    monkeypatch.setattr(audit, "_rng", random.Random(str(uuid.UUID(int=seed))))
    with two_people(rng) as (kit, owner, people):
        for _ in range(110):
            person = rng.choice(people)
            what = rng.choices(
                ("line", "vote", "undo", "look back", "flag", "reason", "tree", "anew"),
                (30, 16, 7, 4, 2, 2, 3, 1),
            )[0]
            match what:
                case "line":
                    person.go_on()
                    if person.waiting:
                        person.deliver()
                case "undo":
                    person.undo()
                case "tree":
                    person.label_elsewhere(30)
                case "anew":
                    person.settle()
                    owner.audit_queue.held.clear()
                    person.begin()
                case _:
                    person.key(what)
        for person in people:
            person.settle()
        rows = kit.all(
            "SELECT client_uid, action_id, value, reason, flagged, auditor, withdraws FROM labels"
            " ORDER BY label_id"
        )
        gone = {row[6] for row in rows}
        for person in people:
            mine = [row for row in rows if row[5] == person.peer.auditor]
            standing = [row[:5] for row in mine if row[2] != "withdrawn" and row[0] not in gone]
            assert standing == person.keyed
            assert len(mine) == person.changes > 10
            position = person.peer.audit_position()
            assert person.sitting.reveals == (position.reveals, position.turned)
        mirrored = (kit.folder / "labels.jsonl").read_bytes().splitlines()
        assert [json.loads(line)["client_uid"] for line in mirrored] == [row[0] for row in rows]


def test_a_step_that_comes_among_keys_typed_ahead_takes_none_of_them() -> None:
    """They were keyed before it could be seen; after a pause keys are taken again."""
    with two_people(random.Random(1)) as (_, _, (person, _)):
        sitting = person.sitting
        person.each_key = 0.01
        assert not sitting.takes()
        assert not sitting.vote("1")
        person.deliver(lost=0)
        assert sitting.current is not None
        assert not sitting.vote("0")
        assert person.said == ["No step was on screen yet: the key was not taken."] * 3
        person.each_key = 1.0
        assert sitting.vote("unsure")
        person.settle()
        assert [entry.now.value for entry in sitting.entries] == ["unsure"]


def test_a_step_set_aside_by_an_undo_comes_back_as_it_was_left() -> None:
    """What was keyed for its vote, and the time it was in sight."""
    with two_people(random.Random(1)) as (_, _, (person, _)):
        sitting = person.sitting
        person.settle()
        sitting.vote("1")
        assert sitting.current is not None
        left = sitting.current.draw_id
        sitting.give_reason("wrong sum")
        sitting.flag()
        person.seconds += 100
        sitting.undo()
        assert (sitting.draft.reason, sitting.draft.flagged) == (None, False)
        sitting.vote("0")
        assert sitting.current.draw_id == left
        assert (sitting.draft.reason, sitting.draft.flagged) == ("wrong sum", True)
        assert sitting.clock.seconds > 100


@pytest.mark.parametrize(("anew", "reason"), [("0", "wrong sum"), ("1", None)])
def test_a_vote_taken_back_leaves_its_flag_and_its_reason(anew: str, reason: str | None) -> None:
    """The reason not for another vote; of an earlier sitting as of this one."""
    with two_people(random.Random(1)) as (_, _, (person, _)):
        for earlier in (False, True):
            person.settle()
            person.sitting.give_reason("wrong sum")
            person.sitting.flag()
            person.sitting.vote("0")
            person.settle()
            if earlier:
                person.begin()
                person.settle()
            person.sitting.undo()
            person.settle()
            assert (person.sitting.draft.reason, person.sitting.draft.flagged) == ("wrong sum", True)
            person.sitting.vote(anew)
            now = person.sitting.entries[-1].now
            assert (now.value, now.reason, now.flagged) == (anew, reason, True)


def test_labels_set_and_withdrawn_in_the_tree_are_votes_of_the_sitting() -> None:
    """On the step asked about and those voted on; others are none of its business."""
    with two_people(random.Random(1)) as (_, _, (person, _)):
        sitting = person.sitting
        person.settle()
        assert sitting.current is not None
        first = sitting.current.detail.action.action_id
        assert not sitting.label(0, "1", None)
        assert sitting.label(first, "1", None)
        assert sitting.label(first, "0", "seen")
        (entry,) = sitting.entries
        assert [(cast.value, cast.reason) for cast in entry.casts] == [("1", None), ("0", "seen")]
        assert not entry.blind
        assert sitting.clock.since is None
        person.settle()
        sitting.withdrawn(entry.casts[1].client_uid)
        assert entry.now.value == "1"
        sitting.withdrawn(entry.casts[0].client_uid)
        assert sitting.entries == []
        assert sitting.current.detail.action.action_id == first
        sitting.withdrawn("another label's")


def test_a_label_in_the_tree_on_a_step_fetched_ahead_is_its_vote() -> None:
    """It is not asked again; the step on screen and its time go on, and the question counts as looked at."""
    with two_people(random.Random(1)) as (kit, _, (person, _)):
        person.begin(QueueOptions("random", slice=0, repeats=0))
        person.settle()
        sitting = person.sitting
        current, since = sitting.current, sitting.clock.since
        ahead = next(one.item for one in sitting._ahead if sitting.is_blind(one.item))
        action_id = ahead.detail.action.action_id
        assert sitting.label(action_id, "0", "sum")
        (entry,) = sitting.entries
        assert (entry.item, entry.blind) == (ahead, False)
        assert sitting.current is current
        assert sitting.clock.since == since is not None
        assert person.kept_seen == [ahead.detail.question.address]
        assert ahead not in sitting._waiting
        person.settle()
        assert len(sitting._ahead) == steps_ahead.AHEAD
        assert action_id not in [item.detail.action.action_id for item in sitting._waiting]
        facts = (
            "SELECT value, reason, blind, draw_id, seconds FROM labels JOIN label_facts USING (client_uid)"
        )
        assert kit.all(facts) == [("0", "sum", False, ahead.draw_id, None)]
        sitting.withdrawn(entry.now.client_uid)
        assert sitting.is_at(ahead)


def test_a_step_shown_again_does_not_wait_a_second_time() -> None:
    """As where its draw was open again, and fetched, before the undo was heard of."""
    with two_people(random.Random(1)) as (_, _, (person, _)):
        person.settle()
        sitting = person.sitting
        sitting.vote("1")
        person.settle()
        (entry,) = sitting.entries
        sitting._ahead.append(steps_ahead.Ahead(entry.item))
        sitting.withdrawn(entry.now.client_uid)
        assert sitting.is_at(entry.item)
        waiting = [item.detail.action.action_id for item in sitting._waiting]
        assert len(waiting) == len(set(waiting))


def test_a_label_in_the_tree_is_kept_as_a_look_at_its_question() -> None:
    with two_people(random.Random(1)) as (_, _, (person, _)):
        person.settle()
        here = person.sitting.current
        assert here is not None
        assert person.sitting.label(here.detail.action.action_id, "1", None)
        assert person.kept_seen == [here.detail.question.address]


def test_what_the_judge_said_of_a_vote_is_not_said_of_the_next_on_that_step() -> None:
    with two_people(random.Random(1)) as (_, _, (person, _)):
        sitting, colours = person.sitting, COLOURS
        person.settle()
        sitting.vote("1")
        person.settle()
        (entry,) = sitting.entries
        before = reveal_paragraphs(entry, sitting, colours)[1].text.plain
        assert "the judge" in before
        sitting.look_back()
        sitting.vote("0")
        pending = reveal_paragraphs(entry, sitting, colours)[1].text.plain
        assert "not acknowledged yet" in pending
        assert "the judge" not in pending
        person.settle()
        after = reveal_paragraphs(entry, sitting, colours)[1].text.plain
        assert ("disagrees" in before) != ("disagrees" in after)


def test_the_line_above_gives_up_what_matters_least_where_it_is_short() -> None:
    with two_people(random.Random(1)) as (_, _, (person, _)):
        sitting = person.sitting
        person.settle()
        sitting.advance = False
        sitting.give_reason("uses a number from nowhere, and then multiplies it by two")
        sitting.flag()
        person.seconds += 60
        wide = headline(sitting, COLOURS, 12).plain
        assert "an hour" in wide
        assert "12 conflicts" in wide
        narrow = headline(sitting, COLOURS, 12, 90).plain
        assert len(narrow) <= 90
        assert "by two" in narrow
        assert "flagged" in narrow
        assert "an hour" not in narrow


@pytest.mark.parametrize("order", ["random", "unaudited", "depth"])
def test_the_step_on_screen_comes_back_however_often_the_line_is_lost(
    order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After votes, undo and lost replies, with votes still on their way, and where the owner died as well."""
    rng = random.Random(order)
    monkeypatch.setattr(audit, "_rng", random.Random(order))
    with two_people(rng) as (kit, owner, (person, _)):
        options = QueueOptions(order, overlap=0.3, repeats=0.2)
        person.begin(options)
        came_back = 0
        for _ in range(15):
            for _ in range(rng.randint(0, 12)):
                what = rng.choices(("deliver", "vote", "undo", "owner"), (20, 8, 1, 1))[0]
                if what == "deliver" and person.waiting:
                    person.go_on()
                    person.deliver()
                elif what == "vote":
                    person.key("vote")
                elif what == "undo" and person.sitting._casts:
                    person.undo()
                    person.settle()
                elif what == "owner":
                    owner.audit_queue.held.clear()
                    owner.audit_queue.keeping = Keeping()
            sitting, voted = person.sitting, {uid for (uid,) in kit.all("SELECT client_uid FROM labels")}
            lost = (entry.item for entry in sitting.entries if entry.casts[0].client_uid not in voted)
            here = next(lost, sitting.current)
            owner.audit_queue.held.clear()  # the app is killed: what waits is lost
            person.begin(options)
            if here is not None:
                came_back += 1
                assert person.sitting.current is not None
                assert person.sitting.is_at(here)
        assert came_back > 10
        person.settle()
        assert len({item.draw_id for item in person.sitting._waiting}) == len(person.sitting._waiting)


def test_what_was_fetched_comes_before_anything_new() -> None:
    """What earlier sittings left, and what was not reserved any more when its turn came."""
    with two_people(random.Random(1)) as (_, owner, (person, _)):
        options = QueueOptions("random", slice=0, repeats=0)
        person.begin(options)
        person.settle()
        drawn = [item.draw_id for item in person.sitting._waiting]
        for _ in range(3):
            person.sitting.vote("1")
            person.settle()
            owner.audit_queue.held.clear()
            person.begin(options)
            person.settle()
        waiting = [item.draw_id for item in person.sitting._waiting]
        assert waiting[:3] == drawn[3:]
        assert len(waiting) == steps_ahead.AHEAD + 1
        for one in person.sitting._ahead:
            one.at = -math.inf
        person.sitting.vote("1")
        person.settle()
        assert [item.draw_id for item in person.sitting._waiting][: len(waiting) - 1] == waiting[1:]


def test_steps_of_an_order_that_was_left_do_not_come_in_another() -> None:
    with two_people(random.Random(1)) as (_, owner, (person, _)):
        person.begin(QueueOptions("unaudited", slice=0, repeats=0))
        person.settle()
        person.sitting.reorder(QueueOptions("random", repeats=0))
        person.sitting.vote("1")
        person.settle()
        here = person.sitting.current
        assert here is not None
        assert {item.order for item in person.sitting._waiting} == {"random"}
        owner.audit_queue.held.clear()
        person.begin(QueueOptions("random", repeats=0))
        assert person.sitting.current == here


@pytest.mark.parametrize(
    ("other", "fits"),
    [
        ({"blind": False}, False),
        ({"dataset": "another"}, False),
        ({"depth": 3}, False),
        ({"depth": 1}, True),
        ({"answers": True}, True),
    ],
)
def test_a_sitting_begins_at_the_step_left_only_where_it_is_asked_for(
    other: dict[str, Any], fits: bool
) -> None:
    options = QueueOptions("unaudited", slice=0, repeats=0)
    with two_people(random.Random(1)) as (_, owner, (person, _)):
        person.begin(options)
        person.settle()
        left = person.sitting.current
        assert left is not None
        owner.audit_queue.held.clear()
        wanted = dataclasses.replace(options, **other)
        person.begin(wanted)
        assert (person.sitting.current is not None) == fits
        person.settle()
        assert all(wanted.fits(item) for item in person.sitting._waiting)


def test_a_step_that_waits_nowhere_any_more_is_taken_when_it_comes() -> None:
    """It was fetched when the request went out, and dropped meanwhile, for its time was over."""
    with two_people(random.Random(1)) as (_, _, (person, _)):
        person.begin(QueueOptions("unaudited", slice=0, repeats=0))
        person.settle()
        sitting = person.sitting
        sitting.vote("1")
        dropped = sitting._ahead.pop().item
        came = person.waiting.pop()[1]
        came(AuditNext(dropped))
        assert dropped in sitting._waiting


def come_back_after_an_hour(person: Person, owner: Any, monkeypatch: pytest.MonkeyPatch) -> Sitting:
    """A step was shown and left; its reservation is over when its auditor sits down again."""
    now, options = utc_now(), QueueOptions("unaudited", slice=0, repeats=0)
    monkeypatch.setattr(drawing, "utc_now", lambda: now - timedelta(hours=1))
    person.begin(options)
    person.deliver(lost=0)
    owner.audit_queue.held.clear()
    owner.audit_queue._frames.clear()  # and is read anew
    monkeypatch.setattr(drawing, "utc_now", lambda: now)
    person.begin(options)
    return person.sitting


def test_a_step_whose_reservation_ended_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue's next draw is the very step on screen: the vote answers that draw."""
    with two_people(random.Random(1)) as (kit, owner, (person, _)):
        sitting = come_back_after_an_hour(person, owner, monkeypatch)
        assert sitting.current is not None
        first, old = sitting.current.detail.action.action_id, sitting.current.draw_id
        person.settle()
        assert kit.all(f"SELECT count(*) FROM audit_draws WHERE action_id = {first}") == [(2,)]
        for _ in range(4):
            assert sitting.vote("1")
            person.settle()
        voted = [entry.item.detail.action.action_id for entry in sitting.entries]
        assert voted[0] == first
        assert len(set(voted)) == 4
        assert sitting.entries[0].item.draw_id != old


def test_a_step_that_is_drawn_anew_while_its_vote_is_on_the_way_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with two_people(random.Random(1)) as (kit, owner, (person, _)):
        sitting = come_back_after_an_hour(person, owner, monkeypatch)
        assert sitting.vote("1")
        person.settle()
        voted = sitting.entries[0].item.detail.action.action_id
        assert kit.all(f"SELECT count(*) FROM audit_draws WHERE action_id = {voted}") == [(2,)]
        assert sitting.current is not None
        assert sitting.current.detail.action.action_id != voted
        assert voted not in [one.item.detail.action.action_id for one in sitting._ahead]


class Times:
    """The time of app and owner, in seconds from when the test began."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        began = utc_now()
        monkeypatch.setattr(steps_ahead, "time", SimpleNamespace(monotonic=lambda: self.seconds))
        for module in (audit, audit_queue, drawing):
            monkeypatch.setattr(module, "utc_now", lambda: began + timedelta(seconds=self.seconds))


TINY = QueueOptions("random", slice=0, repeats=0, reserve_minutes=0.01)
RESERVED = 0.6  # seconds


@pytest.mark.parametrize("order", ["random", "unaudited"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_step_on_screen_stays_reserved_while_there_are_keys(
    is_there: bool, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times(monkeypatch)
    with two_people(random.Random(1)) as (_, owner, (ann, bob)):
        options = dataclasses.replace(TINY, order=order)
        ann.begin(options)
        ann.settle()
        assert ann.sitting.current is not None
        here = ann.sitting.current.detail.action.action_id
        asked = 0
        for place in range(40):
            times.seconds += RESERVED / 8
            if is_there and place % 6 == 0:
                ann.sitting.key_pressed()
            ann.sitting.keep_step()  # as a timer does
            asked += len(ann.waiting)
            ann.settle()
        owner.audit_queue._frames.clear()
        bob.begin(dataclasses.replace(options, reserve_minutes=10.0))
        given = set()
        bob.settle()
        while bob.sitting.current is not None:
            given.add(bob.sitting.current.detail.action.action_id)
            bob.sitting.vote("1")
            bob.settle()
        assert (here not in given) == is_there
        assert len(given) >= 29
        assert asked <= (11 if is_there else 2)  # not more often than when half the time is over


def test_a_step_that_somebody_else_was_given_meanwhile_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    times = Times(monkeypatch)
    with two_people(random.Random(1)) as (_, owner, (ann, bob)):
        found = ann.peer.audit_next("unaudited", slice=0.0, repeats=0.0, reserve_minutes=0.01)
        assert ann.peer.audit_keep(found.item, 0.01)
        times.seconds += 2 * RESERVED
        owner.audit_queue._busy.clear()  # as when it is read anew
        given = bob.peer.audit_next("unaudited", slice=0.0, repeats=0.0, reserve_minutes=0.01)
        assert given.item.detail.action.action_id == found.item.detail.action.action_id
        assert not ann.peer.audit_keep(found.item, 0.01)
        times.seconds += RESERVED / 2
        assert bob.peer.audit_keep(given.item, 0.01)
        times.seconds += 0.9 * RESERVED
        assert not ann.peer.audit_keep(found.item, 0.01)
        with pytest.raises(InputError, match="is b's, not a's"):
            ann.peer.audit_keep(given.item, 0.01)
        times.seconds += RESERVED
        assert ann.peer.audit_keep(found.item, 0.01)


def test_a_key_behind_one_that_takes_back_an_earlier_label_is_refused_aloud() -> None:
    with two_people(random.Random(1)) as (_, _, (person, _)):
        person.label_elsewhere(30)
        person.sitting.undo()
        person.sitting.undo()
        assert not person.sitting.takes()
        assert person.said == ["The step you took back is on its way: the key was not taken."] * 2
        person.settle()
        assert "set outside the queue" in person.said[-1]
