"""The audit report as the app shows it: a line a judge, a confusion matrix, and the report's tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from bswirl.audit.records import AuditedItem, AuditRecord
from bswirl.audit.report import AuditReport, ReportRow, make_report
from bswirl.audit.tables import METHOD, Section, exceeds, more, percent, plain, sections
from bswirl_tui import actions
from bswirl_tui.glyphs import glyphs
from bswirl_tui.text import BLANK, Paragraph, clean, count, fit, fit_end, heading, line
from bswirl_tui.themes import Palette

_COLUMNS = (4, 18, 18, 18, 19, 24)  # cells of n, accuracy, TPR, TNR, kappa, how many more
_BETWEEN = re.compile(r"(?<=\d)–(?=-?\d)")  # what stands between the ends of an interval
_MINUS = re.compile(r"(?:^|(?<=[\s(–]))-(?=\d)")
_NAME_CELLS = 24  # of what a value is called, where it has a line of its own
_JUDGE_CELLS = (16, 28)  # narrow, wide
_WIDE = 120
_CELL_ACTIONS = {
    "judge1-human1": "report.both_good",
    "judge1-human0": "report.judge_good",
    "judge0-human1": "report.people_good",
    "judge0-human0": "report.both_bad",
}
_LEFT_OUT = ("Judges against people", "Further labelled random draws")


@dataclass(frozen=True, slots=True)
class Report:
    """A report with the record it was made of."""

    record: AuditRecord
    made: AuditReport
    sections: Sequence[Section]


def prepare(record: AuditRecord, by: str, votes: str) -> Report:
    """The report of a record; takes as long as its random draws are many. Not for the UI loop."""
    made = make_report(record, by=by, votes=votes)
    return Report(record, made, sections(made))


def who(row: ReportRow) -> str:
    """A judge, its prompt and model, and the depth, in short."""
    if row.depth is not None:
        return f"step {row.depth} {row.judge}"
    return " ".join(part for part in ((row.prompt_sha or "")[:8], row.judge, row.model) if part)


def row_cells(row: ReportRow) -> list[str]:
    """Sizes and rates with their intervals, from the random draws, and how many more it takes."""
    rates = row.random
    return [
        str(rates.n),
        *(_signs(percent(rate)) for rate in (rates.accuracy, rates.tpr, rates.tnr)),
        _signs(plain(rates.kappa)),
        "/".join(_more_words(value, row.left) for value in more(row)),
    ]


def _more_words(value: int | None, left: int | None) -> str:
    """In short: `all 50` where it takes more than the 50 draws that are left; `none` where none is."""
    if exceeds(value, left):
        return f"all {left}" if left else "none"
    return glyphs().dash if value is None else str(value)


def header(width: int, colours: Palette) -> Text:
    """The line above the rows."""
    titles = ["n", "accuracy %", "TPR %", "TNR %", "kappa", "more for ±3"]
    return _line("judge", titles, width, colours.muted)


def row_line(row: ReportRow, width: int) -> Text:
    """One row; narrow ones leave the last columns to the pane below."""
    return _line(who(row), row_cells(row), width)


def _line(name: str, cells: Sequence[str], width: int, style: object = "") -> Text:
    text = Text(" ").append_text(fit(line(name, limit=80), _JUDGE_CELLS[width >= _WIDE])).append(" ")
    for room, words in zip(_COLUMNS, cells, strict=True):
        if text.cell_len + room > width:
            break
        text.append_text(fit(Text(clean(words, one_line=True)), room)).append(" ")
    text.rstrip()
    if style:
        text.stylize(str(style))
    return text


def row_paragraphs(row: ReportRow, colours: Palette) -> list[Paragraph]:
    """A row in full, and its confusion matrix."""
    values = row_cells(row)
    parts = [heading(clean(who(row), one_line=True, limit=80), colours), BLANK]
    names = ("labelled random draws", "accuracy %", "TPR %, of good steps", "TNR %, of bad steps", "kappa")
    for name, value in zip(names, values, strict=False):
        parts.append(_named(Text(value), Text(name, colours.muted)))
    words = "further labelled random draws, for accuracy, TPR, TNR"
    parts.append(
        _named(
            Text(f"{values[-1].replace('/', ' / ')}  {words}"), Text(clean("±3 points after"), colours.muted)
        )
    )
    if any(exceeds(value, row.left) for value in more(row)):
        parts.append(_named(Text(clean(too_few(row)), colours.warn), Text()))
    return [*parts, BLANK, *matrix(row, colours)]


def _named(value: Text, name: Text) -> Paragraph:
    return Paragraph(value, name, indent=_NAME_CELLS)


def too_few(row: ReportRow) -> str:
    """That the project has fewer steps than ±3 points take."""
    needed = "/".join(glyphs().dash if value is None else str(value) for value in more(row))
    return (
        f"Left in the project: {count(row.left or 0, 'such draw')}; ±3 points would take {needed}. With "
        "every step labelled the share among them is known but for undecided ones, that of further steps of "
        "the policy less so."
    )


def matrix(row: ReportRow, colours: Palette) -> list[Paragraph]:
    """The confusion matrix of all labels; each cell has a key."""
    keys = {cell: actions.spec(action).key_display for cell, action in _CELL_ACTIONS.items()}
    cells = {cell: f"{key}: {row.cells[cell]:,}" for cell, key in keys.items()}
    rows = [
        ("", "people: good", "people: not good"),
        ("judge: good", cells["judge1-human1"], cells["judge1-human0"]),
        ("judge: not good", cells["judge0-human1"], cells["judge0-human0"]),
    ]
    parts = [heading("All labels", colours, Text("biased by how the steps were chosen", colours.muted))]
    for place, words in enumerate(rows):
        text = Text("".join(f"{word:<18}" for word in words), colours.muted if place == 0 else "")
        parts.append(Paragraph(text, wrap=False))
    enter = actions.spec("report.cell").key_display
    hint = f"{' '.join(keys.values())}, or {enter}, list the steps of a cell"
    parts.append(Paragraph(Text(hint, colours.muted)))
    return parts


def _signs(words: str) -> str:
    """With the signs that this terminal shows; a hyphen between the ends of an interval would be a minus."""
    if glyphs().dash != "-":
        return _MINUS.sub(glyphs().minus, words)
    return _BETWEEN.sub(",", words).replace("–", "-").replace("→", ">")


def table_paragraphs(report: Report, colours: Palette) -> list[Paragraph]:
    """The report's other tables, and what its numbers are."""
    parts: list[Paragraph] = []
    for title, headings, lines in report.sections:
        if title.startswith(_LEFT_OUT) or title.startswith("All labels"):
            continue
        parts += [BLANK, heading(title, colours)]
        names = [Text(name, colours.muted) for name in headings]
        parts.append(Table(names=names, rows=[[line(_signs(cell)) for cell in cells] for cells in lines]))
    return [*parts, BLANK, Paragraph(Text(clean(METHOD), colours.muted))]


