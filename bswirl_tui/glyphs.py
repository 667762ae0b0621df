"""Every sign the app draws that is not a letter, in one place, with a plain ASCII set beside it."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of signs. Each is one cell wide unless its comment says otherwise."""

    good: str  # reward 1
    bad: str  # reward 0
    unsure: str  # a label `unsure`, or auditors who disagree
    unjudged: str  # no reward yet
    backbone: str  # the action lies on a trajectory's backbone
    live: str  # a group whose rewards differ
    dead: str  # a group whose rewards are all equal
    opened: str
    closed: str
    guide_down: str  # two cells: a line passes by
    guide_branch: str  # two cells: a line branches off
    guide_last: str  # two cells: a line ends
    times: str
    minus: str
    dash: str  # nothing to show
    ellipsis: str
    bar_full: str
    bar_empty: str
    gap: str  # words of another text are missing here
    bar: str  # beside a step to judge
    match: str  # a step with the words searched for
    column: str  # between columns
    separator: str  # three cells, between facts on a line
    shades: str  # six cells: from what was all but certain to what was very unlikely
    caret: str  # points up at a place on an axis
    braille: bool  # whether curves may be drawn in braille dots


UNICODE = Glyphs(
    good="✓",
    bad="✗",
    unsure="?",
    unjudged="·",
    backbone="●",
    live="◆",
    dead="◇",
    opened="▾",
    closed="▸",
    guide_down="│ ",
    guide_branch="├╴",
    guide_last="└╴",
    times="×",
    minus="−",
    dash="–",
    ellipsis="…",
    bar_full="━",
    bar_empty="─",
    gap="‸",
    bar="┃",
    match="»",
    column="│",
    separator=" · ",
    shades=" ▁▃▅▆█",
    caret="▲",
    braille=True,
)

ASCII = Glyphs(
    good="+",
    bad="x",
    unsure="?",
    unjudged=".",
    backbone="*",
    live="#",
    dead="o",
    opened="v",
    closed=">",
    guide_down="| ",
    guide_branch="|-",
    guide_last="`-",
    times="x",
    minus="-",
    dash="-",
    ellipsis="~",
    bar_full="=",
    bar_empty="-",
    gap="^",
    bar="|",
    match="/",
    column="|",
    separator=" | ",
    shades=" .:=*#",
    caret="^",
    braille=False,
)

_active = UNICODE


def glyphs() -> Glyphs:
    """The set in use."""
    return _active


def use(chosen: Glyphs) -> None:
    """Makes `chosen` the set in use, for everything drawn from now on."""
    global _active
    _active = chosen


def fitting_set() -> Glyphs:
    """The set that the terminal's encoding can show."""
    encoding = (sys.stderr.encoding or "ascii").lower().replace("-", "")
    return UNICODE if encoding.startswith("utf") else ASCII
