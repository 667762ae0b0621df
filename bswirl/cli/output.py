"""What commands print: data to stdout, words to stderr, model text made safe."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bswirl.curves import Points, write_csv
from bswirl.display import number as number
from bswirl.display import safe_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

Command = TypeVar("Command", bound=Callable[..., Any])

_BETWEEN = 2  # cells between columns
WIDE = 4096  # columns where stdout is no terminal: nothing is cut or wrapped


def json_option(command: Command) -> Command:
    """Adds `--json` to a command, as the parameter `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def print_json(value: Any) -> None:
    """One JSON object on stdout, in ASCII, so that no text in it reaches the terminal raw."""
    click.echo(json.dumps(_finite(value), ensure_ascii=True, allow_nan=False, indent=2))


def _finite(value: Any) -> Any:
    """`value` with null for what JSON has no number for (a run's NaN or infinite metric)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def print_csv(run_id: int, metrics: Mapping[str, Points]) -> None:
    """A run's curves on stdout; at a terminal, names that it would act on are made safe."""
    if sys.stdout.isatty():
        metrics = {safe_text(name, one_line=True): points for name, points in metrics.items()}
    write_csv(sys.stdout, [(run_id, metrics)])


def note(message: str) -> None:
    """Words to stderr."""
    click.echo(safe_text(message), err=True)


def note_wrapped(message: str) -> None:
    """A longer text to stderr; at a terminal its lines end between words."""
    note(click.wrap_text(message, shutil.get_terminal_size().columns) if sys.stderr.isatty() else message)


def warn(message: str) -> None:
    """A warning to stderr, marked as one."""
    click.echo(f"bswirl: warning: {safe_text(' '.join(message.split()))}", err=True)


def print_renderable(renderable: RenderableType) -> None:
    """Shows a table or a tree on stdout, without trailing blanks."""
    console = _console()
    with console.capture() as capture:
        console.print(renderable)
    for line in capture.get().splitlines():
        click.echo(line.rstrip(), color=console.is_terminal)


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
    wraps: str | None = None,
) -> None:
    """Rows in aligned columns. `right` names the headings of right-aligned columns; None shows as `–`.

    Where a terminal is too narrow, texts are cut; with `wraps`, those of that column go on in the next line
    and no other is touched.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    cells = [[cell(value) for value in row] for row in rows]
    for place, heading in enumerate(headings):
        table.add_column(
            heading,
            justify="right" if heading in right else "left",
            no_wrap=heading != wraps,
            overflow="fold" if heading == wraps else "ellipsis",
            min_width=_widest(cells, place) if wraps not in (None, heading) else None,
        )
    for texts in cells:
        table.add_row(*texts)
    print_renderable(table)


def _widest(rows: Sequence[Sequence[Text]], place: int) -> int:
    return max((row[place].cell_len for row in rows), default=0)


def print_fitting(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows in aligned columns, none wider than the terminal: else a block of lines for each row."""
    print_renderable(fitting(headings, [[cell(value) for value in row] for row in rows], _console().width))


def fitting(headings: Sequence[str], rows: Sequence[Sequence[Text]], width: int) -> RenderableType:
    """A table of at most `width` cells a line: with its headings wrapped where they must, or as blocks."""
    from rich.table import Table

    filled = [at for at, _ in enumerate(headings) if not rows or any(row[at].cell_len for row in rows)]
    widest = [max([1, *(row[at].cell_len for row in rows)]) for at in filled]
    for widths in (
        [max(cells, len(headings[at])) for at, cells in zip(filled, widest, strict=True)],
        [max(cells, *map(len, headings[at].split())) for at, cells in zip(filled, widest, strict=True)],
    ):
        if sum(widths) + _BETWEEN * (len(widths) - 1) <= width:
            table = Table(box=None, pad_edge=False, padding=(0, _BETWEEN, 0, 0), header_style="bold")
            for at, cells in zip(filled, widths, strict=True):
                table.add_column(headings[at], width=cells, vertical="bottom")
            for row in rows:
                table.add_row(*(row[at] for at in filled))
            return table
    return _blocks(headings, rows)


def _blocks(headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> RenderableType:
    """The first cell of a row as a line, the others below it by name."""
    from rich.console import Group
    from rich.table import Table

    parts: list[RenderableType] = []
    for row in rows:
        facts = Table(box=None, pad_edge=False, show_header=False, padding=(0, _BETWEEN, 0, 0))
        facts.add_column()
        facts.add_column(overflow="fold")
        for heading, value in zip(headings[1:], row[1:], strict=True):
            if value.cell_len:
                facts.add_row(f"  {heading}", value)
        parts += [row[0], facts]
    return Group(*parts)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values, a line each."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(cell(name), cell(value))
    print_renderable(table)


def cell(value: object, *, style: str = "") -> Text:
    """A value as text that is safe to show: numbers as `number` writes them, None as `–`."""
    from rich.text import Text

    if isinstance(value, Text):
        return value
    if value is None:
        return Text("–", style=style or "dim")
    if isinstance(value, float):
        return Text(number(value), style=style)
    return Text(safe_text(str(value), one_line=True), style=style)


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDE)
    return console
