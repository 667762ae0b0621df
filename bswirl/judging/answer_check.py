"""Answer actions go to no judge: they are compared with gold."""

from __future__ import annotations

from bswirl.answers import compare, read_answer
from bswirl.judging.judgement import Judgement

VERSION = "answer-check 2"


def check_answer(action: str, gold: str | None) -> Judgement:
    """Whether an answer action states the gold answer, numbers compared as numbers, formulas by algebra.

    An answer that cannot be read does not match. Without a gold answer, and where algebra cannot tell, it
    stays unjudged. Blocks for seconds on some formulas (`bswirl.answers.compare`).
    """
    if gold is None or not gold.strip():
        return Judgement(None, None, "The question has no gold answer to compare with.")
    stated = read_answer(action)
    if stated is None:
        return Judgement(False, False, f"No answer can be read here; gold is {gold}.")
    comparison = compare(stated, gold)
    if comparison.matches is None:
        return Judgement(None, None, f"Whether {stated} is gold {gold} stays open: {comparison.note}.")
    verb = "matches" if comparison.matches else "does not match"
    by = f" ({comparison.note})" if comparison.note else ""
    return Judgement(comparison.matches, comparison.matches, f"The answer {stated} {verb} gold {gold}{by}.")
