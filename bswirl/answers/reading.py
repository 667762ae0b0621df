"""Answers as solutions state them: strictly, behind a mark; flexibly, as the last number; or in any style."""

from __future__ import annotations

import re

from bswirl.answers.latex import boxed
from bswirl.answers.numbers import last_number, read_quantity

_LOOKAHEAD = 2000  # characters behind a mark that are looked at
_EMPTY_LINES = 4  # that may stand between a mark and its answer
_MOST_MARKS = 50  # that are looked at, from the last one back

_MARK = re.compile(
    r"(?<!#)(?P<hashes>####)(?!#)"
    r"|(?<![\w-])answer[*_`\"']{0,4}\s{0,3}(?:\([^()\n]{0,40}\)[*_`]{0,4}\s{0,3})?[:=]"
    r"|^[ \t>*_`#•-]{0,20}(?:the\s{1,3})?(?:(?:final|correct)\s{1,3})?answer[*_`# \t]{0,20}$",  # a heading
    re.IGNORECASE | re.MULTILINE,
)
_PHRASE = re.compile(r"\banswer\s{1,3}is\b\s{0,3}:?", re.IGNORECASE)
_HEADING = re.compile(r"[\s*_]*(?:\d{1,2}[.)]\s+\S|step\s*\d)", re.IGNORECASE)
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(])")
_LAYOUT = " \t\r\n*_`#"
_MATHS = ("\\[", "\\]", "\\(", "\\)")


def strict_answer(text: str) -> str | None:
    """The answer behind the last mark of a solution, `Answer:` or `####`; None where neither stands.

    A number comes back in plain form (`1234.5`, `50%`), anything else as it stands.
    """
    for mark in _last(_MARK, text):
        if mark["hashes"] and _is_heading(text[mark.end() : mark.end() + _LOOKAHEAD]):
            continue
        if (found := _behind(text, mark.end())) is not None:
            return found
    return None


def flexible_answer(text: str) -> str | None:
    """The last number of a solution in plain form; None where there is none.

    A time, a date or a range at that place comes back as it stands.
    """
    return last_number(text)


def read_answer(text: str) -> str | None:
    """The answer of an answer action: in its box, behind its mark or phrase, or else its last number."""
    if (box := boxed(text)) is not None and (found := stated(box)) is not None:
        return found
    if (strict := strict_answer(text)) is not None:
        return strict
    for phrase in _last(_PHRASE, text):
        if (found := _behind(text, phrase.end())) is not None:
            return found
    return flexible_answer(text)


def stated(text: str) -> str | None:
    """The answer that one line states: a number in plain form, else its words or formula; None for neither.

    A box or the one bold number in it counts before the rest, the first sentence with a number before others.
    """
    while (found := _stated(text)) is not None and found != text:
        text = found
    return found


def _stated(text: str) -> str | None:
    if (box := boxed(text)) is not None:
        return box
    bold = [found for found in _BOLD.findall(text) if any(char.isdigit() for char in found)]
    text = _bare(bold[0] if len(bold) == 1 else text)
    quantity = read_quantity(_sentence(text))
    return str(quantity) if quantity is not None else text or None


def _behind(text: str, start: int) -> str | None:
    """The answer on the first line behind `start` that has one."""
    for line in text[start : start + _LOOKAHEAD].lstrip(_LAYOUT).split("\n", _EMPTY_LINES)[:_EMPTY_LINES]:
        if (found := stated(line)) is not None:
            return found
    return None


def _is_heading(behind: str) -> bool:
    """Whether `####` begins a Markdown heading: a numbered one, or words with more text below."""
    line, _, below = behind.partition("\n")
    if _HEADING.match(line):
        return True
    return not any(char.isdigit() or char == "\\" for char in line) and bool(line.strip() and below.strip())


def _sentence(text: str) -> str:
    sentences = _SENTENCE_END.split(text)
    return next((sentence for sentence in sentences if any(char.isdigit() for char in sentence)), text)


def _bare(text: str) -> str:
    """Text without the spaces, emphasis and math delimiters around it, and without its full stop."""
    while True:
        stripped = text.lstrip(_LAYOUT).rstrip(_LAYOUT + ".")
        if stripped.startswith("$") and (stripped.endswith("$") or stripped.startswith("$$")):
            stripped = stripped.strip("$")
        for delimiter in _MATHS:
            stripped = stripped.removeprefix(delimiter).removesuffix(delimiter)
        if stripped == text:
            return text
        text = stripped


def _last(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """The last matches of a pattern, the very last one first."""
    return list(pattern.finditer(text))[: -_MOST_MARKS - 1 : -1]
