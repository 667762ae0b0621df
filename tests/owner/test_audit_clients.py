"""The audit over the socket: what is hidden, what survives, several auditors at once."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bswirl.audit.records import AuditItem
from bswirl.audit.report import make_report
from bswirl.client import Client, connect, stop_owner
from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.project import Project
from bswirl.runs.locks import lock_holder
from tests.owner.auditing import ACTIONS_A_QUESTION, import_trees

SECONDS = float(os.environ.get("BSWIRL_TEST_SECONDS", "6"))
LEAST_VOTES = int(7 * SECONDS / 6)  # of each auditor
PATIENCE_SECONDS = 120 + 5 * SECONDS  # in which they have voted so often, however slow the machine is


@pytest.fixture
def trees(project: Project) -> Iterator[Project]:
    with connect(project, auditor="setup") as client:
        import_trees(client, 6)
    yield project
    stop_owner(project)


@pytest.fixture
def ann(trees: Project) -> Iterator[Client]:
    with connect(trees, auditor="ann") as client:
        yield client


def kill_owner(project: Project) -> None:
    holder = lock_holder(project.owner_lock)
    assert holder is not None
    os.kill(holder["pid"], signal.SIGKILL)
    while lock_holder(project.owner_lock) is not None:
        time.sleep(0.01)


def asked(client: Client, order: str = "unaudited", **more: object) -> AuditItem:
    item = client.audit_next(order, repeats=0, **more).item  # type: ignore[arg-type]
    assert item is not None
    return item


class TestHiding:
    def test_a_blind_item_gives_no_verdict_away(self, ann: Client, trees: Project) -> None:
        """Neither verdict nor reward, advantage, label, of the step or its siblings; nor how it was drawn."""
        with connect(trees, auditor="bob") as bob:
            bob.set_label(2, "0")
        item = asked(ann)
        assert (item.detail.verdicts, item.detail.labels, item.detail.certificates) == ((), (), ())
        for action in (item.detail.action, *item.detail.siblings):
            assert (action.judge, action.judge_reward, action.reward, action.source) == (None,) * 4
            assert (action.label, action.human_reward, action.advantage, action.conflict) == (
                None,
                None,
                None,
                False,
            )
        assert {"slice", "way", "inclusion", "repeats", "met"}.isdisjoint(AuditItem.__dataclass_fields__)

    def test_the_reply_to_the_vote_reveals(self, ann: Client) -> None:
        """Everything of the action, and whether the judge agrees."""
        item = asked(ann)
        vote = ann.audit_label(item, "1", seconds=2)
        assert vote.item.revealed
        assert vote.item.detail == ann.action(item.detail.action.action_id)
        assert vote.agrees == (vote.item.detail.action.judge_reward == 1.0)
        assert ann.audit_label(item, "unsure").agrees is None

    def test_an_open_item_shows_the_judge_and_no_label(self, ann: Client, trees: Project) -> None:
        """The judge is there; what other auditors said is not."""
        with connect(trees, auditor="bob") as bob:
            first = asked(bob)
            bob.audit_label(first, "0")
        item = ann.audit_next("unaudited", overlap=1, blind=False).item
        assert item is not None
        assert item.detail.action.action_id == first.detail.action.action_id
        assert item.detail.verdicts
        assert item.detail.action.reward == item.detail.action.judge_reward
        assert (item.detail.labels, item.detail.action.label) == ((), None)


class TestExactlyOnce:
    def test_retries_change_nothing(self, ann: Client) -> None:
        """Every call with its uid again gives the same again."""
        draw, vote, undo, flag = (str(uuid.uuid4()) for _ in range(4))
        items = [ann.audit_next(client_uid=draw).item for _ in range(2)]
        assert items[0] == items[1]
        item = items[0]
        assert item is not None
        first = ann.audit_label(item, "1", client_uid=vote).label
        assert ann.audit_label(item, "1", client_uid=vote).label == first
        number = item.detail.action.action_id
        assert ann.audit_flag(number, client_uid=flag) == ann.audit_flag(number, client_uid=flag)
        withdrawn = [ann.audit_undo(client_uid=undo) for _ in range(2)]
        assert withdrawn[0] is not None
        assert withdrawn[1] is not None
        assert withdrawn[0].label == withdrawn[1].label
        assert len(ann.labels(limit=10)) == 3

    def test_a_retry_is_given_the_same_step_that_was_left(self, ann: Client) -> None:
        """One that was given before and comes again is, by the uid of its request, no other."""
        left = [asked(ann, slice=0) for _ in range(3)]
        uid = str(uuid.uuid4())
        assert asked(ann, slice=0, here=[], client_uid=uid) == left[0]
        ann.audit_label(left[0], "1")
        assert asked(ann, slice=0, here=[], client_uid=uid).draw_id == left[0].draw_id
        assert asked(ann, slice=0, here=[]).draw_id == left[1].draw_id

    def test_a_decision_since_a_look_is_not_overruled(self, ann: Client, trees: Project) -> None:
        """Unless it was taken back; a decision that was stored is given again, whatever came since."""
        uid = str(uuid.uuid4())
        with connect(trees, auditor="bob") as bob:
            seen = [ann.set_label(1, "1").label_id, bob.set_label(1, "0").label_id][-1]
            first = ann.audit_adjudicate(1, "1", since=seen, client_uid=uid)
            with pytest.raises(InputError, match="ann decided 1 on action 1 meanwhile"):
                bob.audit_adjudicate(1, "0", since=seen)
            assert bob.audit_adjudicate(1, "0", since=first.label_id).value == "0"
            assert ann.audit_adjudicate(1, "1", since=seen, client_uid=uid) == first
            for client in (bob, ann):
                client.undo_label()
            assert bob.audit_adjudicate(1, "0", since=seen).adjudicates

    def test_another_ones_draw_is_refused(self, ann: Client, trees: Project) -> None:
        """Nobody votes in another's name; words that are no vote are refused."""
        item = asked(ann)
        assert ann.audit_keep(item)
        with connect(trees, auditor="bob") as bob:
            with pytest.raises(InputError, match="is ann's"):
                bob.audit_label(item, "1")
            with pytest.raises(InputError, match="is ann's"):
                bob.audit_keep(item)
        with pytest.raises(UsageError, match="no time to reserve"):
            ann.audit_keep(item, 0.0)
        with pytest.raises(UsageError, match="a vote is 1, 0"):
            ann.audit_label(item, "withdrawn")
        with pytest.raises(UsageError, match="orders are"):
            ann.audit_next("best")
        with pytest.raises(InputError, match="no draw 99"):
            ann.audit_label(99, "1")

    def test_a_kill_between_label_and_acknowledgement_loses_nothing(
        self, ann: Client, trees: Project
    ) -> None:
        """The owner dies at random moments; each vote is repeated until acknowledged, and is there once."""
        rng = random.Random(3)
        sent: dict[str, str] = {}
        for _ in range(6):
            killer = threading.Timer(rng.uniform(0.0, 0.15), kill_owner, [trees])
            killer.start()
            while killer.is_alive():
                item = ann.audit_next("high-stakes", repeats=0).item
                assert item is not None
                uid, value = str(uuid.uuid4()), rng.choice("01")
                sent[uid] = value
                vote = ann.audit_label(item, value, client_uid=uid, seconds=1.25)
                assert (vote.label.client_uid, vote.label.seconds) == (uid, 1.25)
            killer.join()
        stored = ann.labels(limit=1000)
        assert {label.client_uid: label.value for label in stored} == sent
        assert len(stored) == len(sent)
        mirrored = [json.loads(line) for line in trees.labels_file.read_bytes().splitlines()]
        assert sorted(line["client_uid"] for line in mirrored) == sorted(sent)
        assert all(label.draw_id is not None for label in stored)
        assert len({label.draw_id for label in stored}) == len(stored)


