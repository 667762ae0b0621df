"""Sends a terminal only the cells that look different from before: a remote one is at the end of a thin line.

Textual writes every line that may have changed as a whole, each piece with its full style. `ThinWriter` keeps
what the terminal shows and leaves out what it shows already. Whatever it does not know passes unchanged, and
it forgets what the terminal shows. A character whose width terminals do not agree on moves no other one.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any

from rich.cells import cell_len
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver

from bswirl_tui.glyphs import ASCII, glyphs
from bswirl_tui.terminal.escape import EscapeFirst
from bswirl_tui.terminal.plain_ascii import to_ascii
from bswirl_tui.terminal.sgr import PLAIN, Look, blank, change, changed_by, fit_for_blank
from bswirl_tui.terminal.widths import ROOM, agreed, carries_marks, is_spacing

Cell = tuple[str, Look]  # a character with what combines with it; "" where a wide one goes on

_GAP = 4  # unchanged cells that are sent again rather than stepped over
_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<look>[\d;]*)m"
    r"|\x1b\[(?P<row>\d+);(?P<column>\d+)H"
    r"|(?P<line_end>\r?\n)"
    r"|(?P<silent>\x1b\[\?(?:25|2026)[hl]|\x1b\]22;[^\x07\x1b]*(?:\x07|\x1b\\))"
    r"|(?P<unknown>(?s:.)[^\x1b]*)"
)


class ThinWriter:
    """Turns what would be written into what has to be sent. Each result begins and ends in the plain look."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Cell | None]] = {}
        self._look = PLAIN  # of what is written
        self._sent = PLAIN  # of what is sent

    def forget(self) -> None:
        """The terminal may show anything: the next writes are sent whole."""
        self._rows.clear()

    def thinned(self, data: str) -> str:
        """What to send so that the terminal shows `data`."""
        out: list[str] = []
        span: list[Cell] = []
        place: tuple[int, int] | None = None  # where the cells of `span` begin
        for token in _TOKEN.finditer(data):
            kind = token.lastgroup
            if kind == "text" and place is not None:
                text = token[0]
                if not span and (leading := _leading(text)):
                    out.append(self._joined(place, leading))
                    text = text[len(leading) :]
                _append(span, text, self._look)
            elif kind == "look":
                self._look = changed_by(self._look, token["look"])
            elif kind == "column":  # the last group of a move
                out.append(self._span(place, span))
                place, span = (int(token["row"]), int(token["column"])), []
            else:
                out.append(self._span(place, span))
                place, span = None, []
                out.append(self._other(token[0], kind or ""))
        out.append(self._span(place, span))
        if place is not None and not span:
            out.append(_move(*place))
        out.append(self._to(PLAIN))
        return "".join(out)

    def _other(self, sequence: str, kind: str) -> str:
        """What is no cell at a known place."""
        if kind == "silent":
            return sequence
        if kind == "line_end":  # Textual says where the next line is
            return ""
        self.forget()
        return self._to(self._look) + sequence

    def _joined(self, place: tuple[int, int], marks: str) -> str:
        """What combines with the cell before that place: it is not known what that shows then."""
        row, column = place
        known = self._rows.get(row, [])
        _cut(known, column - 1)
        known[column - 1 : column] = [None] * len(known[column - 1 : column])
        return _move(row, column) + self._to(self._look) + marks

    def _to(self, look: Look) -> str:
        before, self._sent = self._sent, look
        return change(before, look)

    def _span(self, place: tuple[int, int] | None, cells: list[Cell]) -> str:
        """The cells of one line that look different now, each stretch behind a move."""
        if place is None or not cells:
            return ""
        row, column = place
        known = self._rows.setdefault(row, [])
        missing = column + len(cells) - len(known)
        if missing > 0:
            known.extend([None] * missing)
        before = known[column : column + len(cells)]
        if before == cells:
            return ""
        irregular = not (_regular(cells) and _regular(before))
        _cut(known, column)
        _cut(known, column + len(cells))
        known[column : column + len(cells)] = cells
        if irregular:
            return self._stretch(row, column, cells + _overdrawn(cells, known[column + len(cells) :]))
        return "".join(
            self._stretch(row, column + start, cells[start:end]) for start, end in _changed(before, cells)
        )

    def _stretch(self, row: int, column: int, cells: list[Cell]) -> str:
        """Draws cells; behind a character that may have moved the cursor too far or not enough, moves it."""
        out = [_move(row, column)]
        astray = False
        for place, (character, look) in enumerate(cells):
            if not character:
                continue
            if astray:
                out.append(_move(row, column + place))
            wanted = fit_for_blank(self._sent, look) if character == " " else look
            if wanted != self._sent:
                out.append(self._to(wanted))
            width = _width(cells, place)
            astray = not agreed(character, width)
            if astray and (width > 1 or not cell_len(character)):
                out += [" " * width, _move(row, column + place)]  # it may leave some of its cells as they are
            out.append(character)
        return "".join(out)


