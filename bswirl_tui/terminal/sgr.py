"""How a cell looks, and the shortest way to say so to a terminal."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

_ON_BLANKS = {"4", "7", "9", "21", "53"}  # what shows where there is no character
_OFF = {
    "22": ("1", "2"),
    "23": ("3",),
    "24": ("4", "21"),
    "25": ("5", "6"),
    "27": ("7",),
    "28": ("8",),
    "29": ("9",),
}


class Look(NamedTuple):
    """Colours and attributes as the parameters that set them; empty where the terminal's own hold."""

    foreground: str = ""
    background: str = ""
    attributes: frozenset[str] = frozenset()

    @property
    def marks_blanks(self) -> bool:
        """Whether an empty cell shows more than its background."""
        return bool(self.attributes & _ON_BLANKS)


PLAIN = Look()


@lru_cache(maxsize=4096)
def changed_by(look: Look, parameters: str) -> Look:
    """The look after `ESC [ parameters m`."""
    foreground, background, attributes = look
    parts = parameters.split(";") if parameters else ["0"]
    while parts:
        code = parts.pop(0) or "0"
        number = int(code)
        if number == 0:
            foreground, background, attributes = PLAIN
        elif number in (38, 48):
            taken = 4 if parts[:1] == ["2"] else 2
            colour, parts = ";".join([code, *parts[:taken]]), parts[taken:]
            foreground, background = (colour, background) if number == 38 else (foreground, colour)
        elif 30 <= number <= 39 or 90 <= number <= 97:
            foreground = "" if number == 39 else code
        elif 40 <= number <= 49 or 100 <= number <= 107:
            background = "" if number == 49 else code
        else:
            attributes = attributes - set(_OFF[code]) if code in _OFF else attributes | {code}
    return Look(foreground, background, attributes)


@lru_cache(maxsize=4096)
def change(before: Look, after: Look) -> str:
    """The sequence that makes one look the other."""
    if before == after:
        return ""
    anew = ["0", *_set(PLAIN, after)] if after != PLAIN else [""]
    if before.attributes <= after.attributes:
        anew = min(anew, _set(before, after), key=lambda codes: len(";".join(codes)))
    return f"\x1b[{';'.join(anew)}m"


def _set(before: Look, after: Look) -> list[str]:
    codes = sorted(after.attributes - before.attributes)
    if after.foreground != before.foreground:
        codes.append(after.foreground or "39")
    if after.background != before.background:
        codes.append(after.background or "49")
    return codes


@lru_cache(maxsize=4096)
def blank(look: Look) -> Look:
    """The look of an empty cell, without what does not show on one."""
    return look if look.marks_blanks else Look("", look.background)


@lru_cache(maxsize=4096)
def fit_for_blank(now: Look, wanted: Look) -> Look:
    """The look nearest to `now` in which an empty cell looks as wanted."""
    if wanted.marks_blanks:
        return wanted
    return Look("", wanted.background) if now.marks_blanks else now._replace(background=wanted.background)
