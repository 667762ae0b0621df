"""Which numbers a step may compute with: the question's, those of earlier steps, and plain constants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from bswirl.judging.tokens import close_digits
from bswirl.judging.words import COINS, CONSTANTS, CONVERSIONS, MEANINGS, MONEY, ORDINALS, SCALES, TENS, UNITS

_TOKEN = re.compile(
    r"(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\w)\.\d+)(?:\s?/\s?(?P<over>\d{1,9})(?![\d/.]))?"
    r"(?P<percent>\s?%|\s?percent\b)?"
    r"|(?P<word>[^\W\d_]+)"
)
_LONGEST_NUMBER = 40


def numbers_in(text: str) -> set[Fraction]:
    """Every number that a text speaks of, in digits or words, shares and percents in each of their forms.

    `20%` gives 20 and 1/5 and what is left of or comes on top of the whole (80, 4/5, 120, 6/5), `two thirds`
    gives 2, 3, 2/3 and 1/3.
    """
    found: set[Fraction] = set()
    for value, percent in _read(text):
        found.add(value)
        if percent:
            found |= _shares(value / 100)
            found |= {share * 100 for share in _shares(value / 100)}
        elif value.denominator != 1:
            found |= {Fraction(value.numerator), Fraction(value.denominator)} | _shares(value)
    return found


def constants_for(text: str) -> set[Fraction]:
    """The plain constants that fit a text: 60 where it speaks of hours, 100 of percents; 0 and 1 always."""
    found = {Fraction(0), Fraction(1)}
    for pattern, numbers in CONSTANTS:
        if pattern.search(text):
            found.update(map(Fraction, numbers))
    for coin, cents in COINS.items():
        if coin in text.lower():
            found |= {Fraction(cents), Fraction(cents, 100), Fraction(100, cents)}
    return found


def converted(numbers: set[Fraction], text: str) -> set[Fraction]:
    """The question's numbers in smaller units that its text may mean: hours in minutes, dollars in cents."""
    found: set[Fraction] = set()
    for pattern, factor in CONVERSIONS:
        if pattern.search(text):
            found |= {number * factor for number in numbers}
    if MONEY.search(text):
        found |= {number * 100 for number in numbers} | {number / 100 for number in numbers}
    return found


def _shares(share: Fraction) -> set[Fraction]:
    return {share, 1 - share, 1 + share}


def _read(text: str) -> Iterator[tuple[Fraction, bool]]:
    """Numbers with whether they are percents. Words such as `two hundred and five` are one number."""
    words: list[str] = []
    before: Fraction | None = None  # the number just before, for `2 million` and `two thirds`
    for match in _TOKEN.finditer(close_digits(text)):
        word = (match["word"] or "").lower()
        if words and not _goes_on(words, word):
            before = _from_words(words)
            yield before, word == "percent"
            words = []
        if words or word in UNITS or word in TENS:
            words.append(word)
        elif match["number"]:
            for value in _from_digits(match):
                before = value
                yield value, bool(match["percent"])
        else:
            yield from ((value, False) for value in _from_word(word, before))
            before = before if word in ("and", "a") else None
    if words:
        yield _from_words(words), False


def _goes_on(words: list[str], word: str) -> bool:
    """Whether a word belongs to the number that the words before it began."""
    last = words[-1]
    if word in SCALES:
        return word != "k"
    if word == "and":
        return last in SCALES
    if word in UNITS or word in TENS:
        return last in SCALES or last == "and" or (last in TENS and UNITS.get(word, 10) < 10)
    return False


def _from_digits(match: re.Match[str]) -> Iterator[Fraction]:
    """The number; of `3/4` both parts and the share, of `48/2`, which is a division, the parts alone."""
    if len(match["number"]) > _LONGEST_NUMBER:
        return
    value, over = Fraction(match["number"].replace(",", "")), int(match["over"] or 0)
    yield value
    if over:
        yield Fraction(over)
        if value < over:
            yield value / over


def _from_words(words: list[str]) -> Fraction:
    total = current = 0
    for word in words:
        if word in SCALES:
            scale = SCALES[word]
            current = max(current, 1) * scale
            if scale > 100:
                total, current = total + current, 0
        else:
            current += UNITS.get(word, TENS.get(word, 0))
    return Fraction(total + current)


def _from_word(word: str, before: Fraction | None) -> Iterator[Fraction]:
    """What a word such as `half`, `thirds`, `dozen` or `million` says, alone and after a number."""
    bottom = ORDINALS.get(word.removesuffix("s"))
    if bottom is not None:
        yield Fraction(bottom)
        yield Fraction(1, bottom)
        if before is not None and before < bottom:
            yield before / bottom
    for value in MEANINGS.get(word, ()):
        yield value
        if before is not None and value.denominator != 1:
            yield before + value
    scale = SCALES.get(word) or (12 if word.startswith("dozen") else None)
    if scale is not None:
        yield Fraction(scale)
        if before is not None:
            yield before * scale
