"""Which label is in force: every place that answers it, against a plain reading of docs/method.md."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from bswirl import labels
from bswirl.audit.records import Scope
from bswirl.records import Label
from bswirl.store.audit_record import read_record
from bswirl.store.database import utc_now
from bswirl.store.draws import overlappable, repeatable, standing_of_action
from bswirl.store.exports import export_samples
from bswirl.store.labels import (
    count_in_force,
    disputed_actions,
    label_in_force,
    labels_in_force,
    undo_label,
)
from bswirl.store.queries import count_everything
from bswirl.store.statistics import refresh_statistics
from bswirl.store.trees import read_action, read_tree
from bswirl.store.votes import flag, flagged_labels, list_conflicts
from tests.store.kit import Kit, branches, kit_in, memory_folder, trajectory

AUDITORS = ("ann", "bob", "cy")
ACTIONS = (1, 2, 3)
EVERY = 1000


@dataclass
class Said:
    """One label as it was keyed."""

    uid: str
    action_id: int
    auditor: str
    value: str
    adjudicates: bool
    flagged: bool
    withdrawn: bool = False


@dataclass
class Model:
    """The labels in the order in which they came, and what follows by the words of the method."""

    said: list[Said] = field(default_factory=list)

    def standing(self, auditor: str, *actions: int) -> list[Said]:
        return [
            one
            for one in self.said
            if one.auditor == auditor and one.action_id in (actions or ACTIONS) and not one.withdrawn
        ]

    def word(self, auditor: str, action_id: int) -> Said | None:
        """The newest that is no skip; of skips alone the newest."""
        standing = self.standing(auditor, action_id)
        words = [one for one in standing if one.value != "skip"]
        return (words or standing or [None])[-1]

    def words(self, action_id: int) -> list[Said]:
        """Of all auditors, in the order in which they were keyed."""
        found = [self.word(auditor, action_id) for auditor in AUDITORS]
        return sorted((one for one in found if one is not None), key=self.said.index)

    def is_flagged(self, one: Said) -> bool:
        return one.flagged or self.standing(one.auditor, one.action_id)[-1].flagged

    def override(self, action_id: int) -> str | None:
        decided = [one for one in self.words(action_id) if one.value in "01"]
        deciding = [one for one in decided if one.adjudicates]
        if deciding:
            return deciding[-1].value
        return decided[0].value if len({one.value for one in decided}) == 1 else None

    def disputed(self) -> list[int]:
        return [
            action_id
            for action_id in ACTIONS
            if self.override(action_id) is None and {"0", "1"} <= {one.value for one in self.words(action_id)}
        ]


WHO = st.sampled_from(AUDITORS)
WHAT = st.sampled_from(ACTIONS)
VALUES = st.sampled_from(("1", "0", "skip", "skip", "unsure"))
EVENTS = st.one_of(
    st.tuples(st.just("label"), WHO, WHAT, VALUES, st.integers(0, 4).map(lambda n: n == 0), st.booleans()),
    st.tuples(st.just("flag"), WHO, WHAT, st.booleans()),
    st.tuples(st.just("undo"), WHO),
    st.tuples(st.just("withdraw"), WHO, WHAT),
    st.tuples(st.just("take back"), WHO, st.integers(0, 9)),
)


def act(kit: Kit, model: Model, event: tuple) -> None:  # type: ignore[type-arg]
    """Does in the store what somebody keyed, and notes it in the model."""
    kind, auditor, *rest = event
    uid = str(uuid.uuid4())
    if kind == "label":
        action_id, value, adjudicates, flagged = rest
        uid = kit.label(action_id, value, auditor, adjudicates=adjudicates, flagged=flagged)
        model.said.append(Said(uid, action_id, auditor, value, adjudicates, flagged))
    elif kind == "flag":
        action_id, flagged = rest
        word = model.word(auditor, action_id)
        with kit.writer.transaction():
            flag(kit.writer, action_id, client_uid=uid, auditor=auditor, flagged=flagged)
        value, adjudicates = (word.value, word.adjudicates) if word else ("skip", False)
        model.said.append(Said(uid, action_id, auditor, value, adjudicates, flagged))
    elif kind == "undo":
        standing = model.standing(auditor)
        with kit.writer.transaction():
            gone = undo_label(kit.writer, uid, auditor)
        assert (gone.client_uid if gone else None) == (standing[-1].uid if standing else None)
        if standing:
            standing[-1].withdrawn = True
    elif kind == "withdraw":
        if standing := model.standing(auditor, rest[0]):
            kit.label(rest[0], "withdrawn", auditor)
            standing[-1].withdrawn = True
    elif standing := model.standing(auditor):
        one = standing[rest[0] % len(standing)]
        kit.label(one.action_id, "withdrawn", auditor, withdraws=one.uid)
        one.withdrawn = True


@contextmanager
def three_actions() -> Iterator[Kit]:
    with memory_folder() as folder, kit_in(folder) as kit:
        kit.questions(1)
        kit.feed(kit.run(), trajectory(1, 0, "a", answer=False), branches(1, 0, 1, "b", "c"))
        yield kit


def uids(found: list[Label]) -> list[str]:
    return [label.client_uid for label in found]


def check_lists(kit: Kit, model: Model) -> None:
    """The labels' own readings."""
    every = [one for action_id in ACTIONS for one in model.words(action_id)]
    newest_first = sorted(every, key=model.said.index, reverse=True)
    assert uids(labels_in_force(kit.cursor, EVERY)) == [one.uid for one in newest_first]
    assert uids(flagged_labels(kit.cursor, EVERY)) == [
        one.uid for one in newest_first if model.is_flagged(one)
    ]
    assert disputed_actions(kit.cursor, EVERY) == model.disputed()
    conflicts = {one.action_id: uids(list(one.votes)) for one in list_conflicts(kit.cursor, EVERY)}
    assert conflicts == {
        action_id: [one.uid for one in sorted(model.words(action_id), key=lambda one: one.auditor)]
        for action_id in model.disputed()
    }
    for auditor in AUDITORS:
        assert count_in_force(kit.cursor, auditor) == sum(one.auditor == auditor for one in every)
        for action_id in ACTIONS:
            word, found = model.word(auditor, action_id), label_in_force(kit.cursor, auditor, action_id)
            assert (found and found.client_uid) == (word and word.uid)


