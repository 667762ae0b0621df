"""The rows that a run is about, as the owner selects them, and why there may be none."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from bswirl.client import Client
from bswirl.errors import BswirlError, ExitCode, InputError
from bswirl.launch.requests import RunRequest
from bswirl.records import FrozenTree, Question, QuestionTree, from_json, to_json


class NothingToDoError(BswirlError):
    """All that was asked for has been done before: worth a word, and no failure."""

    exit_code = ExitCode.DONE


def input_rows(client: Client, request: RunRequest, left_out: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The run's input, row by row; at its end `left_out` says what was not selected and why."""
    kind = "generate" if request.from_solutions else request.selects
    rows = _noting(client.select(kind, **request.select), left_out)
    return _solution_trees(rows) if request.from_solutions else rows


def _noting(
    rows: Generator[dict[str, Any], None, dict[str, Any]], left_out: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    left_out.update((yield from rows) or {})


def _solution_trees(questions: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Trees without actions of the questions that have a solution to learn from."""
    for row in questions:
        question = from_json(Question, row)
        if question.solution:
            yield to_json(FrozenTree(QuestionTree(question, (), ()), ()))


def nothing_selected(request: RunRequest, left_out: dict[str, Any]) -> BswirlError:
    """Why a run would have no input, and what to do about it."""
    considered = left_out.get("considered", 0)
    reasons = {reason: count for reason, count in left_out.get("reasons", {}).items() if count}
    if request.kind == "judge":
        if not considered:
            return InputError("there is nothing to judge", "sample something: `bswirl generate --policy P`")
        if set(reasons) <= {"already judged", "no gold answer"}:
            return NothingToDoError(
                f"nothing to do: {request.name} has judged all it can of {considered} actions",
                "--again judges them once more",
            )
    elif not considered:
        return InputError("the project has no questions", "import some: `bswirl import gsm8k FILE`")
    if request.from_solutions and not reasons:
        return InputError("none of the questions has a solution", "sft_source rewarded learns from samples")
    why = ", ".join(f"{count} ({reason})" for reason, count in reasons.items()) or "no reason was given"
    filtered = any(reason.startswith(("trajectories ", "groups ", "questions ")) for reason in reasons)
    remedies = {
        "train": "choose another filter or a wider difficulty: `bswirl selections show` counts what is left"
        if filtered
        else "choose another dataset or split, or generate and judge first",
        "judge": "choose another dataset or split",
    }
    return InputError(
        f"the run would have no input; left out of {considered}: {why}",
        remedies.get(request.kind, "choose another dataset or split: `bswirl stats` counts them"),
    )
