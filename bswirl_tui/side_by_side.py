"""A group's candidates as lines: in columns where there is room, as cards where there is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

from rich.text import Text

from bswirl_tui import actions
from bswirl_tui.candidates import (
    FIRST_DIGIT,
    LAST_DIGIT,
    Comparison,
    card_caption,
    card_line,
    facts,
    judge_text,
    step_text,
    title,
)
from bswirl_tui.document import group_words, problem
from bswirl_tui.glyphs import glyphs
from bswirl_tui.gold import Gold
from bswirl_tui.text import BLANK, Paragraph, clean, fit, heading
from bswirl_tui.themes import Palette

WIDE = 100  # cells from which candidates stand in columns
NAMES = 11  # cells of the names of rows
NARROWEST, WIDEST = 28, 80  # cells of a column

Line = Callable[[], Text]  # made when it comes into sight: texts may be very long
Wrap = Callable[[int, str, int], Sequence[Text]]  # (place, what, width): a candidate's text, wrapped


@dataclass(frozen=True, slots=True)
class Layout:
    """Lines, and where to look."""

    lines: Sequence[Line]
    focus: tuple[int, int]  # the lines to bring into sight


def in_columns(width: int) -> bool:
    """Whether candidates stand side by side in so many cells."""
    return width >= WIDE


def columns_that_fit(width: int, count: int) -> int:
    """How many columns stand beside each other."""
    return max(1, min(count, (width - NAMES) // (NARROWEST + 1)))


def texts(comparison: Comparison, place: int, what: str, colours: Palette) -> Text:
    """A candidate's step, or what its judge said."""
    make = step_text if what == "step" else judge_text
    return make(comparison, place, colours)


def problem_lines(comparison: Comparison, width: int, colours: Palette, *, gold: Gold) -> list[Text]:
    """The problem and the steps that every candidate follows."""
    outline = comparison.outline
    parts = problem(outline.tree.question, colours, gold=gold)
    for number, step in enumerate(outline.prefix(comparison.actions[0]), 1):
        parts.append(Paragraph(Text(clean(step)), Text(f"{number}", colours.muted), indent=3))
    parts.append(BLANK)
    return [line for part in parts for line in part.lines(width)]


def group_line(comparison: Comparison, first: int, shown: int, width: int, colours: Palette) -> Text:
    """What the candidates have in common, and which of them are in sight."""
    action, count = comparison.actions[0], len(comparison.actions)
    name = f"Candidates for step {action.depth}"
    text = heading(name, colours, group_words(comparison.group, colours)).text
    more = f"  {first + 1} to {first + shown} of {count} " if shown < count else ""
    hint = f"  {glyphs().separator.strip()} {_keys_hint()}"
    if count > 1 and text.cell_len + len(hint) + len(more) <= width:
        text.append(hint, colours.muted)
    return fit(text, width - len(more)).append(more, colours.warn) if more else text


def _keys_hint() -> str:
    bad, good = actions.keys_of("label.bad", "label.good")
    return f"{FIRST_DIGIT} to {LAST_DIGIT} go to a candidate; {bad} and {good} label it"


def columns(
    comparison: Comparison, above: Sequence[Text], first: int, width: int, colours: Palette, wrap: Wrap
) -> Layout:
    """The candidates from number `first` on, side by side, a row for each fact."""
    count = columns_that_fit(width, len(comparison.actions))
    cells = min(WIDEST, (width - NAMES) // count - 1)
    places = range(first, min(first + count, len(comparison.actions)))

    def row(name: str, *parts: Text | None) -> Text:
        text = fit(Text().append(name, colours.muted), NAMES)
        for part in parts:
            text.append(glyphs().column, colours.faint).append(" ")
            text.append_text(fit(Text() if part is None else part.copy(), cells - 1))
        return text

    def block(name: str, what: str) -> list[Line]:
        rows = list(zip_longest(*(wrap(place, what, cells - 2) for place in places)))
        return [partial(row, "" if index else name, *parts) for index, parts in enumerate(rows)]

    empty: Line = partial(row, "", *([None] * len(places)))
    described = [facts(comparison, place, colours) for place in places]
    said = block("judge", "judge")
    below: list[Line] = [
        partial(group_line, comparison, first, len(places), width, colours),
        partial(row, "key", *(title(comparison, place, colours) for place in places)),
        *(
            partial(row, name, *(candidate[index][1] for candidate in described))
            for index, (name, _) in enumerate(described[0])
        ),
        empty,
        *block("step", "step"),
        *([empty, *said] if said else []),
    ]
    return Layout([*map(_made, above), *below], (len(above), len(above) + len(below)))


def cards(comparison: Comparison, above: Sequence[Text], width: int, colours: Palette, wrap: Wrap) -> Layout:
    """The candidates one below the other, their facts in columns."""
    count = len(comparison.actions)
    lines: list[Line] = [
        *map(_made, above),
        partial(group_line, comparison, 0, count, width, colours),
        _made(Text(card_caption(comparison), colours.muted)),
    ]
    focus = (0, 0)
    for place in range(count):
        top = len(lines)
        lines.append(partial(card_line, comparison, place, colours))
        lines += [partial(_indented, part) for part in wrap(place, "step", width - 4)]
        lines += [partial(_indented, part) for part in wrap(place, "judge", width - 4)]
        if place == comparison.place:
            focus = (top if place else len(above), len(lines))
        lines.append(Text)
    return Layout(lines, focus)


def _made(text: Text) -> Line:
    return lambda: text


def _indented(text: Text) -> Text:
    return Text("   ") + text
