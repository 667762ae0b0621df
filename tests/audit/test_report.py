"""The report from a record, against counts by hand."""

from __future__ import annotations

import dataclasses
import random

import pytest

from bswirl.audit.estimates import Pair, rates
from bswirl.audit.records import AuditedItem, AuditRecord, Effect, Judged, Said, Scope, Turn, Vote
from bswirl.audit.report import cell_items, make_report
from bswirl.audit.tables import TOO_FEW, method, sections, without_rates
from bswirl.errors import InputError, UsageError
from bswirl.records import Judge

JUDGES = (
    Judge(1, "model", "m", "p1", 1),
    Judge(2, "model", "m", "p2", None),
    Judge(3, "reference", "rules", "r", 2),
)


def vote(number: int, value: str, auditor: str = "ann", **more: object) -> Vote:
    facts: dict[str, object] = {"newest": True, "blind": True, "draw_id": number, **more}
    return Vote(number, f"u{number}", auditor, value, **facts)  # type: ignore[arg-type]


def item(
    number: int,
    truth: float | None,
    *said: tuple[int, float],
    votes: tuple[Vote, ...] = (),
    drawn: bool = True,
    depth: int = 1,
    conflict: bool = False,
) -> AuditedItem:
    return AuditedItem(
        number,
        number // 3,
        f"d:{number // 3}",
        "d",
        depth,
        False,
        "text",
        1,
        drawn,
        said[0][0] if said else None,
        truth,
        conflict,
        votes,
        tuple(Said(*one) for one in said),
    )


def record(*items: AuditedItem, size: int = 100) -> AuditRecord:
    drawn = sum(one.drawn for one in items)
    turns = tuple(Turn(Scope(), 1, size - n) for n in range(drawn))
    return AuditRecord(items, turns, JUDGES, Effect())


class TestRows:
    def test_only_random_draws_make_the_rates(self) -> None:
        """Labels from elsewhere are in the second figure and in the cells alone."""
        made = make_report(
            record(
                item(1, 1.0, (1, 1.0)),
                item(2, 0.0, (1, 1.0)),
                item(3, 0.0, (1, 0.0), drawn=False),
                item(4, 0.0, (1, 0.0), drawn=False),
            )
        )
        whole = made.rows[0]
        assert (whole.judge, whole.random.n, whole.random.accuracy.value) == ("in force", 2, 0.5)
        assert (whole.labelled.n, whole.labelled.accuracy.value) == (4, 0.75)
        assert whole.cells == {
            "judge1-human1": 1,
            "judge1-human0": 1,
            "judge0-human1": 0,
            "judge0-human0": 2,
        }

    def test_judges_versions_and_the_verdict_in_force(self) -> None:
        """By name the ranked version speaks first; by prompt each for itself; in force whoever decides."""
        made = record(
            item(1, 1.0, (1, 1.0), (2, 0.0), (3, 0.0)),
            item(2, 1.0, (2, 0.0), (3, 1.0)),
            item(3, 0.0, (3, 0.0)),
        )
        by_judge = {row.judge: row.random.accuracy.value for row in make_report(made).rows}
        assert by_judge == pytest.approx({"in force": 2 / 3, "model": 0.5, "reference": 2 / 3})
        by_prompt = {
            (row.judge, row.prompt_sha): (row.random.n, row.random.accuracy.value)
            for row in make_report(made, by="prompt").rows[1:]
        }
        assert {name: n for name, (n, _) in by_prompt.items()} == {
            ("model", "p1"): 1,
            ("model", "p2"): 2,
            ("reference", "r"): 3,
        }
        assert [value for _, value in by_prompt.values()] == pytest.approx([1, 0, 2 / 3])
        alone = make_report(made, judge="model").rows
        assert [(row.judge, row.random.n) for row in alone] == [("model", 2)]
        nothing = make_report(record(item(3, 0.0, (3, 0.0))), judge="model").rows
        assert [(row.judge, row.random.n) for row in nothing] == [("model", 0)]

    def test_depths_partition_the_whole(self) -> None:
        """Each step is in the row of its depth, and the whole is their sum."""
        rng = random.Random(0)
        items = [
            item(n, float(rng.random() < 0.7), (1, float(rng.random() < 0.7)), depth=rng.randint(1, 4))
            for n in range(60)
        ]
        whole, *depths = make_report(record(*items), by="depth").rows
        assert [row.depth for row in depths] == [1, 2, 3, 4]
        assert sum(row.random.n for row in depths) == whole.random.n == 60
        for cell, count in whole.cells.items():
            assert count == sum(row.cells[cell] for row in depths)
            assert count == len(cell_items(record(*items), cell))

    def test_unequal_chances_weigh(self) -> None:
        """A step that a second scope could reach too counts less than one that only the first could."""
        deep, shallow = item(1, 1.0, (1, 1.0), depth=2), item(2, 0.0, (1, 1.0))
        turns = (Turn(Scope(), 1, 10), Turn(Scope(), 1, 9), Turn(Scope(depth=2), 1, 2))
        found = make_report(AuditRecord((deep, shallow), turns, JUDGES)).rows[0].random
        deep_weight, shallow_weight = 1 / (1 - 0.8 * 0.5), 1 / 0.2
        assert found.accuracy.value == pytest.approx(deep_weight / (deep_weight + shallow_weight))

    def test_wrong_words(self) -> None:
        """Unknown groupings, votes, judges and cells are refused."""
        for wrong in ({"by": "colour"}, {"votes": "loud"}):
            with pytest.raises(UsageError):
                make_report(record(), **wrong)
        with pytest.raises(InputError, match="known judges: model, reference"):
            make_report(record(), judge="nobody")
        with pytest.raises(UsageError, match="judge1-human0"):
            cell_items(record(), "x")

    def test_an_empty_record(self) -> None:
        """No figure where there is nothing."""
        made = make_report(record())
        assert [row.judge for row in made.rows] == ["in force"]
        assert made.rows[0].random == rates([])


