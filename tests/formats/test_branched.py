"""The `branched` format: checking rows, placing them in trees, and back."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.formats.branched import OPTIONAL_KEYS, ReadSample, encode_row, read_branched, write_branched
from bswirl.formats.placing import place
from bswirl.interchange import PlacedQuestion, SampleRow

GOOD: dict[str, Any] = {
    "question_id": "q1",
    "step": 1,
    "branch_id": 0,
    "is_backbone": True,
    "state": "How many?",
    "action": "Step 1: 2+2=4",
    "reward": 1,
}


def read(tmp_path: Path, *values: dict[str, Any]) -> tuple[list[ReadSample], list[str]]:
    file = tmp_path / "in.jsonl"
    file.write_text("".join(json.dumps(value) + "\n" for value in values))
    rows, rejects = read_branched(file)
    return rows, [reject.reason for reject in rejects]


class TestReading:
    """read_branched."""

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"step": 0}, "`step` must be a whole number from 1"),
            ({"step": 1.5}, "`step`"),
            ({"step": True}, "`step`"),
            ({"branch_id": 1}, "do not agree"),
            ({"is_backbone": "yes"}, "`is_backbone` must be true or false"),
            ({"reward": 2}, "between 0 and 1"),
            ({"reward": "1"}, "`reward` must be a number"),
            ({"state": ""}, "`state` is empty"),
            ({"action": None}, "`action` is missing"),
            ({"question_id": None}, "`question_id` is missing"),
            ({"split": "tset"}, "`split` must be one of"),
            ({"label": 3}, "`label` must be"),
            ({"label": "withdrawn"}, "`label` must be"),
            ({"n_tokens": -1}, "`n_tokens`"),
            ({"logprob": 10**400}, "`logprob` is too large"),
            ({"reward": -(10**400)}, "`reward` is too large"),
        ],
    )
    def test_bad_rows_say_why(self, tmp_path: Path, change: dict[str, Any], words: str) -> None:
        """A row with a wrong value is rejected with the key's name; the good row beside it is kept."""
        rows, reasons = read(tmp_path, GOOD | change, GOOD)
        assert len(rows) == 1
        assert len(reasons) == 1
        assert words in reasons[0]

    def test_missing_reward_is_not_null_reward(self, tmp_path: Path) -> None:
        """The key must be there; its value may be null."""
        rows, reasons = read(
            tmp_path, GOOD | {"reward": None}, {k: v for k, v in GOOD.items() if k != "reward"}
        )
        assert [row.row.reward for row in rows] == [None]
        assert "`reward` is missing" in reasons[0]

    def test_number_ids_become_text(self, tmp_path: Path) -> None:
        """People write ids as numbers."""
        rows, _ = read(tmp_path, GOOD | {"question_id": 7, "trajectory_id": 3})
        assert (rows[0].row.question_id, rows[0].row.trajectory_id) == ("7", "3")


TEXT = st.text(alphabet=st.sampled_from("ab1=+ \n:é\x1b"), min_size=1, max_size=8).filter(
    lambda text: text.strip()
)


@st.composite
def trees(draw: st.DrawFn) -> list[SampleRow]:
    """Rows of a question: a few trajectories with branches at their states, some sharing prefixes."""
    question = draw(TEXT)
    named = draw(st.booleans())
    pool = draw(st.lists(TEXT, min_size=1, max_size=3))
    rows: list[SampleRow] = []
    for number in range(draw(st.integers(1, 3))):
        steps = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4))
        for index, action in enumerate(steps):
            state = "\n".join([question, *steps[:index]])
            branches = [draw(st.sampled_from(pool)) for _ in range(draw(st.integers(0, 2)))]
            for branch_id, text in enumerate([action, *branches]):
                rows.append(
                    SampleRow(
                        question_id="q",
                        step=index + 1,
                        branch_id=branch_id,
                        is_backbone=branch_id == 0,
                        state=state,
                        action=text,
                        reward=draw(st.sampled_from([None, 0.0, 1.0])),
                        trajectory_id=f"t{number}" if named else None,
                    )
                )
    return rows


def as_read(rows: list[SampleRow]) -> list[ReadSample]:
    return [ReadSample(row, line, encode_row(row)) for line, row in enumerate(rows, start=1)]


def rows_of(placed: list[PlacedQuestion], *, named: bool) -> list[str]:
    """Placed samples as rows again, sorted."""
    found = []
    for question in placed:
        for sample in question.samples:
            row = SampleRow(
                question_id=question.question.external_id,
                step=sample.step,
                branch_id=sample.branch_id,
                is_backbone=sample.is_backbone,
                state="\n".join([question.question.text, *sample.prefix]),
                action=sample.action,
                reward=sample.reward,
                trajectory_id=sample.trajectory_id if named else None,
            )
            found.append(encode_row(row))
    return sorted(found)