def _append(cells: list[Cell], text: str, look: Look) -> None:
    """Adds the cells of `text`; what combines goes to the last character and takes on its look."""
    empty = (" ", blank(look))
    if text.isascii():
        cells += [empty if character == " " else (character, look) for character in text]
        return
    for character in text:
        width = 1 if character.isascii() else cell_len(character)
        if width == 0:
            _combine(cells, character, look)
        else:
            cells.append(empty if character == " " else (character, look))
            cells += [("", look)] * (width - 1)


def _combine(cells: list[Cell], mark: str, look: Look) -> None:
    last = _last(cells)
    before, its_look = cells[last]
    if before != ROOM or not is_spacing(mark):
        cells[last] = (before + mark, look if before == " " else its_look)
        return
    base = _last(cells[:last]) if last else last
    if carries_marks(cells[base][0]):
        text, its_look = cells[base]
        cells[base], cells[last] = (text + mark, its_look), ("", its_look)
    else:
        cells[last] = (mark, its_look)


def _leading(text: str) -> str:
    """What of `text` combines with whatever stands before it."""
    return "" if text[0].isascii() else "".join(takewhile(lambda character: cell_len(character) == 0, text))


def _last(cells: list[Cell]) -> int:
    """Where the last character begins."""
    return next(place for place in range(len(cells) - 1, -1, -1) if cells[place][0])


def _width(cells: list[Cell], place: int) -> int:
    """The cells of the character that begins there."""
    ends = (end for end in range(place + 1, len(cells)) if cells[end][0])
    return next(ends, len(cells)) - place


def _cut(known: list[Cell | None], column: int) -> None:
    """Forgets a wide character that goes on at that place: one of its halves is overwritten."""

    def goes_on(place: int) -> bool:
        return place < len(known) and (cell := known[place]) is not None and not cell[0]

    start = end = column
    while goes_on(end):
        end += 1
    while goes_on(start):
        start -= 1
    known[start:end] = [None] * (end - start)


def _overdrawn(cells: list[Cell], known: list[Cell | None]) -> list[Cell]:
    """What stands behind `cells` and goes where a terminal draws their last character a cell too wide."""
    behind: list[Cell] = []
    for cell in known:
        drawn = cells + behind
        last = _last(drawn)
        if cell is None or agreed(drawn[last][0], len(drawn) - last):
            break
        behind.append(cell)
    return behind


def _move(row: int, column: int) -> str:
    return f"\x1b[{row};{column}H"


def _regular(cells: list[Cell] | list[Cell | None]) -> bool:
    """Whether every cell holds one character that is one cell everywhere."""
    return all(cell is None or agreed(cell[0], 1) for cell in cells)


def _changed(before: list[Cell | None], after: list[Cell]) -> list[tuple[int, int]]:
    """Stretches of cells that differ; what is a few cells apart is one."""
    stretches: list[tuple[int, int]] = []
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        if old == new:
            continue
        if stretches and index - stretches[-1][1] <= _GAP:
            stretches[-1] = (stretches[-1][0], index + 1)
        else:
            stretches.append((index, index + 1))
    return stretches


class ThinDriver(LinuxDriver):
    """Textual's driver behind a `ThinWriter`."""

    def __init__(self, *about: Any, **options: Any) -> None:
        super().__init__(*about, **options)
        self.thin = ThinWriter()
        self.ascii_only = glyphs() is ASCII

    def run_input_thread(self) -> None:
        vars(linux_driver)["XTermParser"] = EscapeFirst  # it lets no driver choose
        super().run_input_thread()

    def write(self, data: str) -> None:
        if self.ascii_only:
            data = to_ascii(data)
        super().write(self.thin.thinned(data))
