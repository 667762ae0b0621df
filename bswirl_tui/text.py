"""Texts for the screen. Whatever a model, a file or a person wrote passes through `clean` here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from bswirl.display import duration as duration
from bswirl.display import safe_text
from bswirl.records import Action, Progress, Run
from bswirl_tui.glyphs import ASCII, glyphs
from bswirl_tui.terminal.widths import settled
from bswirl_tui.themes import Palette

SHOWN_CHARACTERS = 200_000  # of one field; more would only slow the terminal down
SOURCE_LETTERS = {"judge": "J", "human": "H", "answer": "A"}

_WRAPPER = Console(width=80, legacy_windows=False, force_terminal=False)


def clean(text: str, *, one_line: bool = False, limit: int = SHOWN_CHARACTERS) -> str:
    """`text` with nothing in it that a terminal would act on or measure differently from us."""
    shown = safe_text(text, one_line=one_line, limit=limit)
    if shown.isascii():
        return shown
    shown = settled(shown)
    if glyphs() is not ASCII:
        return shown
    from bswirl_tui.spelling import spelt  # few terminals need it

    return spelt(shown)


def line(text: str, style: str | Style = "", *, limit: int = 400) -> Text:
    """Foreign text as one line."""
    return Text(clean(text, one_line=True, limit=limit), style, no_wrap=True, end="")


def fit(text: Text, width: int) -> Text:
    """`text` cut or padded to exactly `width` cells."""
    if cell_len(text.plain) > width:
        text.truncate(max(0, width - 1), overflow="crop")
        text.append(glyphs().ellipsis if width > 0 else "")
    text.pad_right(max(0, width - cell_len(text.plain)))
    return text


def fit_end(text: Text, width: int) -> Text:
    """`text` cut in front or padded to exactly `width` cells: of addresses the end tells which."""
    over = cell_len(text.plain) - width
    if over > 0 and width > 0:
        start = 0
        while cell_len(text.plain[start:]) > width - 1:
            start += 1
        text = Text(glyphs().ellipsis, text.style, end="").append_text(text[start:])
    return fit(text, width)


def right(text: Text, width: int) -> Text:
    """`text` at the right of `width` cells."""
    text.pad_left(max(0, width - text.cell_len))
    return text


def segments(text: Text, console: Console) -> list[Segment]:
    """`text` for the line API, its base style included."""
    drawn = text.copy()
    drawn.stylize_before(text.style)
    return list(drawn.render(console))


def joined(parts: Iterable[Text | str], separator: str | None = None, style: Style | str = "") -> Text:
    """Parts on one line with a separator between them; empty parts are left out."""
    between = Text().append(glyphs().separator if separator is None else separator, style)
    return between.join(Text(part) if isinstance(part, str) else part for part in parts if part)


def count(number: int, noun: str) -> str:
    """`1 action`, `2,000 actions`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


# Rewards -------------------------------------------------------------------------------------------


def reward_number(reward: float | None) -> str:
    """A reward in as few characters as it takes: `1`, `0`, `.5`; what is all but whole as `<.01`, `>.99`."""
    if reward is None:
        return glyphs().dash
    rounded = round(reward, 2)
    if rounded == int(rounded):
        return str(int(rounded)) if rounded == reward else ">.99" if rounded else "<.01"
    return f"{rounded:.2f}".removeprefix("0").rstrip("0")


def reward_cells(actions: Iterable[Action]) -> int:
    """The cells that the longest of their reward numbers takes."""
    return max((len(reward_number(action.reward)) for action in actions), default=1)


def mean_reward(reward: float | None) -> str:
    """A mean in four cells: `0.62`, `1.00`."""
    return f"{reward:.2f}" if reward is not None else glyphs().dash


def signed(value: float | None, digits: int = 2) -> str:
    """A number with its sign, and zero without one."""
    if value is None:
        return ""
    shown = f"{abs(value):.{digits}f}"
    if float(shown) == 0:
        return shown
    return ("+" if value > 0 else glyphs().minus) + shown


def mark(action: Action, palette: Palette) -> Text:
    """The sign of an action's effective reward."""
    signs = glyphs()
    if action.conflict or (action.label == "unsure" and action.source != "human"):
        return Text(signs.unsure, palette.warn)
    if action.reward is None:
        return Text(signs.unjudged, palette.muted)
    return Text(signs.good, palette.good) if action.reward >= 0.5 else Text(signs.bad, palette.bad)


def source_style(source: str | None, palette: Palette) -> Style:
    """The style of who decided a reward."""
    return {"human": palette.human, "answer": palette.answer}.get(source or "", palette.muted)


