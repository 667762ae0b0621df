"""What stands above a panel: its title, the values at the cursor, and what must not be overlooked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice

from rich.cells import cell_len

from bswirl_tui.charts.canvas import Canvas
from bswirl_tui.charts.lines import Line, Stored
from bswirl_tui.charts.scale import shown
from bswirl_tui.glyphs import glyphs

Piece = Sequence[tuple[str, str]]  # texts and the names of their styles; a piece is never broken
DIGITS = (4, 3, 2, 2, 2)  # of values, from the longest wording to the shortest
SHORTEST = len(DIGITS) - 1
BARE = 3  # the first wording without intervals
HIDDEN = {BARE: "intervals hidden", SHORTEST: "[] hidden"}  # which it says
PAIR = 2  # bands that can be told apart where they are drawn
NUMBER, INTERVAL = 7, 18  # cells of a value and of an interval, in the shorter wordings
STEP, SMOOTHED = 5, 8  # and of a step beside them, and of a smoothed value
MARGIN = 1
LEAST_TITLE = 12


def rows_for(title: str, lines: Sequence[Line], notes: int, width: int, most: int) -> int:
    """How many rows the head of a panel takes, whatever the cursor's values are."""
    several = len({line.place for line in lines}) > 1
    cells = [22] * notes
    for line in lines:
        interval = INTERVAL + STEP * several if line.has_band else 0
        cells.append(1 + len(line.letters) + NUMBER + interval + SMOOTHED * line.smooth)
    room = max(LEAST_TITLE, width // 2)
    laid = _laid((title, ""), room, [[(" " * each, "")] for each in cells], max(1, width), 1)
    return max(1, min(most, len(list(laid))))


def put_head(
    canvas: Canvas,
    rows: int,
    title: tuple[str, str],
    lines: Sequence[Line],
    notes: Sequence[tuple[str, str]],
    cursor: int | None,
    newest: int | None,
) -> None:
    """Writes the head into the first rows: in the longest wording in which all of it fits.

    `notes` come in a long and a short form; `newest` is the last step of all panels.
    """
    points = [line.point(cursor) for line in lines]
    bands = sum(line.has_band for line in lines)
    shaded = bands > 1
    wanted = newest if cursor is None else cursor
    steps = {point.step for point in points if point is not None}
    apart = steps - {wanted} if len(lines) > 1 and len(steps) == 1 and wanted is not None else set()
    room = canvas.width if all(point is None for point in points) else max(LEAST_TITLE, canvas.width // 2)
    for level in range(SHORTEST + 1):
        said = [
            _read_out(line, point, None if apart else wanted, level, shaded=shaded)
            for line, point in zip(lines, points, strict=True)
        ]
        said += [[(f"@{step:,}", "muted")] for step in apart]  # said once where it is the same for all
        said += [[(note[level > 1], "warn")] for note in notes]
        measured = any(point is not None and point.interval is not None for point in points)
        if level in HIDDEN and bands > PAIR and measured:
            said.append([(HIDDEN[level], "warn")])
        laid = list(islice(_laid(title, room, said, canvas.width, 2 if level < 2 else 1), rows + 1))
        if len(laid) <= rows or level == SHORTEST:
            break
    for y, row in enumerate(laid[:rows]):
        x = MARGIN if y == 0 else 2
        for text, style in row:
            x = canvas.put(x, y, text, style)
    if len(laid) > rows:
        canvas.put(canvas.width - 1, rows - 1, glyphs().ellipsis, "warn")


def _laid(
    title: tuple[str, str], room: int, pieces: Sequence[Piece], width: int, gap: int
) -> Iterator[list[tuple[str, str]]]:
    """The title and as many pieces to a row as fit."""
    row = [(_cut(title[0], room - MARGIN), title[1])]
    end = MARGIN + cell_len(row[0][0])
    for piece in pieces:
        cells = sum(cell_len(text) for text, _ in piece)
        if end + gap + cells > width:
            yield row
            row, end = [], 2 - gap
        row += [(" " * gap if row else "", ""), *piece]
        end += gap + cells
    yield row


def _cut(text: str, cells: int) -> str:
    while cell_len(text) > cells:
        text = text[:-1]
    return text


def _read_out(line: Line, point: Stored | None, step: int | None, level: int, *, shaded: bool) -> Piece:
    """A curve's value, its interval, and its step where that is another than the one looked at.

    `shaded`: before the interval stands what it is shaded in.
    """
    signs = glyphs()
    name = line.letters and line.letters + ("" if signs.braille else line.sign)
    said = [(f"{name} " if name else "", line.style + "*")]
    if point is None:
        return [*said, (signs.dash, "muted")]

    def number(value: float) -> str:
        return shown(value, signed=line.signed, digits=DIGITS[level])

    said.append((number(point.value), line.style if math.isfinite(point.value) else "bad"))
    drawn = line.drawn(point.step) if level < 2 else None
    if drawn is not None:
        said.append((f" ~{number(drawn)}", "muted"))
    if point.interval is not None and level < BARE:
        fill = line.fill if shaded else ""
        comma = ", " if level == 0 else ","
        said.append((f" {fill}[{comma.join(map(number, point.interval))}]", "muted"))
    if step is not None and point.step != step:
        said.append((f" @{point.step:,}" if level == 0 else f" @{point.step}", "muted"))
    return said
