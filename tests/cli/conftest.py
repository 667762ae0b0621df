"""A command line to call, and projects with real owners to call it on."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bswirl.cli import main
from bswirl.client import stop_owner
from bswirl.project import Project

STEPS = ("Step 1: Half of 48 is 48/2=24 clips.", "Step 2: Together 48+24=72 clips.", "Answer: 72")
QUESTION = "Nia sells 48 clips in April and half as many in May. How many clips does she sell?"
SOLUTION = "In May 48/2=<<48/2=24>>24 clips.\nTogether 48+24=<<48+24=72>>72 clips."


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Call = Callable[..., Said]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command line with words."""

    def run(*words: object) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Said(int(code), out, err)

    return run


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project; its owner is ended afterwards."""
    made = Project.create(tmp_path / "project")
    yield made
    stop_owner(made)


@pytest.fixture
def on(call: Call, project: Project) -> Call:
    """Calls the command line on the project."""

    def run(*words: object) -> Said:
        return call("-p", project.root, *words)

    return run


def gsm8k_lines(*answers: object) -> str:
    """A GSM8K file with one question for each answer."""
    return "".join(
        json.dumps(
            {
                "question": f"What is {answer} + 0?",
                "answer": f"{answer}+0=<<{answer}+0={answer}>>{answer}\n#### {answer}",
            }
        )
        + "\n"
        for answer in answers
    )


def branched_lines() -> str:
    """A `branched` file: one question, a right solution, and a wrong second candidate at each state."""
    rows = []
    wrong = ("Step 1: Half of 48 is 48/2=22 clips.", "Step 2: Together 48-24=24 clips.", "Answer: 24")
    for number in range(3):
        for branch_id, action in enumerate((STEPS[number], wrong[number])):
            rows.append(
                {
                    "question_id": "q1",
                    "dataset": "clips",
                    "split": "train",
                    "gold": "72",
                    "solution": SOLUTION,
                    "trajectory_id": "t1",
                    "step": number + 1,
                    "branch_id": branch_id,
                    "is_backbone": branch_id == 0,
                    "state": "\n".join((QUESTION, *STEPS[:number])),
                    "action": action,
                    "reward": None,
                    "logprob": -1.5,
                    "n_tokens": 12,
                }
            )
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def sampled(on: Call, tmp_path: Path) -> Call:
    """Calls the command line on a project that holds one question's branched solution, unjudged."""
    file = tmp_path / "clips.jsonl"
    file.write_text(branched_lines(), encoding="utf-8")
    assert on("import", "branched", file).code == 0
    return on
