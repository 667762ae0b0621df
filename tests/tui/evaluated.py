"""Evaluations whose every answer is known, brought in from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from bswirl.client import Client
from bswirl.records import Question, Run, to_json
from bswirl.runs.folder import RunFolder
from bswirl.runs.journal import JournalWriter
from tests.tui.content import HOSTILE, MADE_AT

# Right or wrong on six questions: 2 fixed, 1 broken, 2 both right, 1 both wrong.
BEFORE = (True, True, True, False, False, False)
AFTER = (True, True, False, True, True, False)


def evaluation(
    client: Client, folder: Path, policy: str, right: tuple[bool, ...], *, number: int, status: str = "done"
) -> Run:
    """An evaluation of the first questions that have a tree; the answers to the wrong ones are hostile."""
    rows, _ = client.questions(filter="sampled", limit=len(right))
    questions = [client.tree(row.question_id).question for row in rows]
    run = RunFolder.create(
        folder,
        kind="evaluate",
        name=policy,
        run_uid=f"6b1f0b6e-0000-4000-9000-{number:012}",
        rows=[to_json(question) for question in questions],
        settings={"policy": policy, "max_tokens": 256},
        extra={"select": {"dataset": None, "split": "train", "limit": len(right)}},
        created_by="carol",
    )
    n, correct = len(right), sum(right)
    summary = {
        "accuracy": correct / n, "n": n, "correct": correct, "flexible_accuracy": (correct + 1) / n,
        "unparsed": 1 / n, "truncated": 0.0,
    }  # fmt: skip
    journal: list[dict[str, object]] = [
        {"t": "start", "attempt": 1, "pid": 1, "host": "box", "at": MADE_AT, "code_version": "0.1.0"},
        *(_answer(question, policy, good) for question, good in zip(questions, right, strict=True)),
        {"t": "end", "status": status, "error": None, "exit_code": 0, "summary": summary},
    ]
    writer = JournalWriter(run.journal_file)
    writer.append(json.loads(json.dumps(journal)))
    writer.close()
    run.log_file.write_text("", encoding="utf-8")
    return client.attach_run(folder)


def _answer(question: Question, policy: str, good: bool) -> dict[str, object]:
    says = question.gold if good else HOSTILE
    return {
        "t": "answer",
        "question_id": question.question_id,
        "text": f"Step 1: {policy} thinks.\nAnswer: {says}",
        "strict": says if good else None,
        "flexible": says,
        "is_correct": good,
        "n_tokens": 12,
    }
