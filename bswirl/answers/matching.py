"""Whether two answers are the same: as numbers where both are numbers, as text, or as formulas."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bswirl.answers import algebra
from bswirl.answers.latex import plain_text
from bswirl.answers.numbers import is_odd, read_quantity

LONGEST_FORMULA = 200  # characters

_SIGNS = re.compile(r"[\d\\+*/^=<>|√π∞≤≥±×÷-]")
_OPERATORS = re.compile(r"[A-Za-z\\+*/^=<>|√π∞≤≥±×÷-]")
_FUNCTIONS = re.compile(
    r"\\[A-Za-z]+|\b(?:sqrt|frac|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|log|ln|exp|min|max|gcd|lcm|inf|infinity)"
    r"(?![A-Za-z])"
)
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two answers are the same, None where that cannot be told; `note` says what told, or why not."""

    matches: bool | None
    note: str = ""


def compare(answer: str | None, gold: str | None) -> Comparison:
    """Compares two answers, formulas with math-verify in a process of its own.

    A formula can take seconds (`algebra.CPU_SECONDS`); numbers and words take none.
    """
    plain = plain_match(answer, gold)
    if plain is not None or answer is None or gold is None:
        return Comparison(plain)
    if "=" in answer and "=" in gold and not re.search("[A-Za-z]", answer + gold):
        return Comparison(False)  # any two true equations of numbers are equivalent
    return Comparison(*algebra.equal(answer, gold))


def answers_match(answer: str | None, gold: str | None) -> bool:
    """Whether two answers are the same; what cannot be told is no match."""
    return bool(compare(answer, gold).matches)


def plain_match(answer: str | None, gold: str | None) -> bool | None:
    """Whether two answers are the same, as numbers or as text; None where only algebra can tell."""
    if answer is None or gold is None:
        return False
    one, other = read_quantity(answer), read_quantity(gold)
    if one is not None and other is not None:
        return one.same(other)
    if answer == gold != "" or _words(answer) == _words(gold) != "":
        return True
    formulas = [text for number, text in ((one, answer), (other, gold)) if number is None]
    if not all(_is_formula(text) for text in formulas):
        return False
    if len(formulas) == 1 and not _OPERATORS.search(formulas[0]):
        return False  # a list is no number
    return None


def is_plain(gold: str) -> bool:
    """Whether a gold answer is a number or words, which are compared without algebra."""
    return read_quantity(gold) is not None or not _is_formula(gold)


def _is_formula(text: str) -> bool:
    """Whether a text that is no plain number may be mathematics: symbols, and no words but functions."""
    if len(text) > LONGEST_FORMULA or is_odd(text):
        return False
    plain = plain_text(text)
    return bool(_SIGNS.search(plain)) and not _WORD.search(_FUNCTIONS.sub(" ", plain))


def _words(text: str) -> str:
    """A text without case, layout and the spaces beside signs: `(3, 4)` is `(3,4)`, `Yes.` is `yes`."""
    text = plain_text(text).casefold().strip(" \t\r\n*_`$.")
    if _WORD.search(text) and not re.search(r"[\d\\+*/^=<>{}\[\]()]", text):
        return " ".join(re.findall(r"\w+", text)) or text
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ?([^\w ]) ?", r"\1", text)
    return re.sub(r"^\((\w+)\)$", r"\1", text)