class TestPlacing:
    """place."""

    @given(trees(), st.randoms(use_true_random=False))
    def test_every_row_finds_its_place_in_any_order(
        self, rows: list[SampleRow], shuffle: random.Random
    ) -> None:
        """Rows → tree → rows gives the same rows, whatever their order and whether trajectories are named."""
        shuffled = list(rows)
        shuffle.shuffle(shuffled)
        placed, rejects = place("f", as_read(shuffled), dataset="d", split="train")
        assert not rejects
        named = rows[0].trajectory_id is not None
        assert rows_of(placed, named=named) == sorted(encode_row(row) for row in rows)
        for question in placed:
            for sample in question.samples:
                assert len(sample.prefix) == sample.step - 1

    @given(trees(), st.randoms(use_true_random=False))
    def test_places_do_not_depend_on_the_order(self, rows: list[SampleRow], shuffle: random.Random) -> None:
        """The same rows in another order get the same trajectories, so that importing again adds nothing."""
        shuffled = list(rows)
        shuffle.shuffle(shuffled)

        def keys(found: list[SampleRow]) -> list[tuple[str, int, int, str]]:
            placed, _ = place("f", as_read(found), dataset="d", split="train")
            return sorted((s.trajectory_id, s.step, s.branch_id, s.action) for q in placed for s in q.samples)

        assert keys(shuffled) == keys(rows)
        assert len(set(keys(rows))) == len(rows)

    def test_prefix_of_another_trajectory(self) -> None:
        """A branch may hang on steps that only another trajectory's rows spell out, over several lines."""
        first = SampleRow("q", 1, 0, True, "Q\nmore", "Step 1: a\nand b", trajectory_id="t0")
        branch = SampleRow("q", 2, 1, False, "Q\nmore\nStep 1: a\nand b", "Step 2: c", trajectory_id="t1")
        placed, rejects = place("f", as_read([branch, first]), dataset="d", split="train")
        assert not rejects
        assert placed[0].question.text == "Q\nmore"
        prefixes = {sample.action: sample.prefix for sample in placed[0].samples}
        assert prefixes == {"Step 1: a\nand b": (), "Step 2: c": ("Step 1: a\nand b",)}

    def test_unknown_prefix_is_split_by_lines(self) -> None:
        """Where no row spells the steps out, each line is one."""
        row = SampleRow("q", 3, 0, True, "Q\none\ntwo", "three")
        placed, rejects = place("f", as_read([row]), dataset="d", split="train")
        assert not rejects
        assert placed[0].question.text == "Q"
        assert placed[0].samples[0].prefix == ("one", "two")

    def test_rows_without_a_place_are_rejected(self) -> None:
        """A state that cannot be what its row says is named with the line."""
        rows = [
            SampleRow("q", 1, 0, True, "Q", "one", trajectory_id="t"),
            SampleRow("q", 1, 1, False, "Other", "one"),
            SampleRow("q", 2, 1, False, "Other\none", "two"),
            SampleRow("q", 4, 1, False, "Q\none", "two"),
            SampleRow("q", 1, 0, True, "Q", "another", trajectory_id="t"),
        ]
        placed, rejects = place("f", as_read(rows), dataset="d", split="train")
        assert [reject.line for reject in rejects] == [2, 3, 4, 5]
        assert len(placed[0].samples) == 1
        assert "line 1 has another action" in rejects[3].reason

    def test_rows_that_disagree(self) -> None:
        """Of rows that contradict each other, those that stand alone are rejected and named."""
        one = SampleRow("q", 1, 0, True, "Q", "one", 1.0, gold="4", trajectory_id="t")
        rows = [
            one,
            one,
            replace(one, reward=0.0),
            replace(one, branch_id=1, is_backbone=False, gold="5"),
            replace(one, branch_id=2, is_backbone=False, gold=None),
        ]
        placed, rejects = place("f", as_read(rows), dataset="d", split="train")
        assert [(reject.line, reject.reason) for reject in rejects] == [
            (3, "line 1 says something else of this sample"),
            (4, "`gold` differs from other rows of question q"),
        ]
        assert [sample.branch_id for sample in placed[0].samples] == [0, 2]
        assert placed[0].question.gold == "4"


class TestWriting:
    """write_branched."""

    def test_keys_and_values(self, tmp_path: Path) -> None:
        """Optional keys without a value stay out; `reward` never does; written rows read back equal."""
        bare = SampleRow("q", 1, 0, True, "Q", "a\x1b[31m\u2028")
        full = SampleRow(
            question_id="q",
            step=2,
            branch_id=1,
            is_backbone=False,
            state="Q\na",
            action="b \ud800",
            reward=0.5,
            dataset="d",
            split="test",
            gold="4",
            solution="s",
            trajectory_id="t",
            judge="j",
            rationale="because",
            label="0",
            auditor="me",
            logprob=-1.5,
            n_tokens=3,
        )
        file = tmp_path / "out.jsonl"
        assert write_branched(file, [bare, full]) == 2
        lines = [json.loads(line) for line in file.read_bytes().split(b"\n")[:-1]]
        assert set(lines[0]) == {
            "question_id",
            "step",
            "branch_id",
            "is_backbone",
            "state",
            "action",
            "reward",
        }
        assert set(lines[1]) == set(lines[0]) | set(OPTIONAL_KEYS)
        rows, rejects = read_branched(file)
        assert not rejects
        assert [found.row for found in rows] == [bare, full]
