"""A project with judged trees for the audit queue's tests, and real clients on it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from bswirl.client import Client, connect
from bswirl.formats.branched import read_branched
from bswirl.project import Project

STEPS = 3
BRANCHES = 4


def judged_rows(questions: int, seed: int = 0, steps: int = STEPS) -> list[dict[str, Any]]:
    """`branched` samples of `questions` questions with a judge's rewards; texts differ, so groups have five."""
    rng = random.Random(seed)
    rows = []
    for question in range(1, questions + 1):
        taken: list[str] = []
        for step in range(1, steps + 1):
            state = "\n".join([f"Question {question}?", *taken])
            for branch in range(BRANCHES + 1):
                rows.append(
                    {
                        "question_id": f"q{question}",
                        "dataset": "toy",
                        "split": "train",
                        "gold": "24",
                        "trajectory_id": f"t{question}",
                        "step": step,
                        "branch_id": branch,
                        "is_backbone": branch == 0,
                        "state": state,
                        "action": f"Step {step}: way {branch} of question {question}.",
                        "reward": float(rng.random() < 0.7),
                        "judge": "model",
                    }
                )
            taken.append(f"Step {step}: way 0 of question {question}.")
    return rows


def import_judged(client: Client, folder: Path, questions: int, seed: int = 0) -> None:
    """Puts such samples into a project."""
    file = folder / "judged.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in judged_rows(questions, seed)), encoding="utf-8")
    read = read_branched([file])
    assert client.import_samples(read.questions, "judged")["verdicts"] == questions * STEPS * (BRANCHES + 1)


def client_of(project: Project, auditor: str) -> Client:
    """A client of the running owner."""
    return connect(project, auditor=auditor)
