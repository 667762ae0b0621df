"""GSM8K's own JSONL: `question`, and `answer` with `<<…>>` annotations and `#### gold` at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bswirl.formats.lines import BadLineError, Line, Reject, read_lines, split_of, text_field
from bswirl.records import NewQuestion

_GOLD_MARK = "####"


def read_gsm8k(
    path: Path, *, dataset: str = "gsm8k", split: str | None = None
) -> tuple[list[NewQuestion], list[Reject]]:
    """The questions of a file, and the lines that hold none.

    A question's id is its split and line number. `solution` is the answer before the mark, verbatim; `gold`
    what stands behind it, without thousands commas. Raises InputError where the file cannot be read.
    """
    split = split_of(path, split)
    questions: list[NewQuestion] = []
    rejects: list[Reject] = []
    for line in read_lines(path):
        if isinstance(line, Reject):
            rejects.append(line)
            continue
        try:
            questions.append(_question(line, dataset, split))
        except BadLineError as error:
            rejects.append(Reject(str(path), line.number, str(error), line.raw))
    return questions, rejects


def _question(line: Line, dataset: str, split: str) -> NewQuestion:
    text = text_field(line.value, "question")
    solution, gold = _solution_and_gold(line.value)
    return NewQuestion(
        dataset=dataset,
        split=split,
        external_id=f"{split}-{line.number}",
        text=text,
        gold=gold,
        solution=solution,
    )


def _solution_and_gold(value: dict[str, Any]) -> tuple[str, str]:
    solution, mark, gold = text_field(value, "answer").rpartition(_GOLD_MARK)
    if not mark:
        raise BadLineError(f"`answer` has no `{_GOLD_MARK} gold` at its end")
    gold = gold.strip().replace(",", "")
    if not gold:
        raise BadLineError(f"nothing stands behind `{_GOLD_MARK}` in `answer`")
    return solution.rstrip("\n"), gold
