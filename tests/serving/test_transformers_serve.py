"""`transformers serve` with the embedded model as a real endpoint, for a policy and a judge."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bswirl.generation import work as generating
from bswirl.judging import work as judging
from bswirl.judging.catalogue import JudgeSpec
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.smollm2 import copy_for_serving
from bswirl.prompts import Prompt
from bswirl.records import Action, FrozenTree, Question, QuestionTree, State, to_json
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from bswirl.serving.calls import ServedModel
from tests.generation.chat import PROMPTS, rows_of

pytestmark = pytest.mark.weights

START_SECONDS = 120.0
JUDGE_PROMPT = '''
purpose = "judge"
user = """
{question}
{steps}
{step}
Is that step right? End with two lines:
Correct: yes or no
Progress: yes or no"""
'''
QUESTIONS = [
    Question(1, "toy", "train", "q1", "Ada has 2 pens and gets 3. How many pens has she now?", gold="5"),
    Question(2, "toy", "train", "q2", "A box holds 4 eggs. How many eggs do 6 boxes hold?", gold="24"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedModel]:
    """The model behind the server, which is named by its folder there."""
    folder = tmp_path_factory.mktemp("served") / "smollm2"
    copy_for_serving(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder)]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"},
        stdout=(folder.parent / "log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    try:
        wait_until_up(f"http://127.0.0.1:{port}/health", server, folder.parent / "log")
        yield ServedModel("local", f"http://127.0.0.1:{port}/v1", str(folder), in_flight=4, timeout=60)
    finally:
        server.terminate()
        server.wait(30)


def wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_as_a_policy(served: ServedModel, tmp_path: Path) -> None:
    """It ignores n and log-probs: each choice is asked for by itself, and differs from its siblings."""
    folder = RunFolder.create(
        tmp_path / "1",
        kind="generate",
        name="served",
        run_uid="u",
        run_id=1,
        rows=[to_json(question) for question in QUESTIONS],
        settings={"policy": "served", "branches": 2, "temperature": 1.0, "max_tokens": 32, "max_steps": 2},
        policies={
            "served": PolicySpec(
                "served", served.model, kind="served", served=served, prompts=PROMPTS
            ).to_json()
        },
    )
    with RunContext(folder) as context:
        summary = generating.run(context)
    assert (summary["trajectories"], summary["failed"]) == (2, 0)
    solutions = rows_of(folder, "trajectory")
    assert all(row["steps"] or row["unparsed"] for row in solutions)
    states = sum(len(row["steps"]) for row in solutions)
    branches = rows_of(folder, "branches")
    assert len(branches) == states > 0
    drawn = [[item["text"] for item in row["samples"] + row["unparsed"]] for row in branches]
    assert all(len(texts) == 2 for texts in drawn)
    assert any(len(set(texts)) > 1 for texts in drawn)
    (*_, spent) = rows_of(folder, "spending")
    assert spent["failures"] == 0
    assert spent["prompt_tokens"] > spent["completion_tokens"] > 0


def test_as_a_judge(served: ServedModel, tmp_path: Path) -> None:
    """Each step has one outcome: a verdict, or unjudged with what was replied; never a 0 in its place."""
    prompt = Prompt.parse(JUDGE_PROMPT, "here")  # the shipped one is long for a CPU
    spec = JudgeSpec(
        "tiny", served.model, prompt.sha, kind="served", served=served, prompt=prompt.text, max_tokens=24
    )
    tree = QuestionTree(
        QUESTIONS[0],
        (State(1, 1, 0),),
        tuple(Action(n, 1, 1, False, f"Step 1: 2 + 3 = {n} pens.", samples=1) for n in (5, 6)),
    )
    folder = RunFolder.create(
        tmp_path / "1",
        kind="judge",
        name="tiny",
        run_uid="u",
        run_id=1,
        rows=[to_json(FrozenTree(tree, (5, 6)))],
        settings={"judge": "tiny"},
        extra={"judge": spec.to_json()},
    )
    with RunContext(folder) as context:
        summary: dict[str, Any] = judging.run(context)
    verdicts = rows_of(folder, "verdict")
    assert sorted(row["action_id"] for row in verdicts) == [5, 6]
    assert summary["judged"] + summary["unjudged"] == 2
    for row in verdicts:
        assert row["raw"]
        assert (row["reward"] is None) == (row["status"] == "unjudged")
