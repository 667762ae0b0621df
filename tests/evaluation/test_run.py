"""Whole evaluation runs on a tiny policy, from a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bswirl.answers import algebra
from bswirl.errors import CancelledError, InputError
from bswirl.evaluation import work
from bswirl.policies.catalogue import PolicySpec
from bswirl.records import Question, to_json
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from tests.tiny import save_tiny_policy


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_policy(tmp_path_factory.mktemp("policy") / "tiny")


def question(number: int, gold: str | None = "4") -> Question:
    return Question(number, "tiny", "test", f"q{number}", f"What is {number} + {number}?", gold)


def make_run(path: Path, policy: Path, questions: list[Question]) -> RunFolder:
    return RunFolder.create(
        path,
        kind="evaluate",
        name="test",
        run_uid="uid",
        rows=[to_json(entry) for entry in questions],
        settings={"policy": "tiny", "device": "cpu", "batch_size": 2, "max_tokens": 12},
        policies={"tiny": PolicySpec("tiny", str(policy)).to_json()},
    )


def answers(folder: RunFolder) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in folder.journal_file.read_text().splitlines()]
    return [row for row in rows if row["t"] == "answer"]


class TestRun:
    def test_every_question_is_answered_once(self, tmp_path: Path, policy: Path) -> None:
        """One row a question with its text, and a summary over all."""
        folder = make_run(tmp_path / "run", policy, [question(number) for number in range(1, 6)])
        with RunContext(folder) as context:
            summary = work.run(context)
        rows = answers(folder)
        assert [row["question_id"] for row in rows] == [1, 2, 3, 4, 5]
        keys = "t question_id text strict flexible is_correct n_tokens finish"
        assert set(rows[0]) == set(keys.split())
        assert all(row["text"] and row["n_tokens"] <= 12 for row in rows)
        assert summary["n"] == 5
        assert summary["accuracy_low"] <= summary["accuracy"] <= summary["accuracy_high"]
        assert summary["truncated"] == sum(row["finish"] == "length" for row in rows) / 5

    def test_resume_repeats_nothing_and_ends_the_same(
        self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Cancelled after the first batch, then resumed: the same answers, each once."""
        questions = [question(number) for number in range(1, 8)]
        straight = make_run(tmp_path / "straight", policy, questions)
        with RunContext(straight) as context:
            expected = work.run(context)
        stopped = make_run(tmp_path / "stopped", policy, questions)
        with RunContext(stopped) as context:
            emit = context.emit

            def emit_then_cancel(*rows: Any) -> None:
                emit(*rows)
                if rows[0]["t"] == "answer":
                    context.stop()

            monkeypatch.setattr(context, "emit", emit_then_cancel)
            with pytest.raises(CancelledError):
                work.run(context)
        assert len(answers(stopped)) == 2
        with RunContext(stopped, 2) as context:
            assert work.run(context) == expected
        assert answers(stopped) == answers(straight)
        with RunContext(stopped, 3) as context:
            assert work.run(context) == expected
        assert len(answers(stopped)) == 7

    def test_questions_without_gold_are_left_out(self, tmp_path: Path, policy: Path) -> None:
        """They are counted in a warning; none with gold is an error."""
        folder = make_run(tmp_path / "some", policy, [question(1), question(2, None)])
        with RunContext(folder) as context:
            assert work.run(context)["n"] == 1
        assert "1 questions have no gold answer" in folder.journal_file.read_text()
        assert "formulas" not in folder.journal_file.read_text()
        folder = make_run(tmp_path / "none", policy, [question(2, None)])
        with RunContext(folder) as context, pytest.raises(InputError, match="gold"):
            work.run(context)

    def test_formulas_without_math_verify_are_warned_of(
        self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Their accuracy would be too low."""
        monkeypatch.setattr(algebra, "is_installed", lambda: False)
        golds = enumerate(["\\sqrt{2}", "x + 1", "4", "yes"], start=1)
        folder = make_run(tmp_path / "run", policy, [question(number, gold) for number, gold in golds])
        with RunContext(folder) as context:
            work.run(context)
        assert "2 gold answers are formulas" in folder.journal_file.read_text()
