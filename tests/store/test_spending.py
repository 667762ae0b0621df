"""Votes, costs, copied verdicts and prompts in the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bswirl.store.database import open_database
from bswirl.store.migrations import MIGRATIONS, applied
from bswirl.store.queries import read_ingest_errors
from bswirl.store.runs import find_run
from bswirl.store.trees import read_action, read_tree
from tests.store.kit import Kit, branches, trajectory, verdict

SPENT = {
    "calls": 5,
    "requests": 7,
    "recorded": 1,
    "failures": 0,
    "prompt_tokens": 900,
    "completion_tokens": 80,
    "cost": 0.25,
    "uncertain": 0.01,
    "in_flight": 3,
}


class TestVerdicts:
    def test_votes_and_cost_come_back(self, kit: Kit) -> None:
        """As the journal had them; a verdict without them has none."""
        kit.questions(1)
        kit.feed(kit.run(), trajectory(1, 0, "a", "b", answer=False), branches(1, 0, 1, "A"))
        first, _, copied = (action.action_id for action in read_tree(kit.cursor, 1).actions)
        votes = {"correct": [2, 1], "progress": [3, 0], "asked": 4}
        spent: dict[str, Any] = {"cost": 0.002, "prompt_tokens": 700, "completion_tokens": 90}
        kit.feed(
            kit.run("judge", 2),
            verdict(first, 1.0, votes=votes, **spent),
            verdict(copied, 1.0, duplicate_of=first),
        )
        (said,) = read_action(kit.cursor, first).verdicts
        assert said.votes == votes
        assert (said.cost, said.prompt_tokens, said.completion_tokens) == (0.002, 700, 90)
        assert said.duplicate_of is None
        (said,) = read_action(kit.cursor, copied).verdicts
        assert (said.votes, said.cost, said.duplicate_of) == (None, None, first)

    @pytest.mark.parametrize(
        "broken", [{"votes": [1]}, {"votes": {"p": float("nan")}}, {"cost": "much"}, {"prompt_tokens": 1.5}]
    )
    def test_a_broken_row_stops_no_other(self, kit: Kit, broken: dict[str, Any]) -> None:
        """It is kept with why it cannot be used."""
        kit.questions(1)
        kit.feed(kit.run(), trajectory(1, 0, "a", answer=False))
        action = read_tree(kit.cursor, 1).actions[0].action_id
        run = kit.run("judge", 2)
        kit.feed(run, verdict(action, 1.0, **broken), verdict(action, 0.0))
        (error,) = read_ingest_errors(kit.cursor, run, 10)
        assert f"`{next(iter(broken))}`" in error["error"]
        assert [said.reward for said in read_action(kit.cursor, action).verdicts] == [0.0]


class TestPrompts:
    def test_a_prompt_is_kept_once(self, kit: Kit) -> None:
        """Whichever runs asked with it."""
        row = {"t": "prompt", "sha": "s", "purpose": "judge", "text": "Is it\x1b right?"}
        kit.feed(kit.run("judge", 1), row, row)
        kit.feed(kit.run("judge", 2), row, {**row, "sha": "other"})
        found = kit.all("SELECT sha, purpose, text FROM prompts ORDER BY sha")
        assert found == [("other", "judge", "Is it\x1b right?"), ("s", "judge", "Is it\x1b right?")]

    def test_one_without_a_text_is_refused(self, kit: Kit) -> None:
        """And named."""
        run = kit.run("judge", 1)
        kit.feed(run, {"t": "prompt", "sha": "s", "purpose": "judge"})
        assert kit.one("SELECT count(*) FROM prompts") == 0
        assert "`text`" in read_ingest_errors(kit.cursor, run, 10)[0]["error"]


class TestSpending:
    def test_it_stands_beside_a_run(self, kit: Kit) -> None:
        """While it is running and after its end, whatever the end row says."""
        run = kit.run("judge", 1)
        kit.feed(run, {"t": "start", "attempt": 1}, {"t": "spending", **SPENT})
        assert find_run(kit.cursor, kit.folder, run).summary["spending"] == SPENT
        later = {**SPENT, "calls": 9, "cost": 0.5}
        kit.feed(run, {"t": "spending", **later}, {"t": "end", "status": "done", "summary": {"judged": 3}})
        summary = find_run(kit.cursor, kit.folder, run).summary
        assert (summary["judged"], summary["spending"]) == (3, later)


class TestMigration:
    def test_an_old_store_gets_the_columns(self, tmp_path: Path) -> None:
        """Verdicts of before stay as they were, still append-only."""
        before = [name for name, _ in MIGRATIONS].index("m006_votes_costs_and_prompts")
        path, scratch = tmp_path / "store.duckdb", tmp_path / "tmp"
        old = open_database(path, scratch, MIGRATIONS[:before])
        old.execute("INSERT INTO judges VALUES (1, 'reference', 'rules', 'sha', 1)")
        old.execute(
            "INSERT INTO verdicts VALUES"
            " (1, 7, 1, 1, 1, 'judged', true, true, 1.0, 'why', NULL, 2.0, TIMESTAMP '2025-01-01')"
        )
        old.close()
        new = open_database(path, scratch)
        assert applied(new) == [name for name, _ in MIGRATIONS]
        assert new.execute(
            "SELECT rationale, votes, cost, prompt_tokens, completion_tokens, duplicate_of FROM verdicts"
        ).fetchall() == [("why", None, None, None, None, None)]
        with pytest.raises(Exception, match="append-only"):
            new.execute("UPDATE verdicts SET votes = '{}'")
        assert new.execute("SELECT count(*) FROM prompts").fetchall() == [(0,)]
        new.close()
