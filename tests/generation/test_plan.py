from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.generation.plan import (
    GenerateSettings,
    Plan,
    Standing,
    branches_row,
    trajectory_row,
)
from bswirl.policies.base import Sampled
from bswirl.records import Question

QUESTION = Question(7, "sums", "train", "q7", "Add 1 and 2.", gold="3")
SETTINGS = GenerateSettings("p", branches=3, trajectories=2, max_steps=4)


def sampled(text: str, finish: Any = "stop") -> Sampled:
    """A solution of one token a character, and an end-of-turn token where it stopped by itself."""
    ends = tuple(range(1, len(text) + 1)) + ((len(text),) if finish == "stop" else ())
    return Sampled(text, len(ends), -1.0 * len(ends), finish, None, ends, (-1.0,) * len(ends))


def row_of(text: str, finish: Any = "stop", settings: GenerateSettings = SETTINGS) -> dict[str, Any]:
    return trajectory_row(QUESTION, 1, sampled(text, finish), settings, "sha")


class TestTrajectoryRows:
    def test_a_solution_is_cut_into_its_steps(self) -> None:
        """Each with its own tokens and log-prob, terminator included."""
        row = row_of("Step 1: 1 + 2 = 3.\nAnswer: 3")
        assert row["steps"] == [
            {
                "text": "Step 1: 1 + 2 = 3.",
                "is_answer": False,
                "n_tokens": 19,
                "logprob": -19.0,
                "finish": "stop",
            },
            {"text": "Answer: 3", "is_answer": True, "n_tokens": 10, "logprob": -10.0, "finish": "stop"},
        ]
        assert (row["answer"], row["is_correct"], row["unparsed"]) == ("3", True, None)
        assert (row["question_id"], row["number"], row["policy"], row["prompt_sha"]) == (7, 1, "p", "sha")

    @pytest.mark.parametrize(
        ("text", "correct"), [("Answer: 3.00", True), ("Answer: 4", False), ("x", False)]
    )
    def test_the_answer_is_compared_with_gold(self, text: str, correct: bool) -> None:
        """As a number; a solution without an answer is wrong."""
        assert row_of(text)["is_correct"] is correct

    def test_without_gold_nobody_knows(self) -> None:
        """Neither right nor wrong."""
        question = Question(7, "sums", "train", "q7", "Add 1 and 2.")
        row = trajectory_row(question, 1, sampled("Answer: 3"), SETTINGS, "sha")
        assert (row["answer"], row["is_correct"]) == ("3", None)

    def test_an_unfinished_step_is_kept_as_unparsed(self) -> None:
        """When tokens ran out in the middle of it."""
        row = row_of("Step 1: 1 + 2 = 3.\nStep 2: and th", "length")
        assert [step["text"] for step in row["steps"]] == ["Step 1: 1 + 2 = 3."]
        assert row["unparsed"] == "Step 2: and th"

    def test_more_steps_than_allowed_are_kept_as_unparsed(self) -> None:
        """The first ones count."""
        row = row_of("a\nb\nc\nd\ne\nAnswer: 3")
        assert [step["text"] for step in row["steps"]] == ["a", "b", "c", "d"]
        assert (row["answer"], row["unparsed"]) == (None, "e\nAnswer: 3")

    @pytest.mark.parametrize(("text", "finish"), [("", "stop"), ("\n \n", "stop"), ("Step", "length")])
    def test_what_holds_no_step_is_kept_as_it_is(self, text: str, finish: str) -> None:
        """With no steps, so that it is counted and not sampled again."""
        row = row_of(text, finish)
        assert (row["steps"], row["unparsed"]) == ([], text)

    @given(
        st.lists(
            st.sampled_from(["Step 1: a", "1. b", "c", "", " ", "Answer: 3", "**Answer:**", "$\\boxed{3}$"])
        )
    )
    def test_nothing_sampled_is_lost(self, lines: list[str]) -> None:
        """Every character that is no blank is in a step, unparsed, or behind the answer; the row is JSON."""
        text = "\n".join(lines)
        row = json.loads(json.dumps(row_of(text, settings=GenerateSettings("p", max_steps=100))))
        kept = "".join(step["text"] for step in row["steps"]) + (row["unparsed"] or "")
        squeezed = "".join(text.split())
        assert squeezed.startswith("".join(kept.split()))
        if row["answer"] is None and not any(step["is_answer"] for step in row["steps"]):
            assert "".join(kept.split()) == squeezed


