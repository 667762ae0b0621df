"""The help screen: the keys that work where it was opened, and what the signs mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from bswirl_tui import actions
from bswirl_tui.actions import ActionSpec
from bswirl_tui.glyphs import glyphs
from bswirl_tui.screens.reader import Reader
from bswirl_tui.text import BLANK, Paragraph, fit, heading
from bswirl_tui.themes import Palette

_KEYS = 16  # cells of the column of keys
_GAP = 2  # of them before what a key does


class HelpReader(Reader):
    """Closed by the key that opens it, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "screen_back", show=False, id="app.help")
    ]


def help_reader(specs: Iterable[ActionSpec], colours: Palette, *, legend: bool) -> HelpReader:
    """The help screen for these actions."""
    parts = key_paragraphs(specs, colours)
    if legend:
        parts += [BLANK, *legend_paragraphs(colours)]
    return HelpReader("Keys", parts)


def key_paragraphs(specs: Iterable[ActionSpec], colours: Palette) -> list[Paragraph]:
    """The keys by group, in the registry's order."""
    parts: list[Paragraph] = []
    group = ""
    wanted = {spec.id for spec in specs}
    for spec in actions.ACTIONS:
        if spec.id not in wanted:
            continue
        if spec.group != group:
            group = spec.group
            parts += [BLANK, heading(group, colours)] if parts else [heading(group, colours)]
        keys = fit(Text(short_keys(spec), colours.accent), _KEYS - _GAP)
        parts.append(Paragraph(Text(spec.description), keys, indent=_KEYS))
    return parts


def short_keys(spec: ActionSpec) -> str:
    """An action's keys as people write them; three or more digits in a row as `2-9`."""
    runs: list[list[str]] = []
    for key in map(actions.display_key, spec.keys):
        last = runs[-1][-1] if runs else ""
        if key.isdecimal() and last.isdecimal() and int(key) == int(last) + 1:
            runs[-1].append(key)
        else:
            runs.append([key])
    return " ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else " ".join(run) for run in runs)


def legend_paragraphs(colours: Palette) -> list[Paragraph]:
    """What the signs of a tree mean."""
    signs = glyphs()
    rows = [
        (Text(signs.good, colours.good), "effective reward 1: the step is correct and makes progress"),
        (Text(signs.bad, colours.bad), "effective reward 0"),
        (
            Text(signs.unsure, colours.warn),
            "unsure, or auditors disagree: the judge's verdict stands",
        ),
        (Text(signs.unjudged, colours.muted), "no reward yet"),
        (Text("J H A", colours.muted), "who decided the reward: the judge, a human, the answer check"),
        (Text("+0.40", colours.good), "advantage: the reward minus the mean of its group, over samples"),
        (Text(f"{signs.times}3", colours.muted), "how many samples have this step"),
        (Text(signs.backbone, colours.accent), "on a trajectory's backbone"),
        (Text(signs.live, colours.good), "leads to a live group: its rewards differ, so it teaches"),
        (Text(signs.dead, colours.muted), "leads to a dead group: its rewards are all equal"),
        (Text(signs.match, colours.warn), "has the words searched for"),
        (Text("shift", colours.muted), "what training did to the log-prob of a held-out step"),
        (
            Text(signs.gap, colours.warn),
            "side by side: the text compared with has more words here",
        ),
    ]
    return [heading("Signs", colours), *(Paragraph(Text(words), sign, indent=_KEYS) for sign, words in rows)]
