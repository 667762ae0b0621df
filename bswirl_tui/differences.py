"""What one text has and another has not, by words, numbers and operators."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

MOST_PAIRS = 160_000  # of words to hold against each other; beyond, their order is left out of account
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|\S")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """Places in a text."""

    spans: tuple[Span, ...] = ()  # what the other text has not
    gaps: tuple[int, ...] = ()  # where the other text has more, and this one nothing in its place


@dataclass(frozen=True, slots=True)
class _Words:
    words: Sequence[str]
    places: Sequence[Span]


def difference(text: str, other: str) -> Difference:
    """What sets `text` apart from `other`. Spaces do not count; the work is bounded for any length."""
    if text == other:
        return Difference()
    here, there = _words(text), _words(other)
    first = _common(here.words, there.words)
    last = _common(here.words[first:][::-1], there.words[first:][::-1])
    middle = slice(first, len(here.words) - last)
    middle_there = slice(first, len(there.words) - last)
    places = here.places[middle]
    ours, theirs = here.words[middle], there.words[middle_there]
    if len(ours) * len(theirs) > MOST_PAIRS:
        return Difference(_joined(_without_order(ours, theirs, places), text))
    spans: list[Span] = []
    gaps: list[int] = []
    for kind, start, end, _, _ in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind in ("replace", "delete"):
            spans += places[start:end]
        elif kind == "insert":
            following = first + start
            gaps.append(here.places[following][0] if following < len(here.places) else len(text.rstrip()))
    return Difference(_joined(spans, text), tuple(gaps))


def _words(text: str) -> _Words:
    found = list(_WORD.finditer(text))
    return _Words([match[0] for match in found], [match.span() for match in found])


def _common(one: Sequence[str], two: Sequence[str]) -> int:
    """How many words both begin with."""
    shorter = min(len(one), len(two))
    return next((index for index in range(shorter) if one[index] != two[index]), shorter)


def _without_order(ours: Sequence[str], theirs: Sequence[str], places: Sequence[Span]) -> list[Span]:
    """The words that occur here more often than there, from where they do."""
    left = Counter(theirs)
    spans = []
    for word, place in zip(ours, places, strict=True):
        if left[word] > 0:
            left[word] -= 1
        else:
            spans.append(place)
    return spans


def _joined(spans: Sequence[Span], text: str) -> tuple[Span, ...]:
    """Spans with nothing but spaces between them as one."""
    if not spans:
        return ()
    bounds = [spans[0][0]]
    for (_, end), (start, _) in pairwise(spans):
        if text[end:start].strip(" "):
            bounds += [end, start]
    bounds.append(spans[-1][1])
    return tuple(zip(bounds[::2], bounds[1::2], strict=True))