class TestPosition:
    def test_survives_a_lost_connection_and_a_new_owner(self, ann: Client, trees: Project) -> None:
        """The step on screen comes back, with what was labelled and the meter."""
        first = asked(ann)
        ann.audit_label(first, "1", seconds=4)
        ann.audit_label(first, "0")
        left = asked(ann)
        ann.close()
        kill_owner(trees)
        with connect(trees, auditor="ann") as again:
            position = again.audit_position()
        assert position.item == left
        assert (position.order, position.labelled, position.last[0].value) == ("unaudited", 1, "0")
        assert (position.reveals, position.turned, position.median_seconds) == (1, 1, 4)

    def test_another_screen_of_the_same_auditor_keeps_its_step(self, ann: Client, trees: Project) -> None:
        """While that connection lives; afterwards it is where one was."""
        item = asked(ann)
        with connect(trees, auditor="ann") as second:
            assert second.audit_position().item is None
            assert asked(second) != item
        assert ann.audit_position().item == item
        ann.close()
        deadline = time.monotonic() + 20  # until the owner has seen both of them go
        with connect(trees, auditor="ann") as third:
            while (found := third.audit_position().item) != item and time.monotonic() < deadline:
                time.sleep(0.02)
        assert found == item

    def test_a_step_whose_vote_is_taken_back_is_on_that_screen_again(
        self, ann: Client, trees: Project
    ) -> None:
        """So that another screen of the same auditor is not given it."""
        item = asked(ann)
        vote = ann.audit_label(item, "1").label
        ann.set_label(vote.action_id, "withdrawn", withdraws=vote.client_uid)
        with connect(trees, auditor="ann") as second:
            assert second.audit_position().item is None
            assert asked(second).detail.action.action_id != vote.action_id

    def test_undo_without_limit_shows_each_step_again(self, ann: Client) -> None:
        """Back to the first, each withdrawal recorded; then there is nothing left."""
        items = []
        for value in "10110":
            items.append(asked(ann))
            ann.audit_label(items[-1], value)
        for item in reversed(items):
            undone = ann.audit_undo()
            assert undone is not None
            assert undone.item is not None
            assert (undone.item.draw_id, undone.item.revealed) == (item.draw_id, True)
        assert ann.audit_undo() is None
        assert [label.value for label in ann.labels(limit=20)].count("withdrawn") == 5
        position = ann.audit_position()
        assert (position.labelled, position.item and position.item.draw_id) == (0, items[0].draw_id)

    def test_skip_and_flag(self, ann: Client) -> None:
        """A skip decides nothing; a flag without a label skips, with one it keeps the value."""
        skipped = ann.audit_skip(asked(ann))
        assert (skipped.label.value, skipped.item.detail.action.source) == ("skip", "judge")
        item = asked(ann)
        flagged = ann.audit_flag(item.detail.action.action_id)
        assert (flagged.value, flagged.flagged, flagged.draw_id) == ("skip", True, item.draw_id)
        other = asked(ann)
        vote = ann.audit_label(other, "0", reason="sum")
        again = ann.audit_flag(other.detail.action.action_id)
        assert (again.value, again.reason, again.blind, again.flagged) == ("0", "sum", True, True)
        assert [label.action_id for label in ann.audit_flags()] == [
            vote.label.action_id,
            item.detail.action.action_id,
        ]
        ann.audit_flag(other.detail.action.action_id, False)
        assert len(ann.audit_flags()) == 1


