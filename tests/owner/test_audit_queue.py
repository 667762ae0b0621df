"""The audit queue: what is drawn for whom, and what the record says of it."""

from __future__ import annotations

import dataclasses
import json
import math
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from bswirl.audit.records import AuditItem, Scope, hidden
from bswirl.audit.report import make_report
from bswirl.audit.sampling import REPEAT_GAP, Inclusion
from bswirl.audit.stakes import PRIOR_WRONG, signal_change
from bswirl.owner.audit import _item
from bswirl.owner.drawing import Drawing
from bswirl.records import ActionDetail, Label
from bswirl.store.database import utc_now
from bswirl.store.draws import Draw, find_draw, open_draws
from bswirl.store.labels import label_in_force, undo_label
from bswirl.store.trees import read_action, read_tree, read_unrewarded
from bswirl.store.votes import flag, flagged_labels, list_conflicts, reveal_meter
from tests.owner.auditing import ACTIONS_A_QUESTION, STEPS, Desk, desk_on, grow, judge_all, rank_first
from tests.store.kit import branches, kit_in, verdict

QUESTIONS = 4
ACTIONS = QUESTIONS * ACTIONS_A_QUESTION


def _without_advantages(detail: ActionDetail) -> ActionDetail:
    siblings = tuple(dataclasses.replace(sibling, advantage=None) for sibling in detail.siblings)
    return dataclasses.replace(detail, siblings=siblings)


