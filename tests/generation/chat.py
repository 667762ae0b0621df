"""A server that solves sums in steps as chat models do, and runs on it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from bswirl.policies.catalogue import PolicySpec
from bswirl.prompts import shipped_text
from bswirl.records import Question, to_json
from bswirl.runs.folder import RunFolder
from bswirl.serving.calls import ServedModel
from tests.serving.server import FaultServer, Request

PROMPTS = {"solution": shipped_text("solution"), "step": shipped_text("step")}
QUESTIONS = [
    Question(number, "sums", "train", f"q{number}", f"What is {number} + 2 + 3?", gold=str(number + 5))
    for number in range(1, 9)
]


def solve(request: Request) -> list[str]:
    """`n` different replies to either prompt; always the same ones to the same body."""
    seed = int(hashlib.sha256(request.content.encode()).hexdigest()[:6], 16)
    return [reply(request.prompt, seed + index) for index in range(request.n)]


def reply(prompt: str, draw: int) -> str:
    first = int(re.findall(r"What is (\d+) \+ 2 \+ 3\?", prompt)[-1])
    first += draw % 3 == 0  # a slip
    unit = " pens" if draw % 2 else ""
    steps = [
        f"Step 1: {first} + 2 = {first + 2}{unit}.",
        f"Step 2: {first + 2} + 3 = {first + 5}{unit}.",
        f"Answer: {first + 5}",
    ]
    if "Next line:" not in prompt:
        return "\n".join(steps)
    before = prompt.rsplit("Steps so far:", 1)[1].count("Step ")
    return steps[min(before, 2)]


def spec_for(server: FaultServer, **more: Any) -> PolicySpec:
    model = ServedModel("here", server.url, "served", price_in=1.0, price_out=2.0, **more)
    return PolicySpec("chat", "served", kind="served", served=model, prompts=PROMPTS)


def make_run(
    path: Path, spec: PolicySpec, *, questions: list[Question] = QUESTIONS, **settings: Any
) -> RunFolder:
    return RunFolder.create(
        path,
        kind="generate",
        name="chat",
        run_uid="u",
        run_id=1,
        rows=[to_json(question) for question in questions],
        settings={"policy": "chat", "branches": 3, "trajectories": 2, "temperature": 0.8, **settings},
        policies={"chat": spec.to_json()},
    )


def rows_of(folder: RunFolder, *kinds: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in folder.journal_file.read_text().splitlines()]
    return [row for row in rows if row["t"] in (kinds or ("trajectory", "branches", "grown"))]