class TestBlindVotes:
    def test_only_what_was_said_before_the_reveal(self) -> None:
        """A vote that the reveal turned counts as it was; disagreeing blind votes decide nothing."""
        turned = item(
            1,
            1.0,
            (1, 1.0),
            votes=(vote(1, "0", newest=False), vote(1, "1", blind=False, after_reveal=True)),
        )
        split = item(2, 1.0, (1, 1.0), votes=(vote(2, "1"), vote(3, "0", "bob")), conflict=True)
        open_one = item(3, 1.0, (1, 1.0), votes=(vote(4, "1", blind=False),))
        final = make_report(record(turned, split, open_one))
        blind = make_report(record(turned, split, open_one), votes="blind")
        assert final.rows[0].random.accuracy.value == 1
        assert (blind.rows[0].random.n, blind.rows[0].random.accuracy.value) == (1, 0)
        assert final.drawn.open == 1

    def test_what_became_of_the_draws_by_blind_votes(self) -> None:
        """Labelled openly alone is no blind vote; a decision over blind votes leaves them apart."""
        found = make_report(
            record(
                item(1, 1.0, (1, 1.0), votes=(vote(1, "1", blind=False),)),
                item(2, 0.0, (1, 1.0), votes=(vote(2, "1"), vote(3, "0", "bob"))),
                item(3, 0.0, (1, 1.0), votes=(vote(4, "unsure"), vote(4, "0", blind=False))),
                item(4, 1.0, (1, 1.0), votes=(vote(5, "1"), vote(6, "skip", newest=False))),
            ),
            votes="blind",
        )
        drawn = found.drawn
        assert (drawn.decided, drawn.undecided, drawn.conflict, drawn.waiting, drawn.open) == (1, 1, 1, 1, 0)
        (table,) = (lines for title, headings, lines in sections(found) if "no blind vote" in headings)
        assert table == [("4", "1", "1", "1", "1", "0")]

    def test_a_later_unsure_takes_the_word_back(self) -> None:
        """As a label in force does; a skip does not."""
        doubted = item(1, None, (1, 1.0), votes=(vote(1, "1", newest=False), vote(2, "unsure")))
        skipped = item(2, 1.0, (1, 1.0), votes=(vote(3, "1"), vote(4, "skip", newest=False)))
        assert make_report(record(doubted), votes="blind").rows[0].labelled.n == 0
        assert make_report(record(skipped), votes="blind").rows[0].labelled.n == 1

    @pytest.mark.parametrize(
        ("value", "votes", "words"),
        [
            ("1", "final", ""),
            ("unsure", "final", "decided yet"),
            ("unsure", "blind", "decided by blind votes"),
        ],
    )
    def test_why_there_are_no_rates(self, value: str, votes: str, words: str) -> None:
        """An undecided draw is labelled."""
        truth = 1.0 if value == "1" else None
        said = without_rates(
            make_report(record(item(1, truth, (1, 1.0), votes=(vote(1, value),))), votes=votes)
        )
        assert words in said
        assert bool(words) == bool(said)