def check_rewards(kit: Kit, model: Model) -> None:
    """The tree, the statistics, the export and the audit's record."""
    for action in read_tree(kit.cursor, 1).actions:
        words, override = model.words(action.action_id), model.override(action.action_id)
        assert action.human_reward == (None if override is None else float(override))
        assert action.conflict == (action.action_id in model.disputed())
        decided = [one for one in words if one.value != "skip"] or words
        assert action.label == (decided[-1].value if decided else None)
        known = labels.labels_in_force(read_action(kit.cursor, action.action_id).labels)
        assert {name: label.client_uid for name, label in known.items()} == {
            one.auditor: one.uid for one in words
        }
    refresh_statistics(kit.writer)
    assert count_everything(kit.cursor)["labels"] == sum(len(model.words(number)) for number in ACTIONS)
    texts = dict(kit.all("SELECT text, action_id FROM actions"))
    for row in export_samples(kit.cursor):
        override = model.override(texts[row.action])
        by = [one.auditor for one in model.words(texts[row.action]) if one.value == override]
        assert (row.label, row.auditor) == ((override, by[-1]) if override else (None, None))
    record = read_record(kit.cursor)
    assert {vote.client_uid for item in record.items for vote in item.votes if vote.newest} == {
        one.uid for number in ACTIONS for one in model.words(number)
    }
    for item in record.items:
        override = model.override(item.action_id)
        assert (item.truth, item.conflict) == (
            None if override is None else float(override),
            item.action_id in model.disputed(),
        )


def check_queue(kit: Kit, model: Model) -> None:
    """Who may be shown what."""
    for action_id in ACTIONS:
        standing = standing_of_action(kit.cursor, action_id, 1, utc_now())
        assert standing.words == {one.auditor: one.value for one in model.words(action_id)}
    scope = Scope(answers=True)
    for auditor in AUDITORS:
        words = [one for one in (model.word(auditor, number) for number in ACTIONS) if one]
        again = [one.uid for one in words if one.value in "01" and not one.adjudicates]
        assert [uid for *_, uid in repeatable(kit.cursor, auditor, scope, 0)] == again
        late = {one.action_id for one in model.standing(auditor)[-2:]}
        assert [uid for *_, uid in repeatable(kit.cursor, auditor, scope, 2)] == [
            one.uid for one in words if one.uid in again and one.action_id not in late
        ]
        assert [number for number, _ in overlappable(kit.cursor, auditor, scope, utc_now())] == [
            number
            for number in ACTIONS
            if model.word(auditor, number) is None
            and any(one.value in "01" for one in model.words(number) if one.auditor != auditor)
        ]


class TestInForce:
    @settings(max_examples=10, deadline=None)
    @given(st.lists(EVENTS, min_size=8, max_size=30))
    def test_every_reading_agrees_with_the_plain_rule(self, events: list) -> None:  # type: ignore[type-arg]
        """Labels, skips, flags, adjudications and what was taken back, in any order, of several auditors."""
        model = Model()
        with three_actions() as kit:
            for event in events:
                act(kit, model, event)
            keyed = kit.all(
                "SELECT client_uid, value, flagged FROM labels WHERE value <> 'withdrawn' ORDER BY label_id"
            )
            assert keyed == [(one.uid, one.value, one.flagged) for one in model.said]
            check_lists(kit, model)
            check_rewards(kit, model)
            check_queue(kit, model)
