"""A step's text as tokens: numbers, operators, equals signs, brackets, words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from bswirl.judging.expressions import Number
from bswirl.judging.words import TENS, UNITS
from bswirl.steps import strip_marker

Kind = Literal["number", "operator", "equals", "roughly", "says", "open", "close", "word", "break"]

_LONGEST_TEXT = 20_000
_LONGEST_NUMBER = 40

_LATEX_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mathbf|boxed|mbox)\s?\{([^{}]{0,200})\}")
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\s?\{([^{}]{1,60})\}\s?\{([^{}]{1,60})\}")
_LATEX_SIGNS = (
    (re.compile(r"\\(?:times|cdot)\b"), "*"),
    (re.compile(r"\\div\b"), "/"),
    (re.compile(r"\\(?:approx|simeq)\b"), "≈"),
    (re.compile(r"\\(?:implies|Rightarrow|rightarrow|to|neq?|geq?|leq?)\b"), ";"),
    (re.compile(r"\\(?:left|right|quad|qquad|displaystyle)\b"), " "),
    (re.compile(r"\\[()]"), " "),
    (re.compile(r"\\[\[\]]"), " ; "),
    (re.compile(r"\\[,;:! ]"), " "),
    (re.compile(r"\\([$%#&])"), r"\1"),
)
_BULLET = re.compile(r"^[ \t]*(?:[-*•+]|\(?\d{1,2}[.)])[ \t]+", re.MULTILINE)
_SPACED_DIGITS = re.compile(r"\$\s?\d{1,3}(?: \d{3})+(?!\d)")
_TOKEN = re.compile(
    r"(?P<mixed>(?<![\d.,/])(?P<whole>\d{1,9})\s(?P<top>\d{1,9})/(?P<bottom>\d{1,9})(?![\d/.]))"
    r"|(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\w)\.\d+)"
    r"(?P<tail>\s?%|\s?percent\b|(?:st|nd|rd|th)\b)?"
    r"|(?P<relation>=>|->|→|⇒|>=|<=|!=|≠|≥|≤|[<>])"
    r"|(?P<roughly>≈|≃|~=?)"
    r"|(?P<equals>=+)"
    r"|(?P<per>/\s?(?=[^\W\d_]))"
    r"|(?P<cross>[xX](?=\s?\\?[$€£]?\s?[\d(.]))"
    r"|(?P<times>\btimes(?=\s+(?:the\s+)?[$(]?\s?[\d.(])|\btimes(?=\s+(?:two|three|four|five|six|ten)\b))"
    r"|(?P<operator>[-+*/^×÷·⋅∗−–])"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])"
    r"|(?P<word>[^\W\d_](?:[^\W\d_]|['’](?=[^\W\d_]))*)"
    r"|(?P<stop>[.,;:!?\n|])",
)
_OPERATORS = {"×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "−": "-", "–": "-"}
_WORD_OPERATORS = {"plus": "+", "minus": "-"}
_BY = {"multiplied": "*", "divided": "/"}
_SAYS = {"is", "are", "equals", "equal", "makes", "gives", "leaves", "totals", "yields"}
_SCALES = {"k": 1000, "thousand": 1000, "million": 10**6, "billion": 10**9}
_WORD_NUMBERS = {
    "half": Fraction(1, 2),
    **{word: Fraction(value) for word, value in UNITS.items() if value > 1},
    **{word: Fraction(value) for word, value in TENS.items()},
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `number` is set for numbers, `spaced` says that a space stood before it."""

    kind: Kind
    text: str
    number: Number | None = None
    spaced: bool = True


def tokenize(text: str, *, step: bool = True) -> list[Token]:
    """The tokens of a text without currency signs, emphasis and LaTeX; of a `step` without markers too."""
    tokens: list[Token] = []
    shown = text[:_LONGEST_TEXT]
    shown = _undress(_BULLET.sub("", strip_marker(shown)) if step else shown)
    end = 0
    for match in _TOKEN.finditer(shown):
        token = _token(match, spaced=match.start() > end or not tokens)
        end = match.end()
        if not _joins(tokens, token):
            tokens.append(token)
    return tokens


def close_digits(text: str) -> str:
    """An amount such as `$400 000` with its digits together."""
    return _SPACED_DIGITS.sub(lambda match: match.group().replace(" ", ""), text)


def _undress(text: str) -> str:
    text = close_digits(text)
    if "\\" in text:
        for _ in range(3):
            text = _LATEX_FRACTION.sub(r"((\1)/(\2))", _LATEX_TEXT.sub(r" \1 ", text))
        for pattern, sign in _LATEX_SIGNS:
            text = pattern.sub(sign, text)
    text = re.sub(r"\*\*(?!\s?\d+\b\s*[=)])|__|`", " ", text)
    return re.sub(r"[$€£&]|\n(?=[ \t]*[&=])", "", text)


def _token(match: re.Match[str], *, spaced: bool) -> Token:
    text = match.group()
    if match["mixed"]:
        value = Fraction(int(match["top"]), int(match["bottom"])) if int(match["bottom"]) else Fraction(0)
        return Token("number", text, Number(int(match["whole"]) + value), spaced)
    if match["number"]:
        return _number_token(match, text, spaced)
    if match["relation"] or match["stop"]:
        return Token("break", text, None, spaced)
    if match["per"]:
        return Token("word", "per", None, spaced)
    if match["cross"] or match["times"]:
        return Token("operator", "*", None, spaced)
    if match["word"]:
        return _word_token(text.lower(), spaced)
    for kind in ("roughly", "equals", "open", "close"):
        if match[kind]:
            return Token(kind, text, None, spaced)
    return Token("operator", _OPERATORS.get(text, text), None, spaced)


def _number_token(match: re.Match[str], text: str, spaced: bool) -> Token:
    digits, tail = match["number"], (match["tail"] or "").strip()
    if len(digits) > _LONGEST_NUMBER:
        return Token("word", text, None, spaced)
    percent = tail.startswith(("%", "percent"))
    places = len(digits.partition(".")[2])
    return Token("number", text, Number(Fraction(digits.replace(",", "")), places, percent), spaced)


def _word_token(word: str, spaced: bool) -> Token:
    if word in _WORD_OPERATORS:
        return Token("operator", _WORD_OPERATORS[word], None, spaced)
    if word in _SAYS:
        return Token("says", word, None, spaced)
    if word in _WORD_NUMBERS:
        return Token("number", word, Number(_WORD_NUMBERS[word]), spaced)
    return Token("word", word, None, spaced)


def _joins(tokens: list[Token], token: Token) -> bool:
    """Takes `divided by` and `5 million` together with the token before; says whether it did."""
    if not tokens or token.kind != "word":
        return False
    before = tokens[-1]
    if token.text == "by" and before.text in _BY:
        tokens[-1] = Token("operator", _BY[before.text], None, before.spaced)
        return True
    if before.number is not None and token.text in _SCALES and (token.text != "k" or not token.spaced):
        scaled = before.number.value * _SCALES[token.text]
        tokens[-1] = Token("number", f"{before.text} {token.text}", Number(scaled), before.spaced)
        return True
    return False