@dataclass
class Auditor:
    """A script that audits until time is up, and enough; it undoes, changes and skips now and then."""

    project: Project
    name: str
    seed: int
    until: float
    acknowledged: dict[str, tuple[int, str]] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def work(self) -> None:
        try:
            self._work()
        except BswirlError as error:
            self.problems.append(str(error))

    def _work(self) -> None:
        rng = random.Random(self.seed)
        orders = ("random", "high-stakes", "unaudited", "depth")
        with connect(self.project, auditor=self.name) as client:
            while time.monotonic() < self.until or len(self.acknowledged) < LEAST_VOTES:
                if time.monotonic() > self.until + PATIENCE_SECONDS:
                    self.problems.append(f"only {len(self.acknowledged)} votes were taken in time")
                    return
                item = client.audit_next(rng.choice(orders), overlap=0.3, repeats=0.1).item
                if item is None:
                    return
                self._vote(client, item, rng)
                if rng.random() < 0.1:
                    self._vote(client, item, rng)
                if rng.random() < 0.1 and (undone := client.audit_undo()) is not None:
                    self.withdrawn.add(undone.label.client_uid)
                    if undone.item is not None:
                        self._vote(client, undone.item, rng)

    def _vote(self, client: Client, item: AuditItem, rng: random.Random) -> None:
        value = rng.choice(("1", "1", "0", "0", "unsure", "skip"))
        label = client.audit_label(item, value, seconds=rng.random()).label
        if label.client_uid in self.acknowledged:
            self.problems.append("one label acknowledged twice")
        self.acknowledged[label.client_uid] = (label.action_id, label.value)


