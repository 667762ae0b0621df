"""Tokens as lines: a text with a shade below each of its tokens, and a table in as many columns as fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from bswirl.tokens import StepTokens, as_bytes, probability, probability_words, readable
from bswirl_tui.glyphs import glyphs
from bswirl_tui.spelling import LINE_END
from bswirl_tui.text import Paragraph, clean, fit, right, signed
from bswirl_tui.themes import Palette

AT_LEAST = (0.9, 0.5, 0.2, 0.05, 0.01)  # the probabilities down to which each shade but the last goes
_LETTERS = 200  # of one token that are shown
_BAR = 4  # cells, a nat each
_GAP = 2  # between columns
_TOKEN = 11  # cells of a token in the table, at least
_MOST_TOKEN = 24
_LINE_ENDS = ("⏎", LINE_END)
_LETTER = re.compile(f"{LINE_END}|.")


@dataclass(frozen=True, slots=True)
class ShownToken:
    """A token as it is shown; `number` counts from 1, `inside` says whether it is a part of the step."""

    number: int
    text: str
    logprob: float
    inside: bool

    @property
    def probability(self) -> float:
        return probability(self.logprob)

    @property
    def shade(self) -> int:
        """0 for what was all but certain, up to 5 for what was very unlikely."""
        return sum(self.probability < least for least in AT_LEAST)

    def style(self, colours: Palette) -> Style:
        if not self.inside:
            return colours.muted
        return (Style(), Style(), Style(), colours.warn, colours.bad, colours.bad)[self.shade]


def shown_tokens(tokens: StepTokens, step: str) -> list[ShownToken]:
    """The tokens of a step, safe to show. Raises ValueError where they are another step's."""
    before, found = 0, []
    begins = len(as_bytes(tokens.before))
    ends = sum(tokens.sizes) - len(as_bytes(tokens.after))
    for number, (piece, logprob) in enumerate(zip(tokens.pieces(step), tokens.logprobs, strict=True), 1):
        behind = before + len(piece)
        found.append(ShownToken(number, _shown(piece), logprob, before < ends and behind > begins))
        before = behind
    return found


def _shown(piece: bytes) -> str:
    """What a token spells; what combines with the token before it is shown by its code."""
    shown = clean(readable(piece), one_line=True, limit=_LETTERS)
    if shown and not cell_len(shown[0]):
        return f"‹U+{ord(shown[0]):04X}›{shown[1:]}"
    return shown


@dataclass(slots=True)
class Shaded(Paragraph):
    """The tokens as running text; the row below each line shades each token by how unlikely it was."""

    tokens: Sequence[ShownToken] = ()
    colours: Palette | None = None

    def lines(self, width: int) -> list[Text]:
        """Its lines, each at most `width` cells; what is all but certain has no shade."""
        found: list[Text] = []
        for row in _rows(_cells(self.tokens), max(2, width)):
            text, shades = Text(), Text()
            for token, cells in groupby(row, key=lambda cell: cell[0]):
                style = token.style(self.colours) if self.colours is not None else Style()
                letters = "".join(letter for _, letter in cells)
                text.append(letters, style)
                shades.append(_shades(token, letters), style)
            found.append(text)
            shades.rstrip()
            if shades.plain:
                found.append(shades)
        return found


Cell = tuple[ShownToken, str]  # a character with what combines with it, or a line end


def _cells(tokens: Sequence[ShownToken]) -> list[Cell]:
    cells: list[Cell] = []
    for token in tokens:
        for place, letter in enumerate(_LETTER.findall(token.text)):
            if place and not cell_len(letter):
                cells[-1] = (token, cells[-1][1] + letter)
            else:
                cells.append((token, letter))
    return cells


def _rows(cells: Sequence[Cell], width: int) -> list[list[Cell]]:
    """Cells in rows that fit, broken behind a line end, and behind a space where there is one."""
    rows: list[list[Cell]] = [[]]
    room = width
    for cell in cells:
        size = cell_len(cell[1])
        if size > room:
            cut = next((at for at in range(len(rows[-1]), 0, -1) if rows[-1][at - 1][1] == " "), None)
            rest = rows[-1][cut:] if cut is not None else []
            if rest:
                del rows[-1][cut:]
            rows.append(rest)
            room = width - sum(cell_len(letter) for _, letter in rest)
            if size > room:  # a wide one, behind a word that leaves a single cell
                rows.append([])
                room = width
        rows[-1].append(cell)
        room -= size
        if cell[1] in _LINE_ENDS:
            rows.append([])
            room = width
    return [row for row in rows if row]


def _shades(token: ShownToken, letters: str) -> str:
    """As many cells as the letters take. Spaces around words stay free, so that words stand apart."""
    shade = glyphs().shades[token.shade]
    if not token.text.strip():
        return shade * cell_len(letters)
    return "".join(" " if letter == " " else shade * cell_len(letter) for letter in letters)


@dataclass(slots=True)
class TokenTable(Paragraph):
    """Each token with its log-prob, its probability and a bar, in columns from top to bottom."""

    tokens: Sequence[ShownToken] = ()
    colours: Palette | None = None

    def lines(self, width: int) -> list[Text]:
        """Its lines, each at most `width` cells."""
        if not self.tokens:
            return []
        digits = max(3, len(str(self.tokens[-1].number)))
        least = digits + 1 + _TOKEN + 1 + 6 + 1 + 5 + 1 + _BAR
        columns = max(1, min(len(self.tokens), (width + _GAP) // (least + _GAP)))
        spare = (width - columns * (least + _GAP) + _GAP) // columns
        room = _TOKEN + max(0, min(spare, _MOST_TOKEN - _TOKEN))
        rows = -(-len(self.tokens) // columns)
        found = []
        for row in range(rows):
            line = Text()
            for token in self.tokens[row::rows]:
                line.append(" " * _GAP if line else "").append_text(self._entry(token, digits, room))
            line.rstrip()
            line.truncate(width)
            found.append(line)
        return found

    def _entry(self, token: ShownToken, digits: int, room: int) -> Text:
        muted = self.colours.muted if self.colours is not None else Style()
        style = token.style(self.colours) if self.colours is not None else Style()
        entry = Text().append(f"{token.number:>{digits}} ", muted)
        entry.append_text(fit(Text(f'"{token.text}"', style), room))
        entry.append_text(right(Text(f" {logprob_words(token.logprob)}"), 7))
        entry.append_text(right(Text(f" {probability_words(token.logprob)}"), 6)).append(" ")
        bar = min(_BAR, max(0, round(-token.logprob)))
        return entry.append(fit(Text(glyphs().bar_full * bar, style), _BAR))


def logprob_words(logprob: float) -> str:
    """A log-prob in six cells at most."""
    return signed(logprob, 2) if logprob > -100 else signed(max(logprob, -99999), 0)
