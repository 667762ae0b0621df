"""Characters that terminals measure differently from each other or from rich, by which all is laid out."""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len

# A spacing mark (most vowel signs of Indic scripts) has no cell for rich and one in most terminals. In a text
# this stands before the mark and gives it that cell; `ThinWriter` sends the mark without it.
ROOM = "◌"

_SPELLED = {
    *range(0xFE00, 0xFE10),  # variation selectors
    0x20E3,  # keycap
    *range(0x1F3FB, 0x1F400),  # skin tones
    *(0x115F, 0x1160, 0x3164, 0xFFA0),  # Hangul fillers, which are invisible
    *(0x302E, 0x302F, 0x16FF0, 0x16FF1),  # tone and reading marks of East Asia
    *range(0x1D165, 0x1D173),  # stems and flags of notes
    *range(0x3248, 0x3250),  # circled numbers on black squares
}


class _Spellings(dict[int, str]):
    """How each character stands in a text for the screen; looked up once."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if code in _SPELLED:
            shown = f"‹U+{code:04X}›"
        else:
            shown = ROOM + character if is_spacing(character) and not cell_len(character) else character
        self[code] = shown
        return shown


_spellings = _Spellings()


def settled(text: str) -> str:
    """`text` with its disputed characters spelled out, and room for spacing marks that have none."""
    first, *others = text.split(ROOM)  # what stands behind one has its room
    behind = (part.translate(_spellings).removeprefix(ROOM) for part in others)
    return ROOM.join([first.translate(_spellings), *behind])


def is_spacing(mark: str) -> bool:
    """Whether it is a mark with a place of its own beside its letter."""
    return unicodedata.category(mark) == "Mc"


def carries_marks(cluster: str) -> bool:
    """Whether a mark behind this belongs to it."""
    return unicodedata.category(cluster[-1])[0] in "LM"


def agreed(cluster: str, cells: int) -> bool:
    """Whether every terminal draws this in so many cells: one plain character, or one of East Asia in two."""
    if len(cluster) == cells == 1 and cluster.isascii():
        return True
    if len(cluster) != 1 or cell_len(cluster) != cells:
        return False
    return cluster < "\u2e80" if cells == 1 else "\u2e80" <= cluster <= "\uffff"