def reward_cell(action: Action, palette: Palette) -> Text:
    """An action's effective reward and the letter of who decided it: `1J`."""
    if action.reward is None:
        return Text(glyphs().dash, palette.muted)
    style = palette.good if action.reward >= 0.5 else palette.bad
    letter = SOURCE_LETTERS.get(action.source or "", "?")
    return Text.assemble(
        (reward_number(action.reward), style), (letter, source_style(action.source, palette))
    )


def advantage_cell(advantage: float | None, palette: Palette) -> Text:
    """A signed advantage in the colour of its sign."""
    if advantage is None:
        return Text("")
    shown = signed(advantage)
    style = palette.good if shown[0] == "+" else palette.muted if shown[0].isdigit() else palette.bad
    return Text(shown, style)


# Time and progress ---------------------------------------------------------------------------------


def parse_time(stamp: str | None) -> datetime | None:
    """A time as the store writes it (ISO 8601, UTC)."""
    try:
        moment = datetime.fromisoformat(stamp or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def age(stamp: str | None, now: datetime) -> str:
    """How long ago that was, in its largest unit: `12s`, `5m`, `3h`, `9d`."""
    moment = parse_time(stamp)
    if moment is None:
        return ""
    seconds = max(0.0, (now - moment).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def moment(stamp: str | None) -> str:
    """A time to the minute, in UTC."""
    parsed = parse_time(stamp)
    return parsed.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if parsed else ""


def bar(done: int, total: int, width: int, palette: Palette) -> Text:
    """A progress bar."""
    signs = glyphs()
    filled = min(width, width * done // total) if total > 0 else 0
    return Text.assemble(
        (signs.bar_full * filled, palette.accent), (signs.bar_empty * (width - filled), palette.faint)
    )


def progress_words(progress: Progress | None) -> str:
    """`120 of 400 samples`."""
    if progress is None:
        return ""
    return f"{progress.done:,} of {progress.total:,} {clean(progress.unit, one_line=True, limit=20)}".rstrip()


STATUS_STYLES = {
    "queued": "warn",
    "running": "accent",
    "done": "good",
    "failed": "bad",
    "cancelled": "muted",
    "lost": "bad",
}


def status(run: Run, palette: Palette, *, stopping: bool = False) -> Text:
    """A run's status in its colour; `stopping`: it was told to end and has not yet."""
    if stopping:
        return Text("stopping", palette.warn)
    return Text(run.status, getattr(palette, STATUS_STYLES.get(run.status, "muted")))


# Paragraphs ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Paragraph:
    """A text to wrap: `lead` stands before its first line, the others are indented as far."""

    text: Text = field(default_factory=Text)
    lead: Text = field(default_factory=Text)
    indent: int = 0
    wrap: bool = True
    lead_all: bool = False  # before its other lines, too

    def lines(self, width: int) -> list[Text]:
        """Its lines, each at most `width` cells."""
        room = max(1, width - self.indent)
        if self.wrap:
            wrapped = list(self.text.wrap(_WRAPPER, room, overflow="fold")) or [Text()]
        else:
            wrapped = [fit(part, room) for part in self.text.split(allow_blank=True)]
        if not self.indent:
            return wrapped
        lead = fit(self.lead.copy(), self.indent)
        others = lead if self.lead_all else Text(" " * self.indent)
        leads = [lead] + [others] * (len(wrapped) - 1)
        return [Text().append_text(lead).append_text(part) for lead, part in zip(leads, wrapped, strict=True)]


@dataclass(slots=True)
class Pieces(Paragraph):
    """Short texts, as many to a line as fit; only one that is wider than a line by itself is broken."""

    pieces: tuple[Text, ...] = ()
    gap: int = 3  # cells between two of them

    def lines(self, width: int) -> list[Text]:
        """Its lines, each at most `width` cells."""
        rows: list[list[Text]] = []
        room = 0
        for piece in self.pieces:
            if not rows or self.gap + piece.cell_len > room:
                rows.append([])
                room = width + self.gap
            rows[-1].append(piece)
            room -= self.gap + piece.cell_len
        parts = (Paragraph(joined(row, " " * self.gap)) for row in rows)
        return [line for part in parts for line in part.lines(width)]


def heading(title: str, palette: Palette, *facts: Text | str) -> Paragraph:
    """The first line of a section, with facts beside it."""
    return Paragraph(joined([Text(title, palette.accent), *facts], "  "))


BLANK = Paragraph()