class TestBranchRows:
    def test_branches_are_numbered_from_one(self) -> None:
        """Those that hold no step keep their number and stand apart."""
        samples = [
            Sampled("Step 2: x", 4, -1.23456789, "stop", False),
            Sampled("Step 2: and", 3, -2.0, "length"),
            Sampled("Answer: 3", 5, -3.0, "stop", True),
        ]
        row = branches_row((7, 1, 2), samples, SETTINGS, "sha")
        assert row["samples"] == [
            {
                "branch_id": 1,
                "text": "Step 2: x",
                "is_answer": False,
                "n_tokens": 4,
                "logprob": -1.234568,
                "finish": "stop",
            },
            {
                "branch_id": 3,
                "text": "Answer: 3",
                "is_answer": True,
                "n_tokens": 5,
                "logprob": -3.0,
                "finish": "stop",
            },
        ]
        assert row["unparsed"] == [{"branch_id": 2, "text": "Step 2: and", "finish": "length"}]
        assert (row["question_id"], row["number"], row["step"]) == (7, 1, 2)


class TestPlans:
    def test_an_empty_journal_lacks_everything(self) -> None:
        """Every question's trajectories, and no state before there is one."""
        plan = Plan([QUESTION], SETTINGS)
        assert plan.missing_backbones(Standing()) == [(7, 1), (7, 2)]
        assert plan.missing_states(Standing()) == []
        assert plan.progress(Standing()) == (0, 2 * 5 * 4)

    def test_a_journal_says_what_is_left(self) -> None:
        """A trajectory without its branches lacks those of the states that have none."""
        plan = Plan([QUESTION], SETTINGS)
        samples = [Sampled("b", 1, -1.0, "stop", False), Sampled("c", 1, -1.0, "length")]
        standing = Standing.of(
            [
                {"t": "start"},
                row_of("Step 1: a\nAnswer: 3"),
                branches_row((7, 1, 1), samples, SETTINGS, "sha"),
                {"t": "progress", "done": 1, "total": 2},
            ]
        )
        assert plan.missing_backbones(standing) == [(7, 2)]
        assert plan.missing_states(standing) == [(7, 1, 2)]
        assert plan.progress(standing) == (4, 4 + 2 * 4 + 3)

    def test_a_state_is_the_steps_before_it(self) -> None:
        """Verbatim, with a stream of its own."""
        plan = Plan([QUESTION], SETTINGS)
        standing = Standing.of([row_of("Step 1: a \n\nStep 2: b\nAnswer: 3")])
        request = plan.branch_request(QUESTION, (7, 1, 3), standing)
        assert (request.steps, request.n, request.stop) == (("Step 1: a", "Step 2: b"), 3, "step")
        keys = {plan.branch_request(QUESTION, (7, 1, step), standing).key for step in (1, 2, 3)}
        assert len(keys | {plan.backbone_request(QUESTION, 1).key}) == 4

    def test_no_branches_are_no_states(self) -> None:
        """A run of solutions alone."""
        plan = Plan([QUESTION], GenerateSettings("p", branches=0))
        standing = Standing.of([row_of("Step 1: a\nAnswer: 3")])
        assert plan.missing_states(standing) == []
        assert plan.progress(standing) == (2, 2)

    def test_settings_leave_out_what_is_not_theirs(self) -> None:
        """A run's config also holds what its questions were chosen by."""
        settings = GenerateSettings.from_dict({"policy": "p", "branches": 2, "dataset": "gsm8k", "limit": 3})
        assert settings == GenerateSettings("p", branches=2)
