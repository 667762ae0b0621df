"""A chat model of our own teaching as judge: its reasoning, its probabilities, a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from bswirl.errors import CancelledError
from bswirl.judging.catalogue import JudgeSpec
from bswirl.judging.judgement import StepToJudge
from bswirl.judging.local_chat import _VERDICT_LINE, _VERDICT_TOKENS, LocalChatJudge
from bswirl.judging.work import run
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.local import LoadedModel
from bswirl.policies.rendering import encode_chat
from tests.judging.served_run import judge_spec, opened, rows, run_folder, tree
from tests.policies.small import WORDS, random_model, train_tokenizer

PROMPT = '''name = "judge"
purpose = "judge"
user = """{question} | {steps} | {step}"""
'''
REPLIES = {
    "good": "It adds up .\nCorrect: yes\nProgress: yes",
    "bad": "It is off .\nCorrect: no\nProgress: yes",
    "idle": "It says nothing .\nCorrect: yes\nProgress: no",
}
SAID = {"good": (True, True), "bad": (False, True), "idle": (True, False)}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def spec(model: str = "here") -> JudgeSpec:
    local = PolicySpec("mine", model)
    return JudgeSpec("mine", model, "sha", kind="local", local=local, prompt=PROMPT, max_tokens=40)


@cache
def taught() -> tuple[Any, Any]:
    """A small model that replies as REPLIES say to steps that hold their word, and its tokenizer."""
    texts = [f"user\nWhat is 1 + 2? | (none) | Step 1: {word}\n{reply}" for word, reply in REPLIES.items()]
    tokenizer = train_tokenizer(["system\nYou count.\nassistant\n", *texts] * 3, WORDS)
    model = random_model(tokenizer)
    torch.manual_seed(0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    cases = [
        (encode_chat(tokenizer, chat, ""), encode_chat(tokenizer, chat, reply))
        for number in (1, 2, 3)
        for word, reply in REPLIES.items()
        for chat in [(("user", f"What is {number} + 1? | (none) | Step 1: {word}"),)]
    ]
    width = max(len(whole) for _, whole in cases)
    ids, labels = torch.zeros((len(cases), width), dtype=torch.long), torch.full((len(cases), width), -100)
    for place, (prompt, whole) in enumerate(cases):
        ids[place, : len(whole)] = torch.tensor(whole)
        labels[place, len(prompt) : len(whole)] = torch.tensor(whole[len(prompt) :])
    for _ in range(200):
        model.train()(input_ids=ids, labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval(), tokenizer


@pytest.fixture
def judge() -> LocalChatJudge:
    model, tokenizer = taught()
    loaded = LoadedModel(model, tokenizer, torch.device("cpu"), torch.float32)
    return LocalChatJudge(spec(), loaded, batch_size=2)


def step(word: str, number: int = 2) -> StepToJudge:
    return StepToJudge(f"What is {number} + 1?", None, (), f"Step 1: {word}")


class TestJudge:
    def test_reasons_and_says_how_sure_it_is(self, judge: LocalChatJudge) -> None:
        """The rationale without the verdict, the reply verbatim, and probabilities."""
        words = ["good", "bad", "idle", "bad", "good"]
        found = dict(judge.judge([step(word) for word in words]))
        for place, word in enumerate(words):
            outcome = found[place]
            judgement = outcome.judgement
            assert (judgement.correct, judgement.progress) == SAID[word]
            assert judgement.rationale == REPLIES[word].partition("\n")[0]
            assert (outcome.raw or "").startswith(judgement.rationale)
            votes = outcome.votes or {}
            assert (votes["correct"] > 0.9, votes["correct"] < 0.1) == (SAID[word][0], not SAID[word][0])
            assert (votes["progress"] > 0.9, votes["progress"] < 0.1) == (SAID[word][1], not SAID[word][1])
            assert min(votes["mass"]) > 0.9
            assert (outcome.prompt_tokens or 0) > 5 < (outcome.completion_tokens or 0)

    def test_the_batch_changes_nothing(self, judge: LocalChatJudge) -> None:
        """Alone and beside others the same."""
        together = dict(judge.judge([step("good"), step("bad")]))
        alone = [dict(judge.judge([step(word)]))[0] for word in ("good", "bad")]
        for place, outcome in enumerate(alone):
            assert outcome.judgement == together[place].judgement
            assert (outcome.votes or {})["correct"] == pytest.approx(
                (together[place].votes or {})["correct"], abs=1e-4
            )

    def test_a_tight_step_leaves_others_their_room(self) -> None:
        """One that leaves the model a few tokens cuts its own reasoning short, and nobody else's."""
        model, tokenizer = taught()
        loaded = LoadedModel(model, tokenizer, torch.device("cpu"), torch.float32)
        judge = LocalChatJudge(spec(), loaded, batch_size=2)
        ((_, alone),) = judge.judge([step("bad")])
        prompt = encode_chat(tokenizer, (("user", f"What is 2 + 1? | (none) | Step 1: {'good ' * 9}"),), "")
        judge._limit = len(prompt) + _VERDICT_TOKENS + 2
        found = dict(judge.judge([step("good " * 9), step("bad")]))
        assert found[0].completion_tokens == 2
        assert found[1].judgement == alone.judgement
        assert found[1].completion_tokens == alone.completion_tokens

    @pytest.mark.parametrize(
        ("line", "ends"),
        [
            ("Correct: yes", True),
            ("**Correct:** no", True),
            ("Verdict:", True),
            ("Is correct: yes", True),
            ("Correct so far, as 4 * 6 = 24", False),
            ("Correct working would be: 12", False),
        ],
    )
    def test_where_the_reasoning_ends(self, line: str, ends: bool) -> None:
        """At a verdict, not at a sentence that begins like one."""
        assert (_VERDICT_LINE.search(f"It adds up.\n{line}") is not None) is ends

    def test_a_step_beyond_the_context_stays_unjudged(self, judge: LocalChatJudge) -> None:
        """It alone, with why."""
        long = step("good " * 600)
        found = dict(judge.judge([long, step("bad")]))
        assert (found[0].judgement.status, found[0].reason) == ("unjudged", "too-long")
        assert found[1].judgement.correct is False

    def test_a_model_that_means_something_else(self) -> None:
        """With next to no probability for yes and no there is no verdict."""
        model, tokenizer = taught()
        words = ["yes", "no", "Yes", "No", "YES", "NO", " yes", " no", " Yes", " No", " YES", " NO"]
        banned = {tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in words}

        class Mute(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.config, self.device = model.config, torch.device("cpu")
                self.generation_config = model.generation_config

            def forward(self, **given: Any) -> Any:
                output = model(**given)
                output.logits[..., sorted(banned)] = -60.0
                return output

        loaded = LoadedModel(Mute(), tokenizer, torch.device("cpu"), torch.float32)
        ((_, outcome),) = LocalChatJudge(spec(), loaded, batch_size=2).judge([step("good")])
        assert (outcome.judgement.status, outcome.reason) == ("unjudged", "unreadable")

    def test_can_be_stopped(self, judge: LocalChatJudge) -> None:
        """Between any two tokens or so."""

        def stop() -> None:
            raise CancelledError("enough")

        with pytest.raises(CancelledError):
            list(judge.judge([step("good")], stop))


class TestRun:
    def test_a_run_with_a_model_folder(self, tmp_path: Path) -> None:
        """As the worker does it: answers by the answer check, steps by the model; resumed for nothing."""
        for part in taught():
            part.save_pretrained(tmp_path / "model")
        trees = [tree(number, depth=0, branches=["Step 1: good", "Step 1: bad"]) for number in (1, 2, 3)]
        judge = spec(str(tmp_path / "model"))
        made = run_folder(tmp_path / "7", trees, judge, batch_size=4, device="cpu", near_duplicates="once")
        with opened(made) as context:
            summary = run(context)
        said = [row for row in rows(made) if row["judge"] == "mine"]
        assert [row["correct"] for row in said] == [True, False] * 3
        assert all(row["votes"]["mass"][0] > 0.9 for row in said)
        assert (summary["judged"], summary["answers"], summary["live_groups"]) == (9, 3, 3)
        assert summary["calls"] == 0 == summary["cost"]
        with opened(made) as context:
            assert run(context) == summary
        assert len(rows(made)) == 9
        assert len(rows(made, "prompt")) == 1


@pytest.mark.weights
def test_smollm2_judges(tmp_path: Path) -> None:
    """The embedded model, from its GGUF, with its own template."""
    local = PolicySpec("small", "smollm2")
    judge = judge_spec(
        "http://unused/v1", kind="local", served=None, local=local, prompt=PROMPT, max_tokens=16
    )
    made = run_folder(tmp_path / "7", [tree(2, depth=1)], judge, device="cpu")
    with opened(made) as context:
        run(context)
    row = next(row for row in rows(made) if row["judge"] == "mine")
    assert row["raw"]
    assert 0.0 <= row["votes"]["correct"] <= 1.0
