"""A local chat model as step judge outside of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bswirl.judging.catalogue import JudgeSpec
from bswirl.judging.judgement import Judgement, StepToJudge
from bswirl.judging.stepwise import Asking, step_judge
from bswirl.policies.catalogue import local_spec
from bswirl.prompts import Prompt
from tests.tiny import save_tiny_policy

PROMPT = """name = "short"
purpose = "judge"
user = "{question} {steps} {step}"
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> JudgeSpec:
    folder = save_tiny_policy(tmp_path_factory.mktemp("judge") / "tiny")
    sha = Prompt.parse(PROMPT, "p").sha
    local = local_spec("j", str(folder))
    return JudgeSpec("j", "tiny", sha, "local", local=local, prompt=PROMPT, max_tokens=4)


def steps(count: int) -> list[StepToJudge]:
    return [StepToJudge("Q?", None, (), f"Step 1: {place} + 1 = {place + 1}") for place in range(count)]


def told(spec: JudgeSpec, folder: Path, count: int) -> dict[int, Judgement]:
    asking = Asking(folder, batch_size=2, device="cpu")
    return dict(step_judge(spec, asking)(steps(count)))


def test_what_it_said_is_kept(spec: JudgeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted, it goes on; a torn line is judged again; where all is known no model is loaded."""
    folder = tmp_path / "j"
    asking = Asking(folder, batch_size=2, device="cpu")
    begun = step_judge(spec, asking)(steps(5))
    first = dict(next(begun) for _ in range(3))
    begun.close()
    file = folder / "judged.jsonl"
    assert len(file.read_text().splitlines()) == 3
    file.write_bytes(file.read_bytes()[:-9])
    whole = told(spec, folder, 5)
    assert sorted(whole) == [0, 1, 2, 3, 4]
    assert {place: whole[place] for place in first} == first
    assert len(file.read_text().splitlines()) == 5
    monkeypatch.setattr("bswirl.policies.local.load_model", None)
    assert told(spec, folder, 5) == whole
