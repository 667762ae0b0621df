"""Judging runs against a loopback server: trees, run folders, replies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bswirl.judging.catalogue import JudgeSpec
from bswirl.prompts import shipped
from bswirl.records import Action, FrozenTree, Question, QuestionTree, State, to_json
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from bswirl.serving.calls import ServedModel
from tests.serving.server import Request, completion

PROMPT = '''name = "judge"
purpose = "judge"
system = "You judge."
user = """Q: {question}
S: {steps}
J: {step}"""
'''


def judge_spec(url: str, **changes: Any) -> JudgeSpec:
    """A judge at that address, asked with a short prompt."""
    changes.setdefault("prompt", PROMPT)
    model = ServedModel("test", url, "m", price_in=1.0, price_out=2.0, in_flight=changes.pop("in_flight", 16))
    sha = hashlib.sha256(changes["prompt"].encode()).hexdigest()
    return replace(JudgeSpec("mine", "m", sha, kind="served", served=model, max_tokens=64), **changes)


def tree(number: int, *, branches: Sequence[str] = (), depth: int = 3) -> FrozenTree:
    """A question with a backbone of `depth` steps and an answer, and branches beside the first step."""
    question = Question(number, "d", "train", f"q{number}", f"What is {number} + 1?", str(number + 1))
    states, actions = [], []
    first = number * 1000
    for step in range(depth + 1):
        parent = (first + step - 1, first + step - 1) if step else (None, None)
        states.append(State(first + step, number, step, *parent))
        text = f"Answer: {number + 1}" if step == depth else f"Step {step + 1}: {number} + {step} = ?"
        actions.append(Action(first + step, first + step, step + 1, step == depth, text))
    for place, text in enumerate(branches):
        actions.append(Action(first + 500 + place, first, 1, False, text))
    made = QuestionTree(question, tuple(states), tuple(actions))
    return FrozenTree(made, tuple(action.action_id for action in actions))


def intermediate(trees: Sequence[FrozenTree]) -> list[int]:
    return [a.action_id for one in trees for a in one.tree.actions if not a.is_answer]


def run_folder(folder: Path, trees: Sequence[FrozenTree], spec: JudgeSpec, **settings: Any) -> RunFolder:
    """A run folder as the launcher leaves it."""
    return RunFolder.create(
        folder,
        kind="judge",
        name=spec.name,
        run_uid="u",
        run_id=7,
        rows=map(to_json, trees),
        settings={"judge": spec.name, **settings},
        extra={"judge": spec.to_json()},
    )


def opened(folder: RunFolder) -> RunContext:
    return RunContext(folder)


def rows(folder: RunFolder, kind: str = "verdict") -> list[dict[str, Any]]:
    lines = folder.journal_file.read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["t"] == kind]


def verdict(correct: bool, progress: bool, why: str = "So it is.") -> str:
    words = ("no", "yes")
    return f"{why}\nCorrect: {words[correct]}\nProgress: {words[progress]}"


def judged_step(request: Request) -> str:
    """The step that a request asks about, with the short prompt."""
    return request.prompt.rpartition("J: ")[2]


def by_content(request: Request) -> dict[str, Any]:
    """A verdict that depends on what is asked alone."""
    digest = hashlib.sha256(request.prompt.encode()).digest()
    return completion(
        [verdict(digest[0] % 4 > 0, digest[1] % 3 > 0)], prompt_tokens=100, completion_tokens=10
    )


SHIPPED = shipped("judge").text
