"""Judging runs: the real worker's work on a real run folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import CancelledError, UsageError
from bswirl.judging.catalogue import resolve_judge
from bswirl.judging.work import run
from bswirl.problems import make_problems, solution_steps
from bswirl.records import Action, FrozenTree, NewQuestion, Question, QuestionTree, State, to_json
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder


def frozen(number: int, problem: NewQuestion, *, gold: str | None) -> FrozenTree:
    """A backbone of the canonical steps, with a wrong branch at the first state."""
    question = Question(number, "d", "train", problem.external_id, problem.text, gold, problem.solution)
    steps = solution_steps(problem.solution or "", problem.gold or "")
    states, actions = [], []
    for depth, text in enumerate(steps):
        state_id = number << 20 | depth
        parent = (state_id - 1, (number << 24) + depth - 1) if depth else (None, None)
        states.append(State(state_id, number, depth, *parent))
        actions.append(Action((number << 24) + depth, state_id, depth + 1, depth == len(steps) - 1, text))
    actions.append(Action((number << 24) + 99, states[0].state_id, 1, False, "Step 1: 2 + 2 = 5"))
    tree = QuestionTree(question, tuple(states), tuple(actions))
    return FrozenTree(tree, tuple(action.action_id for action in actions))


def context(folder: Path, trees: Sequence[FrozenTree], judge: str = "reference") -> RunContext:
    """A run folder as the launcher leaves it."""
    if not folder.exists():
        folder.mkdir()
        data = b"".join(json.dumps(to_json(tree)).encode() + b"\n" for tree in trees)
        (folder / "input.jsonl").write_bytes(data)
        config: dict[str, Any] = {
            "kind": "judge",
            "settings": {"judge": judge},
            "input_sha256": hashlib.sha256(data).hexdigest(),
            "input_rows": len(trees),
        }
        (folder / "config.json").write_text(json.dumps(config))
    return RunContext(RunFolder(folder))


def verdicts(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [row for row in rows if row["t"] == "verdict"]


PROBLEMS = make_problems(3, 12, 0, 0)
TREES = [frozen(number, problem, gold=problem.gold) for number, problem in enumerate(PROBLEMS, start=1)]


class TestRun:
    """bswirl.judging.work.run."""

    def test_every_selected_action_gets_one_verdict(self, tmp_path: Path) -> None:
        """Steps by the reference judge, answers by the answer check; canonical ones earn 1, wrong ones 0."""
        with context(tmp_path / "run", TREES) as work:
            summary = run(work)
        found = verdicts(tmp_path / "run")
        assert sorted(row["action_id"] for row in found) == sorted(
            id_ for tree in TREES for id_ in tree.selected
        )
        for row in found:
            wrong = row["action_id"] & 0xFFFFFF == 99
            assert row["reward"] == (0.0 if wrong else 1.0), row
            assert row["status"] == "judged"
            assert row["rationale"]
            assert row["prompt_sha"] == resolve_judge(row["judge"]).prompt_sha
        answers = [row for row in found if row["judge"] == "answer-check"]
        assert len(answers) == len(TREES) == summary["answers"]
        assert summary["verdicts"] == summary["judged"] == len(found)
        assert summary["mean_reward"] == pytest.approx(sum(row["reward"] for row in found) / len(found))

    def test_only_what_is_selected(self, tmp_path: Path) -> None:
        """Actions that the run is not about stay without a verdict."""
        tree = FrozenTree(TREES[0].tree, TREES[0].selected[:1])
        with context(tmp_path / "run", [tree]) as work:
            run(work)
        assert [row["action_id"] for row in verdicts(tmp_path / "run")] == list(tree.selected)

    def test_answer_check_leaves_steps_alone(self, tmp_path: Path) -> None:
        """The judge `answer-check` says something of answers only."""
        with context(tmp_path / "run", TREES, judge="answer-check") as work:
            summary = run(work)
        assert summary["verdicts"] == summary["answers"] == len(TREES)

    def test_no_gold_is_unjudged(self, tmp_path: Path) -> None:
        """An answer without gold stays unjudged and counts as such."""
        tree = frozen(1, PROBLEMS[0], gold=None)
        with context(tmp_path / "run", [tree], judge="answer-check") as work:
            summary = run(work)
        (row,) = verdicts(tmp_path / "run")
        assert (row["status"], row["reward"]) == ("unjudged", None)
        assert (summary["unjudged"], summary["mean_reward"]) == (1, None)

    def test_resume_judges_the_rest_only(self, tmp_path: Path) -> None:
        """A second attempt keeps the first one's verdicts and repeats none; the summary is of both."""
        with context(tmp_path / "whole", TREES) as work:
            whole = run(work)
        complete = verdicts(tmp_path / "whole")
        context(tmp_path / "run", TREES).close()
        with context(tmp_path / "run", TREES) as work:
            work.emit(*complete[:20])
            assert run(work) == whole
        again = verdicts(tmp_path / "run")
        assert [row["action_id"] for row in again] == [row["action_id"] for row in complete]

    def test_cancelled(self, tmp_path: Path) -> None:
        """A wish to stop is heard; what was judged until then is in the journal."""
        many = [frozen(number, PROBLEMS[number % 12], gold="1") for number in range(1, 200)]
        with context(tmp_path / "run", many) as work:
            work.stop()
            with pytest.raises(CancelledError):
                run(work)
        assert 0 < len(verdicts(tmp_path / "run")) < sum(len(tree.selected) for tree in many)

    def test_progress(self, tmp_path: Path) -> None:
        """The run says how far it is, in actions."""
        with context(tmp_path / "run", TREES) as work:
            run(work)
        rows = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").read_text().splitlines()]
        last = [row for row in rows if row["t"] == "progress"][-1]
        total = sum(len(tree.selected) for tree in TREES)
        assert (last["done"], last["total"], last["unit"]) == (total, total, "actions")

    def test_unknown_judge(self, tmp_path: Path) -> None:
        """A judge that does not exist fails even when there is nothing to do, naming those there are."""
        with (
            context(tmp_path / "run", [], judge="oracle") as work,
            pytest.raises(UsageError, match="reference"),
        ):
            run(work)
