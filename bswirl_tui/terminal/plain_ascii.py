"""Everything that is sent, in ASCII: for terminals, fonts and multiplexers that show nothing else right."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rich.cells import cell_len

_OTHER = re.compile(r"[^\x00-\x7f]")
# What Textual's own widgets draw; the app's signs have an ASCII set of their own.
_LIKE = {
    **dict.fromkeys("▁▂▃▄▅▆▇▏▎▍▌▋▊▉▐", " "),
    "█": "#",
    **dict.fromkeys("─━▔═╌┄", "-"),
    **dict.fromkeys("│┃║", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╴╶", "+"),
    "…": "~",
    "–": "-",
    "—": "-",
    "−": "-",
    **dict.fromkeys("·•", "*"),
    "×": "x",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "‹": "<",
    "›": ">",
    "\xa0": " ",
}


def to_ascii(data: str) -> str:
    """`data` with another sign, of as many cells, for each that is not ASCII."""
    return data if data.isascii() else _OTHER.sub(lambda found: _like(found[0]), data)


@lru_cache(maxsize=4096)
def _like(character: str) -> str:
    """A letter with an accent loses it; what has no likeness becomes question marks."""
    base = unicodedata.normalize("NFD", character)[0]
    return _LIKE.get(character, base if base.isascii() and base.isalpha() else "?" * cell_len(character))
