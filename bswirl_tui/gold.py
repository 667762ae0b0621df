"""Gold solutions to read: what a dataset wrote for its calculator is left out, or shown on a further key."""

from __future__ import annotations

import re
from enum import Enum

from rich.text import Text

from bswirl_tui import actions
from bswirl_tui.text import Paragraph, clean, heading
from bswirl_tui.themes import Palette

_CALCULATOR = re.compile(r"<<[^<>\n]*>>")  # `<<48/2=24>>`, as GSM8K has them


class Gold(Enum):
    """How much of a gold solution is shown."""

    HIDDEN = "hidden"
    READABLE = "readable"
    RAW = "raw"

    def next_for(self, solution: str | None) -> Gold:
        """What the key shows next; what is readable as it stands has no raw view."""
        if self is Gold.HIDDEN:
            return Gold.READABLE
        return Gold.RAW if self is Gold.READABLE and notes_in(solution) else Gold.HIDDEN


def notes_in(solution: str | None) -> int:
    """How many calculator annotations a solution has."""
    return len(_CALCULATOR.findall(solution or ""))


def readable(solution: str) -> str:
    """A solution without its calculator annotations."""
    return _CALCULATOR.sub("", solution)


def gold_paragraphs(solution: str | None, shown: Gold, colours: Palette) -> list[Paragraph]:
    """The gold solution with its heading; nothing where it is hidden."""
    if shown is Gold.HIDDEN:
        return []
    if not solution:
        words = Text("The dataset gives none.", colours.muted)
        return [heading("Gold solution", colours), Paragraph(words)]
    number, key = notes_in(solution), actions.spec("view.gold").key_display
    fact = Text()
    if number and shown is Gold.RAW:
        fact = Text("as the dataset has it", colours.muted)
    elif number:
        fact = Text(f"calculator notes left out; {key} shows them", colours.muted)
    text = solution if shown is Gold.RAW else readable(solution)
    return [heading("Gold solution", colours, fact), Paragraph(Text(clean(text)))]
