"""Solutions annotated as GSM8K's are: `Half of 48 is 48/2=<<48/2=24>>24`, at the end `#### 72`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bswirl.steps import is_answer_text

_ANNOTATION = re.compile(r"<<([^<>\n]*)>>")
_GOLD = re.compile(r"^\s*####.*", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Calculation:
    """One annotated calculation: `expression` is the left side, `result` the right one."""

    expression: str
    result: str


def calculations(solution: str) -> tuple[Calculation, ...]:
    """The annotated calculations of a solution, in order."""
    found = []
    for match in _ANNOTATION.finditer(solution):
        expression, equals, result = match.group(1).rpartition("=")
        if equals and expression.strip() and result.strip():
            found.append(Calculation(expression.strip(), result.strip()))
    return tuple(found)


def unannotated(solution: str) -> str:
    """A solution's text without its annotations."""
    return _ANNOTATION.sub("", solution)


def solution_steps(solution: str, gold: str) -> tuple[str, ...]:
    """A solution as canonical actions: each line as `Step k: …` without annotations, then `Answer: gold`.

    Lines that already read as a final answer are left out.
    """
    body = _GOLD.sub("", unannotated(solution))
    lines = [" ".join(line.split()) for line in body.split("\n")]
    kept = [line for line in lines if line and not is_answer_text(f"Step 1: {line}")]
    return (*(f"Step {number}: {line}" for number, line in enumerate(kept, start=1)), f"Answer: {gold}")