class TestDrawn:
    def test_what_became_of_the_draws(self) -> None:
        """Decided, undecided, in conflict, waiting: every draw is in one of them."""
        found = make_report(
            record(
                item(1, 1.0, (1, 1.0), votes=(vote(1, "1"),)),
                item(2, None, (1, 1.0), votes=(vote(2, "unsure"),)),
                item(3, None, (1, 1.0), votes=(vote(3, "1"), vote(4, "0", "bob")), conflict=True),
                item(4, None, (1, 1.0), votes=(vote(5, "1", newest=False, withdrawn=True),)),
                item(5, 1.0, (1, 1.0), votes=(vote(6, "1"),), drawn=False),
            )
        ).drawn
        assert (found.drawn, found.decided, found.undecided, found.conflict, found.waiting) == (4, 1, 1, 1, 1)


class TestLeft:
    """How many more random draws the project has."""

    def test_of_a_row_and_its_scopes(self) -> None:
        """What its judge judged in the scopes drawn from, without the draws that are spent."""
        items = (
            item(1, 1.0, (1, 1.0), votes=(vote(1, "1"),)),
            item(2, None, (1, 1.0), votes=(vote(2, "unsure"),)),
            item(3, None, (1, 1.0), votes=(vote(3, "1"), vote(4, "0", "bob")), conflict=True, depth=2),
            item(4, None, (3, 1.0)),
            item(5, 1.0, (1, 1.0), (2, 1.0), votes=(vote(6, "1"),), drawn=False),
        )
        judged = (
            Judged("d", 1, False, (1,), 40),
            Judged("d", 2, False, (1, 2), 20),
            Judged("d", 1, False, (3,), 5),
            Judged("d", 1, False, (2,), 7),  # decides nothing
            Judged("d", 1, True, (3,), 100),  # answers, which nobody drew
        )
        made = dataclasses.replace(record(*items), judged=judged)
        assert [row.left for row in make_report(made).rows] == [63, 65]  # in force; `model` in two versions
        assert [(row.prompt_sha, row.left) for row in make_report(made, by="prompt").rows[1:]] == [
            ("p1", 58),
            ("p2", 27),
        ]
        assert [row.left for row in make_report(made, by="depth").rows] == [63, 43, 20]
        assert make_report(record(*items)).rows[0].left is None

    def test_it_says_so_where_there_are_fewer_than_it_takes(self) -> None:
        """And how many it would take."""
        items = [item(n, float(n % 2), (1, 1.0), votes=(vote(n, str(n % 2)),)) for n in range(10)]
        for size, words in ((15, "all 5 left ("), (10, "none left (")):
            made = make_report(
                dataclasses.replace(record(*items), judged=(Judged("d", 1, False, (1,), size),))
            )
            rows = next(lines for title, _, lines in sections(made) if title.startswith("Further"))
            needed = made.rows[0].random.more_accuracy
            assert rows[0][4] == f"{words}{needed})"
            assert TOO_FEW in method(made)
        made = make_report(dataclasses.replace(record(*items), judged=(Judged("d", 1, False, (1,), 10**6),)))
        assert TOO_FEW not in method(made)

    def test_a_whole_project_leaves_the_policys_share_in_doubt(self) -> None:
        """Projects with every step labelled: the interval covers the policy's share, their own is another."""
        rng = random.Random(7)
        share, covered, exact, runs = 0.8, 0, 0, 300
        for _ in range(runs):
            pairs = []
            for question in range(40):
                easy = rng.betavariate(8, 2)  # 0.8 on average
                pairs += [Pair(True, rng.random() < easy, question) for _ in range(5)]
            found = rates(pairs).accuracy
            assert found.low is not None
            assert found.high is not None
            covered += found.low <= share <= found.high
            exact += found.value == pytest.approx(share)
        assert covered / runs == pytest.approx(0.95, abs=0.035)
        assert exact / runs < 0.2


