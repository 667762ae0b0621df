"""Near duplicates: steps of one state that say the same in other typography.

Case, blanks, markdown, sentence punctuation and step labels do not matter. Numbers, operators, brackets and
variables do, so that steps are only taken for the same where what they calculate is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from bswirl.steps import strip_marker

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("×⋅·∗", "*"),
        "÷": "/",
        **dict.fromkeys("−‐‑‒–—―﹘﹣－", "-"),  # a dash may be a minus
        "’": "'",
        "‘": "'",
        "\u00ad": None,
    }
)
_LEAD = re.compile(r"^\s*(?:>+\s?|#{1,6}\s+|[-*•+]\s+(?=[^\W\d_]))+", re.MULTILINE)
_BOLD = re.compile(r"(?<![\w*])(\*{2,3}|__)(?=\S)([^\n]+?)(?<=\S)\1(?![\w*])")
_ITALIC = re.compile(r"(?<![\w*])([*_])(?=[^\W\d_])([^*_\d=+/^\n-]*[^\W\d_])\1(?![\w*])")
_HYPHEN = re.compile(r"(?<=[^\W\d_]{2})-(?=[^\W\d_]{2})")
_TOKEN = re.compile(
    r"(?P<number>\d+(?:[.,:]\d+)*|\.\d+)"
    r"|(?P<word>[^\W\d_]\w*(?:'\w+)*)"
    r"|(?P<factorial>(?<=[\d)])!)"
    r"|(?P<sign>[-+*/^=<>%()\[\]{}|\\~&@°])"
    r"|(?P<other>[^\s\w])"
)

T = TypeVar("T")


def wording(step: str) -> str:
    """What two near duplicates have in common."""
    text = unicodedata.normalize("NFC", step).translate(_SIGNS)
    text = _ITALIC.sub(r"\2", _BOLD.sub(r"\2", _LEAD.sub("", text)))
    text = _HYPHEN.sub(" ", strip_marker(text.lstrip()))
    return " ".join(filter(None, map(_token, _TOKEN.finditer(text))))


def _token(match: re.Match[str]) -> str:
    found = match[0]
    if match["word"]:
        return found if len(found) == 1 else _folded(found.rstrip("_"))
    if match["other"]:  # punctuation goes, all other signs mean something
        return found if unicodedata.category(found)[0] == "S" and found != "`" else ""
    return found


def _folded(word: str) -> str:
    """A word without its case; names such as `x_1`, `AB` or `kWh` keep theirs."""
    plain = word.isalpha() and (word[1:] == word[1:].lower() or len(word) > 3)
    return word.casefold() if plain else word


def alike(items: Iterable[T], key: Callable[[T], tuple[Hashable, str]]) -> list[Sequence[T]]:
    """Items in groups of near duplicates, each in the order of its first; `key` gives state and step."""
    groups: dict[tuple[Hashable, str], list[T]] = {}
    for item in items:
        state, step = key(item)
        groups.setdefault((state, wording(step) or step), []).append(item)
    return list(groups.values())