class TestTogether:
    def test_three_auditors_at_once(self, project: Project) -> None:
        """No label lost, none doubled, every conflict reported; no step asked of two unless to be shared.

        BSWIRL_TEST_SECONDS sets how long (300 for the long version).
        """
        with connect(project, auditor="setup") as client:
            import_trees(client, max(20, int(SECONDS * 4)))
        auditors = [
            Auditor(project, name, seed, time.monotonic() + SECONDS) for seed, name in enumerate("abc")
        ]
        threads = [threading.Thread(target=auditor.work) for auditor in auditors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with connect(project, auditor="reader") as client:
            stored = client.labels(limit=100_000)
            conflicts = {conflict.action_id for conflict in client.audit_conflicts(100_000)}
            record = client.audit_record()
        stop_owner(project)
        assert [auditor.problems for auditor in auditors] == [[], [], []]
        votes = {label.client_uid: label for label in stored if label.value != "withdrawn"}
        sent = {uid: said for auditor in auditors for uid, said in auditor.acknowledged.items()}
        assert {uid: (label.action_id, label.value) for uid, label in votes.items()} == sent
        assert len(stored) == len(sent) + sum(len(auditor.withdrawn) for auditor in auditors)
        assert len(sent) >= len(auditors) * LEAST_VOTES
        mirrored = Counter(
            json.loads(line)["client_uid"] for line in project.labels_file.read_bytes().splitlines()
        )
        assert mirrored == Counter(label.client_uid for label in stored)
        gone = set().union(*(auditor.withdrawn for auditor in auditors))
        assert conflicts == slow_conflicts([label for label in stored if label.client_uid not in gone])
        first_asked = {(item.action_id, vote.auditor) for item in record.items for vote in item.votes}
        assert len(first_asked) <= len({item.action_id for item in record.items}) + len(overlaps(project))
        assert make_report(record).labelled > 0


def slow_conflicts(labels: list[object]) -> set[int]:
    """Actions on which auditors' labels in force say both 1 and 0; a skip replaces no other word."""
    words: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for label in sorted(labels, key=lambda label: label.label_id):  # type: ignore[attr-defined]
        said, auditor, value = words[label.action_id], label.auditor, label.value  # type: ignore[attr-defined]
        if value != "withdrawn" and (value != "skip" or auditor not in said):
            said[auditor] = value
    return {action_id for action_id, all_said in words.items() if {"0", "1"} <= set(all_said.values())}


def overlaps(project: Project) -> list[tuple[int, str]]:
    """Draws that were to be labelled by a second auditor; the owner has ended."""
    import duckdb

    with duckdb.connect(str(project.store_file), read_only=True) as store:
        return store.execute("SELECT action_id, auditor FROM audit_draws WHERE way = 'overlap'").fetchall()


def test_trees_have_fifteen_actions_a_question(trees: Project, tmp_path: Path) -> None:
    """The helper's own promise."""
    with connect(trees, auditor="x") as client:
        assert client.stats()["actions"] == 6 * ACTIONS_A_QUESTION
