"""The audit's record as it is read, against trees worked out by hand."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from bswirl.records import Action
from bswirl.store.audit_record import read_effect, read_judged, read_record
from bswirl.store.statistics import refresh_statistics
from bswirl.store.trees import read_tree
from tests.owner.auditing import grow, judge_all
from tests.store.kit import Kit, verdict

QUESTIONS = 3


def groups(kit: Kit) -> list[list[Action]]:
    return [
        group
        for question in range(1, QUESTIONS + 1)
        for group in read_tree(kit.cursor, question).by_state().values()
    ]


def advantages(group: list[Action], *, by_judge: bool) -> list[float]:
    rewards = [(action.judge_reward if by_judge else action.reward) or 0.0 for action in group]
    total = sum(action.samples for action in group)
    mean = sum(action.samples * reward for action, reward in zip(group, rewards, strict=True)) / total
    return [reward - mean for reward in rewards]


def is_live(group: list[Action], *, by_judge: bool) -> bool:
    return len({action.judge_reward if by_judge else action.reward for action in group}) > 1


@pytest.fixture
def labelled(kit: Kit) -> Kit:
    """Judged trees with labels on a third of the actions, some of two auditors who disagree."""
    grow(kit, QUESTIONS)
    judge_all(kit)
    rng = random.Random(1)
    for (action_id,) in kit.all("SELECT action_id FROM actions WHERE question_id < 3 ORDER BY 1"):
        if rng.random() < 0.4:
            kit.label(action_id, rng.choice(("0", "1", "unsure")), "ann")
        if rng.random() < 0.2:
            kit.label(action_id, rng.choice("01"), "bob")
    kit.label(2, "withdrawn" if kit.all("SELECT 1 FROM labels WHERE action_id = 2") else "1", "ann")
    refresh_statistics(kit.writer)
    return kit


class TestEffect:
    def test_equals_the_trees_worked_out(self, labelled: Kit) -> None:
        """Advantages and live groups with and without the labels, action by action."""
        found = read_effect(labelled.cursor)
        trees = [group for group in groups(labelled) if group]
        moves = [
            (action.samples, abs(after - before))
            for group in trees
            for action, after, before in zip(
                group, advantages(group, by_judge=False), advantages(group, by_judge=True), strict=True
            )
            if abs(after - before) > 1e-9
        ]
        assert found.changed == len(moves) > 0
        assert found.mean_change == pytest.approx(
            sum(n * move for n, move in moves) / sum(n for n, _ in moves)
        )
        actions = [action for group in trees for action in group]
        assert found.overruled == sum(
            action.human_reward is not None and action.human_reward != action.judge_reward
            for action in actions
        )
        before, after = ([is_live(group, by_judge=by_judge) for group in trees] for by_judge in (True, False))
        assert (found.live_before, found.live_after) == (sum(before), sum(after))
        assert found.revived == sum(a and not b for a, b in zip(after, before, strict=True))
        assert found.died == sum(b and not a for a, b in zip(after, before, strict=True))

    def test_a_label_that_is_not_counted_yet(self, labelled: Kit) -> None:
        """It comes between the statistics and the report: live groups before the labels stay as many."""
        before = read_effect(labelled.cursor)
        rewards = {action.action_id: action.reward for group in groups(labelled) for action in group}
        for action_id, reward in rewards.items():
            labelled.label(action_id, "0" if reward else "1", "cid", adjudicates=True)
        late = read_effect(labelled.cursor)
        refresh_statistics(labelled.writer)
        assert late == read_effect(labelled.cursor) != before
        assert late.live_before == before.live_before

    def test_without_labels_nothing_changed(self, kit: Kit) -> None:
        """Live groups are counted all the same."""
        grow(kit, QUESTIONS)
        judge_all(kit)
        refresh_statistics(kit.writer)
        found = read_effect(kit.cursor)
        live = sum(is_live(group, by_judge=True) for group in groups(kit) if group)
        assert (found.changed, found.overruled, found.mean_change) == (0, 0, None)
        assert found.live_before == found.live_after == live > 0


class TestItems:
    def test_truth_is_what_the_trees_say(self, labelled: Kit) -> None:
        """Each labelled action with the words in force, its conflict, and the judges' verdicts."""
        record = read_record(labelled.cursor)
        actions = {action.action_id: action for group in groups(labelled) for action in group}
        assert {item.action_id for item in record.items} == {
            number for (number,) in labelled.all("SELECT DISTINCT action_id FROM labels")
        }
        for item in record.items:
            action = actions[item.action_id]
            assert (item.truth, item.conflict, item.depth) == (
                action.human_reward,
                action.conflict,
                action.depth,
            )
            assert [said.reward for said in item.said] == [action.judge_reward]
            words = {vote.auditor: vote.value for vote in item.votes if vote.newest}
            assert not any(vote.withdrawn and vote.newest for vote in item.votes)
            assert len(words) == len({vote.auditor for vote in item.votes if not vote.withdrawn})
        assert any(item.conflict for item in record.items)
        assert replace(record, items=()).turns == ()


class TestJudged:
    """How many actions the judges have judged, by kind and by who did."""

    def test_equals_a_count_by_hand(self, kit: Kit) -> None:
        """Each action in one kind, by its readable verdicts alone; nothing before any."""
        assert read_judged(kit.cursor) == ()
        grow(kit, QUESTIONS)
        judge_all(kit)
        actions = kit.all("SELECT action_id, depth, is_answer FROM actions ORDER BY 1")
        run = kit.run("judge", 3)
        kit.feed(run, *(verdict(action_id, 1.0, "other") for action_id, *_ in actions[::3]))
        kit.feed(run, verdict(actions[0][0], 0.0, "other"))
        judges = dict(kit.all("SELECT name, judge_id FROM judges WHERE name IN ('model', 'other')"))
        expected = Counter(
            (
                depth,
                is_answer,
                tuple(sorted([judges["model"]] + ([judges["other"]] if place % 3 == 0 else []))),
            )
            for place, (_, depth, is_answer) in enumerate(actions)
        )
        found = read_judged(kit.cursor)
        assert {(kind.depth, kind.is_answer, kind.judges): kind.actions for kind in found} == expected
        assert len(found) == len(expected)