@dataclass(slots=True)
class Table(Paragraph):
    """A table; where it is wider than the pane, each of its values on a line behind its name."""

    names: Sequence[Text] = ()
    rows: Sequence[Sequence[Text]] = ()

    def lines(self, width: int) -> list[Text]:
        """Its lines, each at most `width` cells; no value is cut."""
        columns = zip(self.names, *self.rows, strict=True)
        widths = [max(cell.cell_len for cell in column) for column in columns]
        if sum(widths) + 2 * (len(widths) - 1) > width:
            return self._listed(width)
        return [
            Text("  ").join(fit(cell.copy(), room) for cell, room in zip(cells, widths, strict=True))
            for cells in (self.names, *self.rows)
        ]

    def _listed(self, width: int) -> list[Text]:
        parts: list[Paragraph] = []
        for cells in self.rows:
            parts += [BLANK] if parts else []
            parts += [_named(_wrapping(cell), name) for name, cell in zip(self.names, cells, strict=True)]
        return [text for part in parts for text in part.lines(width)]


def _wrapping(text: Text) -> Text:
    text = text.copy()
    text.no_wrap = False
    return text


def item_line(item: AuditedItem, width: int, colours: Palette) -> Text:
    """A labelled step: where, who said what, its words."""
    votes = ", ".join(f"{vote.auditor} {vote.value}" for vote in item.votes if vote.newest)
    room, said = (34, 34) if width >= _WIDE else (18, 22)
    text = Text(f" {item.action_id:>7} ", colours.muted).append_text(fit_end(line(item.address), room))
    text.append(f" {item.depth:>4} ", colours.muted).append_text(fit(line(votes, colours.human), said))
    return text.append(" ").append_text(line(item.text, limit=max(20, width)))
