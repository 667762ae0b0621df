"""What the screens say of evaluations and of what changed between two."""

from __future__ import annotations

from rich.text import Text

from bswirl.display import number
from bswirl_tui.evaluations import Compared, Evaluation, Share
from bswirl_tui.glyphs import glyphs
from bswirl_tui.text import count, line, signed
from bswirl_tui.themes import Palette

CHANCE = 0.05  # a p-value from here on is called chance


def interval_bar(share: Share, width: int, colours: Palette) -> Text:
    """The interval on a scale from 0 to 100%, with a mark at the share itself."""
    signs = glyphs()
    low, high = (min(width - 1, int(end * width)) for end in share.interval)
    here = min(width - 1, int(share.value * width))
    cells = [signs.bar_full if low <= at <= high else signs.bar_empty for at in range(width)]
    text = Text("".join(cells), colours.faint)
    text.stylize(colours.accent, low, high + 1)
    return text[:here] + Text(signs.backbone, colours.strong) + text[here + 1 :]


def percent(value: float | None) -> str:
    """A share in percent; a dash where it is not known."""
    return glyphs().dash if value is None else f"{100 * value:.1f}%"


def evaluation_line(letter: str, evaluation: Evaluation, colours: Palette) -> Text:
    """Which evaluation a letter stands for, and what it found over all of its questions."""
    text = Text(f"{letter} ", colours.accent).append(f"run {evaluation.run.run_id} ", colours.muted)
    text.append_text(line(evaluation.policy, colours.strong, limit=60)).append("  ")
    text.append_text(line(evaluation.scope, colours.muted, limit=40)).append("  ")
    return text.append(evaluation.strict.words if evaluation.strict else "not done", colours.strong)


def outcome_lines(found: Compared, colours: Palette) -> list[Text]:
    """How B stands against A: fixed, broken, and whether that could be chance."""
    outcome = found.outcome
    if not outcome.n:
        return [Text("No question in common: nothing can be compared.", colours.warn)]
    points = signed(100 * outcome.difference, 1)
    first = Text.assemble(
        (f"{len(outcome.fixed)} fixed", colours.good),
        ", ",
        (f"{len(outcome.broken)} broken", colours.bad),
        f" of {count(outcome.n, 'question')} that both answered: {points} points from A to B",
    )
    chance = "no surprise" if outcome.p >= CHANCE else "rare"
    words = f"exact McNemar p = {number(outcome.p)}: such a difference is {chance} without a true one"
    return [first, Text(words, colours.muted)]
