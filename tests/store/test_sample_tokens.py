"""Tokens of samples from a journal to who asks for them, and stores from before."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import InputError
from bswirl.store.candidates import read_group_verdicts
from bswirl.store.exports import export_samples
from bswirl.store.migrations import MIGRATIONS, applied
from bswirl.store.sample_tokens import read_action_tokens
from bswirl.store.trees import read_action, read_tree
from bswirl.tokens import StepTokens
from tests.store.kit import Kit, branches, kit_in, trajectory, verdict

FIRST = "Step 1: é = 2"
TOKENS = StepTokens((5, 3, 1, 1, 5), (-0.5, -0.25, -3.0, -0.125, -1.0), "", "\n")


def packed(tokens: StepTokens) -> str:
    return b64encode(tokens.pack()).decode()


def spelled(row: dict[str, Any], *tokens: str | int | None) -> dict[str, Any]:
    """A row with tokens in its samples."""
    for sample, told in zip(row.get("steps") or row["samples"], tokens, strict=False):
        if told is not None:
            sample["tokens"] = told
    return row


def filled(kit: Kit) -> int:
    """A run with one trajectory whose first step has tokens."""
    kit.questions(1)
    run = kit.run()
    kit.feed(run, spelled(trajectory(1, 1, FIRST, "Answer: 24"), packed(TOKENS)))
    return run


class TestReading:
    def test_tokens_come_back_as_they_were(self, kit: Kit) -> None:
        """With their sample; what has none says None."""
        filled(kit)
        (found,) = read_action_tokens(kit.cursor, 1, 10)
        assert found.tokens == TOKENS
        assert (found.sample,) == read_action(kit.cursor, 1).samples
        assert [sample.tokens for sample in read_action_tokens(kit.cursor, 2, 10)] == [None]

    def test_the_newest_samples_come_first(self, kit: Kit) -> None:
        """Each sample of one text with its own tokens; `limit` leaves out the oldest."""
        run = filled(kit)
        other = StepTokens((len(FIRST.encode()),), (-2.0,))
        row = branches(1, 1, 1, FIRST, "Step 1: no", FIRST)
        kit.feed(run, spelled(row, packed(other), None, None))
        found = read_action_tokens(kit.cursor, 1, 10)
        assert [sample.sample.branch_id for sample in found] == [3, 1, 0]
        assert [sample.tokens for sample in found] == [None, other, TOKENS]
        assert read_action_tokens(kit.cursor, 1, 2) == found[:2]

    def test_no_such_action(self, kit: Kit) -> None:
        with pytest.raises(InputError, match="there is no action 7"):
            read_action_tokens(kit.cursor, 7, 10)

    @pytest.mark.parametrize(
        "wrong",
        ["", "!", "AQ==", "AA", packed(StepTokens((3,), (-1.0,))), packed(TOKENS)[:-4]],
        ids=["empty", "no base64", "cut off", "bad padding", "another text", "cut end"],
    )
    def test_what_is_no_tokens_loses_no_sample(self, kit: Kit, wrong: str) -> None:
        """The sample is there, without them."""
        kit.questions(1)
        kit.feed(kit.run(), spelled(trajectory(1, 1, FIRST, "Answer: 24"), wrong))
        assert [sample.tokens for sample in read_action_tokens(kit.cursor, 1, 10)] == [None]
        assert kit.one("SELECT count(*) FROM ingest_errors") == 0


class _Recording:
    """A cursor that remembers what it was asked."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.asked: list[str] = []

    def execute(self, query: str, *values: Any) -> Any:
        self.asked.append(query)
        return self._cursor.execute(query, *values)


class TestOthers:
    def test_nothing_else_reads_them(self, kit: Kit) -> None:
        """Trees, actions, candidates and exports do not name the column."""
        filled(kit)
        kit.feed(kit.run("judge", 2), verdict(1, 1.0))
        cursor: Any = _Recording(kit.cursor)
        read_tree(cursor, 1)
        read_action(cursor, 1)
        read_group_verdicts(cursor, 1)
        list(export_samples(cursor))
        assert len(cursor.asked) > 5
        for query in cursor.asked:
            assert not re.search(r"\btokens\b|samples\.\*|\*\s+FROM samples", query), query
        read_action_tokens(cursor, 1, 1)
        assert re.search(r"\btokens\b", cursor.asked[-1])

    def test_exports_are_the_same_with_and_without(self, kit: Kit, tmp_path: Path) -> None:
        """The format carries the sum alone."""
        filled(kit)
        (tmp_path / "bare").mkdir()
        with kit_in(tmp_path / "bare") as bare:
            bare.questions(1)
            bare.feed(bare.run(), trajectory(1, 1, FIRST, "Answer: 24"))
            assert list(export_samples(bare.cursor)) == list(export_samples(kit.cursor))


class TestUpgrade:
    def test_a_run_goes_on_across_versions(self, tmp_path: Path) -> None:
        """A store and journal rows from before tokens, then rows with them of the same run."""
        with kit_in(tmp_path) as kit:
            kit.questions(1)
            run = kit.run()
            kit.feed(run, trajectory(1, 1, FIRST, "Answer: 24"))
            kit.writer.cursor.execute("ALTER TABLE samples DROP COLUMN tokens")
            kit.writer.cursor.execute("DELETE FROM migrations WHERE name = 'm009_tokens_of_samples'")
        with kit_in(tmp_path) as kit:
            assert applied(kit.cursor) == [name for name, _ in MIGRATIONS]
            kit.feed(run, spelled(branches(1, 1, 1, FIRST), packed(TOKENS)))
            assert [sample.tokens for sample in read_action_tokens(kit.cursor, 1, 10)] == [TOKENS, None]
            assert len(read_action(kit.cursor, 1).samples) == 2
