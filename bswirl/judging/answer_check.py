"""Answer actions go to no judge: they are compared with gold."""

from __future__ import annotations

from bswirl.answers import answers_match, read_answer
from bswirl.judging.judgement import Judgement

VERSION = "answer-check 1"


def check_answer(action: str, gold: str | None) -> Judgement:
    """Whether an answer action states the gold answer, numbers compared as numbers.

    Without a gold answer it stays unjudged; an answer that cannot be read does not match.
    """
    if gold is None or not gold.strip():
        return Judgement(None, None, "The question has no gold answer to compare with.")
    stated = read_answer(action)
    if stated is None:
        return Judgement(False, False, f"No answer can be read here; gold is {gold}.")
    if answers_match(stated, gold):
        return Judgement(True, True, f"The answer {stated} matches gold {gold}.")
    return Judgement(False, False, f"The answer {stated} does not match gold {gold}.")