class _Undo(Exception):
    """Rolls a transaction back."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with kit_in(tmp_path) as kit:
        grow(kit, QUESTIONS)
        judge_all(kit)
        with desk_on(kit) as made:
            yield made


class TestOrders:
    def test_unaudited_goes_question_by_question(self, desk: Desk) -> None:
        """By number, and past what has a label."""
        desk.kit.label(2, "1", "bob")
        drawn = []
        for _ in range(5):
            draw = desk.next()
            drawn.append(draw.action_id)
            desk.vote(draw)
        assert drawn == [1, 3, 4, 5, 6]

    def test_high_stakes_comes_from_large_groups_first(self, desk: Desk) -> None:
        """The score is the chance of being wrong times the change a flip would make."""
        desk.kit.feed(1, branches(2, 0, 1, "Way 0 of 1 of 2", "Way 0 of 1 of 2", first=5))
        wanted = next(a for a in read_tree(desk.kit.cursor, 2).actions if a.samples == 3)
        draw = desk.next(order="high-stakes")
        assert draw.action_id == wanted.action_id
        assert draw.score == pytest.approx(PRIOR_WRONG * signal_change(3, 7, wanted.reward or 0.0))

    def test_high_stakes_follows_audited_error_rates(self, desk: Desk) -> None:
        """Where random draws found good verdicts of depth 2 wrong, those come first."""
        tree = [action for q in range(1, QUESTIONS + 1) for action in read_tree(desk.kit.cursor, q).actions]
        by_number = {action.action_id: action for action in tree}
        for _ in range(30):
            draw = desk.next(order="random")
            action = by_number[draw.action_id]
            desk.vote(draw, "0" if action.depth == 2 or action.judge_reward == 0 else "1")
        first = by_number[desk.next(order="high-stakes").action_id]
        assert (first.depth, first.judge_reward) == (2, 1.0)

    def test_judge_against_reference(self, desk: Desk) -> None:
        """Only where the two disagree; it says what it lacks before and after."""
        assert "reference judge has judged nothing" in desk.why(order="judge-reference")
        rewards = dict(desk.kit.all("SELECT action_id, reward FROM verdicts"))
        run = desk.kit.run("judge", 3)
        said = {action_id: reward if action_id % 7 else 1 - reward for action_id, reward in rewards.items()}
        desk.kit.feed(run, *(verdict(number, reward, "reference") for number, reward in said.items()))
        found = set()
        for _ in range(sum(number % 7 == 0 for number in rewards)):
            draw = desk.next(order="judge-reference")
            found.add(draw.action_id)
            desk.vote(draw)
        assert found == {number for number in rewards if number % 7 == 0}
        assert "no unlabelled step is left" in desk.why(order="judge-reference")

    def test_the_reference_judge_decides_itself(self, desk: Desk) -> None:
        """Then there is nothing to hold against it, however many steps the other judged."""
        rewards = desk.kit.all("SELECT action_id, reward FROM verdicts")
        run = desk.kit.run("judge", 3)
        desk.kit.feed(run, *(verdict(number, 1 - reward, "reference") for number, reward in rewards))
        rank_first(desk.kit, "reference")
        assert "`bswirl judges rank` the other first" in desk.why(order="judge-reference")

    def test_judge_split(self, desk: Desk) -> None:
        """The closest votes first; a clear no on correct is no split; probabilities count like shares."""
        assert "no verdict here has votes" in desk.why(order="judge-split")
        run = desk.kit.run("judge", 3)
        votes = {
            4: {"correct": [3, 2], "progress": [5, 0], "asked": 5},
            9: {"correct": [0, 5], "progress": [3, 2], "asked": 5},
            11: {"correct": [4, 1], "progress": [5, 0], "asked": 5},
            13: {"correct": 0.52, "progress": 1.0},
        }
        desk.kit.feed(
            run, *(verdict(number, 1.0, "model", "p2", votes=said) for number, said in votes.items())
        )
        with desk.kit.writer.transaction():
            from bswirl.store.judges import rank_judge

            rank_judge(desk.kit.writer, "model", 1)
        drawn = []
        for _ in range(3):
            draw = desk.next(order="judge-split")
            drawn.append((draw.action_id, round(draw.score or 0, 3)))
            desk.vote(draw)
        assert drawn == [(13, 0.96), (4, 0.8), (11, 0.4)]
        assert "no unlabelled step is left" in desk.why(order="judge-split")

    def test_depth_is_balanced_and_random_within(self, desk: Desk) -> None:
        """Every depth as often as the others; all of its draws are in the record with their chances."""
        for _ in range(9):
            desk.vote(desk.next(order="depth"))
        depths = desk.kit.all(
            "SELECT depth, count(*), min(remaining) FROM audit_draws GROUP BY depth ORDER BY 1"
        )
        a_depth = ACTIONS // STEPS
        assert depths == [(depth, 3, a_depth - 2) for depth in (1, 2, 3)]

    def test_scope(self, desk: Desk) -> None:
        """A dataset and a depth bound every way."""
        scope = Scope("toy", 2)
        for ways in (("order",), ("random",)):
            draw = desk.next("ann", "unaudited", *ways, scope=scope)
            assert find_draw(desk.kit.cursor, draw.draw_id).scope == scope
            assert desk.kit.one("SELECT depth FROM actions WHERE action_id = ?", draw.action_id) == 2
        why = desk.why(scope=Scope("nowhere"))
        assert why == "no step there has a verdict yet; `bswirl judge` makes some"


class TestRandomDraws:
    def test_probabilities_in_the_record(self, desk: Desk) -> None:
        """m of N: `remaining` counts down, `inclusion` is the chance so far, and the report's is the same."""
        for number in range(1, 8):
            draw = desk.next("ann", "high-stakes", "random")
            assert (draw.way, draw.remaining) == ("random", ACTIONS - number + 1)
            assert draw.inclusion == pytest.approx(number / ACTIONS)
            desk.vote(draw)
        record = desk.record()
        inclusion = Inclusion(record.turns)
        assert [inclusion.of(item) for item in record.items] == pytest.approx([7 / ACTIONS] * 7)

    def test_later_verdicts_were_in_no_earlier_danger(self, desk: Desk) -> None:
        """Actions judged after five draws have the chance of the draws after them alone."""
        for _ in range(5):
            desk.vote(desk.next(order="random"))
        kit = desk.kit
        kit.feed(1, branches(1, 0, 1, *(f"late {n}" for n in range(20)), first=5))
        late = kit.all("SELECT action_id FROM actions WHERE text LIKE 'late %'")
        kit.feed(kit.run("judge", 3), *(verdict(number, 1.0, "model") for (number,) in late))
        desk.queue._read(desk.request(order="random"), since=math.inf)
        for _ in range(5):
            desk.vote(desk.next(order="random"))
        record = desk.record()
        inclusion = Inclusion(record.turns)
        early = 1 - (1 - 5 / ACTIONS) * math.prod(1 - 1 / (ACTIONS + 20 - 5 - n) for n in range(5))
        new = 1 - math.prod(1 - 1 / (ACTIONS + 20 - 5 - n) for n in range(5))
        for item in record.items:
            is_late = (item.action_id,) in late
            assert inclusion.of(item) == pytest.approx(new if is_late else early)

    def test_how_many_are_left(self, desk: Desk) -> None:
        """Of what was judged by then; counted again when there are new verdicts, and only then."""
        for value in ("1", "0", "unsure"):
            desk.vote(desk.next("ann", "random"), value)
        desk.next("ann", "random")  # shown, and not labelled yet
        first = desk.queue.judged(desk.kit.cursor)
        assert desk.queue.judged(desk.kit.cursor) is first
        assert make_report(desk.record()).rows[0].left == ACTIONS - 3
        desk.kit.feed(1, branches(1, 0, 1, "A late way", first=5))
        (late,) = desk.kit.all("SELECT max(action_id) FROM actions")[0]
        desk.kit.feed(desk.kit.run("judge", 9), verdict(late, 1.0, "model"))
        assert sum(kind.actions for kind in desk.queue.judged(desk.kit.cursor)) == ACTIONS + 1
        assert make_report(desk.record()).rows[0].left == ACTIONS - 2

    def test_a_list_that_is_older_than_some_draws(self, desk: Desk) -> None:
        """What was drawn from a newer list of that depth is none of it: as many remain as could be drawn."""
        first = [row[0] for row in desk.kit.all("SELECT action_id FROM actions WHERE depth = 1")]
        desk.vote(desk.next(order="depth"))  # lists every depth
        desk.kit.feed(1, branches(1, 0, 1, *(f"late {n}" for n in range(20)), first=5))
        late = desk.kit.all("SELECT action_id FROM actions WHERE text LIKE 'late %'")
        desk.kit.feed(desk.kit.run("judge", 3), *(verdict(number, 1.0, "model") for (number,) in late))
        deep = Scope(depth=1)
        newer = [desk.next(order="depth", scope=deep) for _ in range(len(first) - 2)]
        assert newer[0].remaining == len(first) + 20 - 1
        assert {draw.action_id for draw in newer} - set(first)
        for draw in newer:
            desk.vote(draw)
        gone = {number for (number,) in desk.kit.all("SELECT action_id FROM audit_draws WHERE depth = 1")}
        for _ in range(200):
            draw = desk.next(order="depth")
            desk.vote(draw)
            if draw.scope == deep:
                break
        assert draw.remaining == len(set(first) - gone) > 1
        assert draw.action_id in set(first) - gone
        assert desk.record().turns[-1].mark < newer[0].mark  # type: ignore[operator]

    def test_what_waits_in_a_depth_that_is_wholly_drawn_comes_again(self, desk: Desk) -> None:
        """By depth, and as a random draw; before anything new is drawn."""
        deep = Scope(depth=1)
        for _ in range(ACTIONS // STEPS - 1):
            desk.vote(desk.next(order="depth", scope=deep))
        waiting = desk.next(order="depth", scope=deep, reserve=timedelta(0))
        assert waiting.remaining == 1
        again = desk.next("bob", "depth")
        assert (again.action_id, again.way, again.scope, again.again) == (
            waiting.action_id,
            "random",
            deep,
            True,
        )

    def test_a_labelled_step_is_met_and_another_is_shown(self, desk: Desk) -> None:
        """With all but one labelled: the draw counts, and what is shown is no part of the sample."""
        for number in range(1, ACTIONS + 1):
            if number != 17:
                desk.kit.label(number, "1", "bob")
        draw = desk.next("ann", "unaudited", "random")
        assert draw.action_id == 17
        rows = desk.kit.all("SELECT way, met, again FROM audit_draws ORDER BY draw_id")
        if len(rows) == 2:
            assert rows == [("random", True, False), ("order", False, False)]
        else:
            assert rows == [("random", False, False)]
        drawn = [item for item in desk.record().items if item.drawn]
        assert len(drawn) == 1

    def test_what_was_drawn_and_not_labelled_comes_again(self, desk: Desk) -> None:
        """After its reservation it is asked of the next auditor; it was drawn once."""
        first = desk.next("ann", "random", reserve=timedelta(0))
        again = desk.next("bob", "random")
        assert (again.action_id, again.again, again.remaining) == (first.action_id, True, None)
        assert len(desk.record().turns) == 1

    def test_a_skip_of_somebody_else_leaves_the_step_open(self, desk: Desk) -> None:
        """It was shown because a skip decides nothing; after a lost connection it is there again."""
        for number in range(1, ACTIONS + 1):
            desk.kit.label(number, "skip", "bob")
        draw = desk.next("ann", "random")
        assert [one.draw_id for one in open_draws(desk.kit.cursor, "ann", utc_now())] == [draw.draw_id]
        desk.kit.label(draw.action_id, "1", "bob")
        assert open_draws(desk.kit.cursor, "ann", utc_now()) == []

    def test_uniform_whatever_the_order_has_labelled(self, desk: Desk) -> None:
        """Rolled back again and again: in 3 of 6 requests' draws each action is drawn equally often."""
        desk.next()
        tables = desk.queue._tables(desk.request())
        hits: Counter[int] = Counter()
        tries = 60

        for _ in range(tries):
            with suppress(_Undo), desk.kit.writer.transaction():
                tables.drawn.clear()
                desk.queue._check_drawn(desk.kit.writer.cursor, Scope(), tables)
                tables.busy.clear()
                for way in ("order", "random", "order", "random", "order", "random"):
                    Drawing(desk.kit.writer, desk.request("ann", "unaudited", way), tables, desk.rng).draw()
                rows = desk.kit.writer.cursor.execute(
                    "SELECT action_id FROM audit_draws WHERE way = 'random' AND NOT again"
                ).fetchall()
                assert len(rows) == 3
                hits.update(action_id for (action_id,) in rows)
                raise _Undo
        expected = tries * 3 / ACTIONS
        chi2 = sum((hits[number] - expected) ** 2 / expected for number in range(1, ACTIONS + 1))
        assert chi2 < 95  # 0.2 % of 59 degrees of freedom
        assert desk.kit.one("SELECT count(*) FROM audit_draws") == 1


class TestReservations:
    def test_two_auditors_get_different_steps(self, desk: Desk) -> None:
        """In every order, until nothing is left; then both are told so."""
        orders = ("unaudited", "high-stakes")
        seen = [desk.next(("ann", "bob")[n % 2], orders[n // 2 % 2]) for n in range(ACTIONS)]
        assert len({draw.action_id for draw in seen}) == ACTIONS
        assert "has a label or is with somebody" in desk.why("bob")
        assert desk.why("bob", "high-stakes") == desk.why("bob", "random")

    def test_expired_ones_come_back(self, desk: Desk) -> None:
        """A step shown long ago and not labelled is asked of somebody else."""
        first = desk.next("ann", reserve=timedelta(0))
        desk.queue._read(desk.request(), since=math.inf)
        assert desk.next("bob").action_id == first.action_id
        assert open_draws(desk.kit.cursor, "ann", utc_now()) == []

    def test_the_same_request_gives_the_same_step(self, desk: Desk) -> None:
        """A retry draws nothing new, met ones neither."""
        uid = str(uuid.uuid4())
        first = desk.next("ann", "unaudited", "random", uid=uid)
        assert desk.next("ann", "unaudited", "random", uid=uid) == first
        assert desk.kit.one("SELECT count(*) FROM audit_draws") == 1

    def test_overlap(self, desk: Desk) -> None:
        """Asked for, a step that another decided comes, once; none left, the order goes on."""
        mine = desk.next("ann")
        desk.vote(mine, "1")
        shared = desk.next("bob", "unaudited", "overlap", "order")
        assert (shared.action_id, shared.way) == (mine.action_id, "overlap")
        desk.vote(shared, "0")
        assert desk.next("bob", "unaudited", "overlap", "order").way == "order"
        (conflict,) = list_conflicts(desk.kit.cursor, 10)
        assert [(label.auditor, label.value) for label in conflict.votes] == [("ann", "1"), ("bob", "0")]
        assert (conflict.judge, conflict.action_id) == ("model", mine.action_id)
        desk.kit.label(mine.action_id, "1", "cid", adjudicates=True)
        assert list_conflicts(desk.kit.cursor, 10) == []


class TestRepeats:
    def test_come_after_a_while_and_once(self, desk: Desk) -> None:
        """A decided label of the auditor's own, REPEAT_GAP labels old; the label knows which."""
        labels = {}
        for number in range(REPEAT_GAP + 2):
            ways = ("repeat", "order") if number <= REPEAT_GAP else ("order",)
            draw = desk.next("ann", "unaudited", *ways)
            assert draw.way == "order"
            labels[draw.action_id] = desk.vote(draw, "1")
        seen = set()
        for _ in range(2):
            draw = desk.next("ann", "unaudited", "repeat", "order")
            assert draw.way == "repeat"
            again = desk.vote(draw, "0")
            assert again.repeats == labels[draw.action_id].client_uid
            seen.add(draw.action_id)
        assert len(seen) == 2
        assert seen <= set(sorted(labels)[:3])
        assert desk.next("bob", "unaudited", "repeat", "order").way == "order"

    def repeat(self, desk: Desk) -> tuple[Label, Draw]:
        """An auditor's only decision, and the draw by which it comes again; bob disagrees with it."""
        label = desk.vote(desk.next("ann"), "1")
        desk.kit.label(label.action_id, "0", "bob")
        for other in range(1, REPEAT_GAP + 1):
            desk.kit.label(label.action_id + other, "skip")
        draw = desk.next("ann", "unaudited", "repeat", "order")
        assert (draw.way, draw.action_id) == ("repeat", label.action_id)
        return label, draw

    def test_a_skipped_repeat_leaves_the_decision_in_force(self, desk: Desk) -> None:
        """It is kept, with its draw; undo takes it back and the step is to judge again."""
        label, draw = self.repeat(desk)
        before = desk.record()
        skip = desk.vote(draw, "skip")
        assert (skip.draw_id, skip.repeats, skip.blind) == (draw.draw_id, label.client_uid, True)
        after = desk.record()
        assert [(item.truth, item.conflict) for item in after.items] == [
            (item.truth, item.conflict) for item in before.items
        ]
        reports = make_report(before), make_report(after)
        assert reports[0].drawn == reports[1].drawn
        assert reports[0].pairs == reports[1].pairs != ()
        assert reports[1].consistency == ()
        assert reports[0].effect == reports[1].effect
        (conflict,) = list_conflicts(desk.kit.cursor, 10)
        assert label.client_uid in {one.client_uid for one in conflict.votes}
        assert open_draws(desk.kit.cursor, "ann", utc_now()) == []
        assert desk.next("ann", "unaudited", "repeat", "order").way == "order"
        gone = desk.writer.write(lambda store: undo_label(store, str(uuid.uuid4()), "ann"))
        assert gone == skip
        assert draw.draw_id in {one.draw_id for one in open_draws(desk.kit.cursor, "ann", utc_now())}
        assert label_in_force(desk.kit.cursor, "ann", label.action_id) == label

    def test_a_flag_on_a_skipped_repeat_is_not_lost(self, desk: Desk) -> None:
        """It shows at the decision, which stays; taking it from the skip or from the step takes it."""
        label, draw = self.repeat(desk)

        def flags() -> list[tuple[int, str]]:
            return [(one.action_id, one.value) for one in flagged_labels(desk.kit.cursor, 10)]

        def mark(flagged: bool) -> Label:
            facts = {"client_uid": str(uuid.uuid4()), "auditor": "ann", "flagged": flagged}
            return desk.writer.write(lambda store: flag(store, label.action_id, **facts))

        desk.vote(draw, "skip", flagged=True)
        assert flags() == [(label.action_id, label.value)]
        desk.vote(draw, "skip")
        assert flags() == []
        desk.vote(draw, "skip", flagged=True)
        assert (mark(False).value, flags()) == (label.value, [])
        assert (mark(True).value, flags()) == (label.value, [(label.action_id, label.value)])
        desk.vote(draw, "skip")
        assert flags() == [(label.action_id, label.value)]

    def test_a_flag_on_a_repeat_makes_no_blind_vote_of_it(self, desk: Desk) -> None:
        """It copies the vote after the judge was shown; the repeat stays the one that it was."""
        label, draw = self.repeat(desk)
        desk.vote(draw, "0")
        before = make_report(desk.record())
        facts = {"client_uid": str(uuid.uuid4()), "auditor": "ann", "flagged": True}
        marked = desk.writer.write(lambda store: flag(store, label.action_id, **facts))
        assert (marked.value, marked.after_reveal, marked.repeats) == ("0", True, None)
        after = make_report(desk.record())
        assert after.reveals == before.reveals
        assert after.consistency == before.consistency != ()

    def test_a_decision_taken_back_leaves_its_skip(self, desk: Desk) -> None:
        """Then the skip is all that the auditor said, whichever came first."""
        label, draw = self.repeat(desk)
        skip = desk.vote(draw, "skip")
        desk.kit.label(label.action_id, "withdrawn", withdraws=label.client_uid)
        assert label_in_force(desk.kit.cursor, "ann", label.action_id) == skip
        later = desk.vote(draw, "unsure")
        assert label_in_force(desk.kit.cursor, "ann", label.action_id) == later
        desk.kit.label(label.action_id, "withdrawn", withdraws=later.client_uid)
        assert label_in_force(desk.kit.cursor, "ann", label.action_id) == skip

    def test_an_adjudication_never_comes_again(self, desk: Desk) -> None:
        """A repeat's vote would be the auditor's newest word, and open the conflict again."""
        number = desk.vote(desk.next("ann"), "1").action_id
        desk.kit.label(number, "0", "bob")
        desk.kit.label(number, "0", "ann", adjudicates=True)
        for other in range(1, REPEAT_GAP + 2):
            desk.kit.label(number + other, "skip")
        assert desk.next("ann", "unaudited", "repeat", "order").way == "order"
        assert list_conflicts(desk.kit.cursor, 10) == []


class TestVotes:
    def test_blind_then_revealed(self, desk: Desk) -> None:
        """The first vote is blind, the second after the reveal; both stay, the second counts."""
        draw = desk.next()
        first = desk.vote(draw, "1", seconds=3.0)
        second = desk.vote(draw, "0", seconds=9.0)
        assert (first.blind, first.after_reveal, first.seconds) == (True, False, 3.0)
        assert (second.blind, second.after_reveal) == (False, True)
        assert read_tree(desk.kit.cursor, 1).actions[0].label == "0"
        assert reveal_meter(desk.kit.cursor, "ann") == (1, 1, 3.0)

    def test_a_vote_taken_back_is_no_turned_one(self, desk: Desk) -> None:
        """A slip of the key that was undone is left out of the meter; its draw is open again."""
        draw = desk.next()
        desk.vote(draw, "1")
        desk.writer.write(lambda store: undo_label(store, str(uuid.uuid4()), "ann"))
        assert [one.draw_id for one in open_draws(desk.kit.cursor, "ann", utc_now())] == [draw.draw_id]
        desk.vote(draw, "0")
        assert reveal_meter(desk.kit.cursor, "ann")[:2] == (0, 0)

    @pytest.mark.parametrize("how", ["1", "flag"])
    def test_a_step_drawn_anew_is_not_blind_to_who_saw_its_judge(self, desk: Desk, how: str) -> None:
        """Its vote was taken back and its reservation is over; to another auditor it is blind."""
        draw = desk.next(reserve=timedelta(0))
        desk.vote(draw, "1")
        desk.writer.write(lambda store: undo_label(store, str(uuid.uuid4()), "ann"))
        desk.queue._read(desk.request(), since=math.inf)
        again = desk.next("ann", reserve=timedelta(0))
        assert (again.action_id, again.blind) == (draw.action_id, True)
        assert again.draw_id != draw.draw_id
        assert _item(desk.kit.cursor, again).revealed
        if how == "1":
            label = desk.vote(again, "1")
        else:
            facts = {"client_uid": str(uuid.uuid4()), "auditor": "ann", "flagged": True}
            label = desk.writer.write(lambda store: flag(store, again.action_id, **facts))
        assert (label.draw_id, label.blind, label.after_reveal) == (again.draw_id, False, True)
        desk.writer.write(lambda store: undo_label(store, str(uuid.uuid4()), "ann"))
        desk.queue._read(desk.request(), since=math.inf)
        others = desk.next("bob")
        assert others.action_id == draw.action_id
        assert not _item(desk.kit.cursor, others).revealed
        assert desk.vote(others, "1").blind

    def test_a_step_labelled_in_the_tree_is_not_blind(self, desk: Desk) -> None:
        """The judge was in sight there; to another auditor it stays blind."""
        draw = desk.next("ann")
        desk.kit.label(draw.action_id, "1", "ann")
        assert _item(desk.kit.cursor, draw).revealed
        label = desk.vote(draw, "0")
        assert (label.blind, label.after_reveal) == (False, True)
        assert reveal_meter(desk.kit.cursor, "ann") == (0, 0, None)
        shared = desk.next("bob", "unaudited", "overlap", "order")
        assert shared.action_id == draw.action_id
        assert not _item(desk.kit.cursor, shared).revealed
        assert desk.vote(shared, "1").blind

    def test_a_step_drawn_after_its_label_in_the_tree_was_taken_back_is_not_blind(self, desk: Desk) -> None:
        desk.kit.label(1, "1", "ann")
        desk.writer.write(lambda store: undo_label(store, str(uuid.uuid4()), "ann"))
        draw = desk.next("ann")
        assert (draw.action_id, draw.blind) == (1, True)
        assert _item(desk.kit.cursor, draw).revealed
        assert not desk.vote(draw, "0").blind

    def test_a_blind_step_is_read_as_if_nobody_had_said_anything(self, desk: Desk) -> None:
        """What is read for a blind step is what would be left of all that is known of it."""
        for action_id in (2, 3, 7):
            desk.kit.label(action_id, "0")
        for action_id in (1, 2, 7):
            whole = read_action(desk.kit.cursor, action_id)
            assert whole.verdicts
            left = hidden(AuditItem(1, "random", whole, blind=True, revealed=True))
            assert read_unrewarded(desk.kit.cursor, action_id, 1) == _without_advantages(left.detail)

    def test_a_skip_after_the_reveal_hides_no_turned_vote(self, desk: Desk) -> None:
        """In the meter at the queue and in the report's; unsure does take the turned vote's place."""
        draw = desk.next()
        for value, turned in (("1", 0), ("0", 1), ("skip", 1), ("unsure", 0)):
            desk.vote(draw, value)
            assert reveal_meter(desk.kit.cursor, "ann")[:2] == (1, turned)
            (meter,) = make_report(desk.record()).reveals
            assert (meter.reveals, meter.turned) == (1, turned)

    def test_open_votes_reveal_nothing(self, desk: Desk) -> None:
        """Where the judge was on screen all along there is no blind vote and no reveal."""
        draw = desk.next(blind=False)
        assert desk.vote(draw).blind is False
        assert desk.vote(draw, "0").after_reveal is False
        assert reveal_meter(desk.kit.cursor, "ann") == (0, 0, None)

    def test_mirror_lines_carry_the_facts(self, desk: Desk) -> None:
        """Those of the queue; a label from elsewhere has the line that it always had."""
        desk.vote(desk.next(), seconds=1.5)
        desk.kit.label(9, "1")
        queue, other = (
            json.loads(line) for line in (desk.kit.folder / "labels.jsonl").read_bytes().splitlines()
        )
        assert (queue["draw_id"], queue["seconds"], queue["after_reveal"], queue["repeats"]) == (
            1,
            1.5,
            False,
            None,
        )
        assert not {"draw_id", "seconds", "after_reveal", "repeats"} & set(other)
