"""Final answers as numbers: reading them out of model text and comparing them with gold."""

from __future__ import annotations

import re
from fractions import Fraction

_UNSIGNED = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\w.)])[-−–])?(?:\\?[$€£]\s?(?P<minus>[-−])?)?"
    rf"(?:\\[dt]?frac\{{(?P<top>\d{{1,18}})\}}\{{(?P<bottom>\d{{1,18}})\}}"
    rf"|(?P<mixed>\d{{1,9}})\s(?P<mixed_top>\d{{1,9}})/(?P<mixed_bottom>\d{{1,9}})(?![\d/])"
    rf"|(?P<number>{_UNSIGNED})(?:\s?/\s?(?P<over>\d{{1,18}})(?![\d/.]))?)"
)
_BOXED = re.compile(r"\\boxed\s{0,2}\{")
_STRICT = re.compile(r"(?:\banswer[*_]*\s*[:=]|####)[\s*_]*", re.IGNORECASE)
_PHRASE = re.compile(r"\banswer\s{1,3}is\b\s*:?", re.IGNORECASE)
_MAX_DIGITS = 60


def parse_number(text: str) -> Fraction | None:
    """The first number of `text`, behind its last `=` where there is one; None where there is none.

    Takes `$1,234.50`, `-3`, `3/4`, `1 1/2`, `\\frac{3}{4}`, `24 apples`, `50%` (as 50).
    """
    for part in (text.rpartition("=")[2], text):
        if match := _NUMBER.search(part):
            return _value(match)
    return None


def last_number(text: str) -> Fraction | None:
    """The last number of `text`; None where there is none."""
    value: Fraction | None = None
    for match in _NUMBER.finditer(text):
        value = _value(match)
    return value


def format_number(value: Fraction) -> str:
    """A number as people write it: `24`, `2.5`; `1/3` where no finite decimal says it."""
    if value.denominator == 1:
        return str(value.numerator)
    rest = value.denominator
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def strict_answer(text: str) -> str | None:
    """The answer that stands behind the last `Answer:` or `####` of a solution; None where neither stands.

    A number comes back in plain form (`1234.5`), anything else as it stands.
    """
    label = None
    for match in _STRICT.finditer(text):
        label = match
    return None if label is None else _plain(_first_line(text[label.end() :]))


def flexible_answer(text: str) -> str | None:
    """The last number of a solution in plain form; None where there is none."""
    value = last_number(text)
    return None if value is None else format_number(value)


def read_answer(text: str) -> str | None:
    """The answer that an answer action states: in its box, behind its label, or else its last number."""
    if boxed := _boxed(text):
        return _plain(boxed)
    if (strict := strict_answer(text)) is not None:
        return strict
    phrase = None
    for match in _PHRASE.finditer(text):
        phrase = match
    if phrase and (stated := _plain(_first_line(text[phrase.end() :].lstrip()))) is not None:
        return stated
    return flexible_answer(text)


def answers_match(answer: str | None, gold: str | None) -> bool:
    """Whether two answers are the same: as numbers where both are, else as words."""
    if answer is None or gold is None:
        return False
    number, gold_number = parse_number(answer), parse_number(gold)
    if number is not None or gold_number is not None:
        return number == gold_number
    return _words(answer) == _words(gold) != ""


def _value(match: re.Match[str]) -> Fraction | None:
    part = match.groupdict()
    if max(len(piece) for piece in part.values() if piece) > _MAX_DIGITS:
        return None
    if part["top"]:
        top, bottom, whole = Fraction(part["top"]), int(part["bottom"]), Fraction(0)
    elif part["mixed"]:
        top, bottom, whole = Fraction(part["mixed_top"]), int(part["mixed_bottom"]), Fraction(part["mixed"])
    else:
        top = Fraction(part["number"].replace(",", ""))
        bottom, whole = int(part["over"] or 1), Fraction(0)
    if bottom == 0:
        return None
    value = whole + top / bottom
    return -value if part["sign"] or part["minus"] else value


def _boxed(text: str) -> str | None:
    """What stands in the last `\\boxed{…}`, braces inside it balanced."""
    start = None
    for match in _BOXED.finditer(text):
        start = match.end()
    if start is None:
        return None
    depth = 1
    for index in range(start, min(len(text), start + 2000)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return text[start:index]
    return None


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]


def _plain(text: str) -> str | None:
    number = parse_number(text)
    if number is not None:
        return format_number(number)
    return text.strip().strip("*_`$. ") or None


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