class TestAuditors:
    def test_pairs_by_the_newest_words(self) -> None:
        """Every two auditors on what both decided; withdrawn and older votes are out."""
        items = [
            item(
                1, None, votes=(vote(1, "1", "ann", newest=False), vote(2, "0", "ann"), vote(3, "0", "bob"))
            ),
            item(2, None, votes=(vote(4, "1", "ann"), vote(5, "0", "bob"), vote(6, "1", "cid"))),
            item(3, None, votes=(vote(7, "unsure", "ann"), vote(8, "1", "bob"))),
            item(4, None, votes=(vote(9, "1", "bob"), vote(10, "1", "cid"), vote(11, "skip", "cid"))),
        ]
        pairs = {(p.first, p.second): p.agreement for p in make_report(record(*items)).pairs}
        assert {names: (found.n, found.agreement.value) for names, found in pairs.items()} == {
            ("ann", "bob"): (2, 0.5),
            ("ann", "cid"): (1, 1),
            ("bob", "cid"): (2, 0.5),
        }

    def test_an_adjudication_does_not_make_auditors_agree(self) -> None:
        """Whether one of the two or a third decides: their own votes are held against each other."""
        items = [
            item(
                1,
                0.0,
                votes=(vote(1, "1"), vote(2, "0", "bob"), vote(3, "0", adjudicates=True)),
            ),
            item(2, 1.0, votes=(vote(4, "1"), vote(5, "0", "bob"), vote(6, "1", "cid", adjudicates=True))),
        ]
        (found,) = make_report(record(*items)).pairs
        assert (found.first, found.second, found.agreement.n) == ("ann", "bob", 2)
        assert found.agreement.agreement.value == 0

    def test_blind_pairs_are_of_votes_before_the_reveal(self) -> None:
        """Two who both came round to the judge had not agreed; open votes are left out."""
        late = {"after_reveal": True, "blind": False}
        items = [
            item(
                1,
                1.0,
                votes=(vote(1, "0", newest=False), vote(1, "1", **late), vote(2, "1", "bob")),
            ),
            item(2, 1.0, votes=(vote(3, "1"), vote(4, "1", "bob", blind=False))),
        ]
        final, blind = (make_report(record(*items), votes=votes).pairs[0] for votes in ("final", "blind"))
        assert (final.agreement.n, final.agreement.agreement.value) == (2, 1)
        assert (blind.agreement.n, blind.agreement.agreement.value) == (1, 0)

    def test_a_repeat_is_no_blind_vote(self) -> None:
        """Its auditor saw the judge at the first showing; how consistent they are it does tell."""
        first = vote(1, "0", newest=False)
        items = [
            item(1, 1.0, (1, 1.0), votes=(first, vote(2, "1", repeats="u1"), vote(3, "1", "bob"))),
            item(2, 1.0, (1, 1.0), votes=(vote(4, "1", blind=False), vote(5, "1", repeats="u4"))),
        ]
        found = make_report(record(*items), votes="blind")
        assert (found.labelled, found.drawn.conflict, found.drawn.waiting) == (0, 1, 1)
        (pair,) = found.pairs
        assert (pair.agreement.n, pair.agreement.agreement.value) == (1, 0)
        assert [(one.auditor, one.reveals) for one in found.reveals] == [("ann", 1), ("bob", 1)]
        (ann,) = found.consistency
        assert (ann.agreement.n, ann.agreement.agreement.value) == (2, 0.5)
        assert make_report(record(*items)).drawn.open == 1

    def test_consistency_is_not_the_judges_doing(self) -> None:
        """A vote that the reveal turned counts as it was before; where none was decided then, not at all."""
        late = {"after_reveal": True, "blind": False, "newest": False}
        first, turned = vote(1, "1", newest=False), Vote(2, "u2", "ann", "0", draw_id=1, **late)  # type: ignore[arg-type]
        unsure, told = vote(4, "unsure", newest=False), Vote(5, "u5", "ann", "0", draw_id=4, **late)  # type: ignore[arg-type]
        items = [
            item(1, 1.0, votes=(first, turned, vote(3, "1", repeats="u2"))),
            item(2, 1.0, votes=(unsure, told, vote(6, "1", repeats="u5"))),
        ]
        (found,) = make_report(record(*items)).consistency
        assert (found.agreement.n, found.agreement.agreement.value) == (1, 1)

    def test_consistency_takes_first_and_repeat(self) -> None:
        """Of one auditor; a change after the reveal of the repeat does not count again."""
        items = [
            item(1, 1.0, votes=(vote(1, "1", newest=False), vote(2, "1", repeats="u1"))),
            item(2, 1.0, votes=(vote(3, "1", newest=False), vote(4, "0", repeats="u3"))),
            item(3, 1.0, votes=(vote(5, "1", withdrawn=True, newest=False), vote(6, "0", repeats="u5"))),
        ]
        (found,) = make_report(record(*items)).consistency
        assert (found.auditor, found.agreement.n, found.agreement.agreement.value) == ("ann", 2, 0.5)

    def test_reveals(self) -> None:
        """Turned are those whose last vote after the reveal is the other one; undecided firsts are none."""
        late = {"after_reveal": True, "blind": False}
        items = [
            item(1, 1.0, votes=(vote(1, "0", newest=False, seconds=2.0), vote(1, "1", **late))),
            item(2, 1.0, votes=(vote(2, "1", seconds=4.0),)),
            item(3, 1.0, votes=(vote(3, "unsure", newest=False), vote(3, "1", **late))),
            item(4, 1.0, votes=(vote(4, "1", withdrawn=True, newest=False), vote(4, "0", **late))),
        ]
        (meter,) = make_report(record(*items)).reveals
        assert (meter.reveals, meter.turned, meter.share.value, meter.median_seconds) == (2, 1, 0.5, 3.0)
        assert meter.labelled == 4
