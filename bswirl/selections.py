"""Selections: what training gets to see, said in one place and perhaps saved by a name.

A selection is a scope (dataset, split, the first N questions) and filters. Filters leave whole trajectories,
groups or questions, never single siblings of a group (docs/method.md, “Selections”).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bswirl.errors import UsageError

TrajectoryFilter = Literal["none", "process", "outcome", "both"]
DifficultyLevel = Literal["group", "question"]
Difficulty = tuple[float, float]

_FILTERS: tuple[str, ...] = get_args(TrajectoryFilter)
_LEVELS: tuple[str, ...] = get_args(DifficultyLevel)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RANGE_REMEDY = "write two means with two dots between them, such as 0.2..0.8"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which trajectories are kept, and which groups or questions by their mean reward. Checked when made."""

    filter: str = "none"
    difficulty: Difficulty | None = None  # both ends are in
    difficulty_by: str = "group"

    def __post_init__(self) -> None:
        """Raises UsageError on what is no filter, no level or no range of means."""
        if self.filter not in _FILTERS:
            raise UsageError(f"`{self.filter}` is no filter", f"filters are {', '.join(_FILTERS)}")
        if self.difficulty_by not in _LEVELS:
            raise UsageError(
                f"difficulty is not told by `{self.difficulty_by}`", f"it is by {' or '.join(_LEVELS)}"
            )
        if self.difficulty is not None:
            check_difficulty(*self.difficulty)

    @property
    def active(self) -> bool:
        """Whether they can leave anything out."""
        return self.filter != "none" or self.difficulty is not None

    @property
    def words(self) -> str:
        """Them in a few words; empty where they leave everything."""
        parts = [] if self.filter == "none" else [f"filter {self.filter}"]
        if self.difficulty is not None:
            parts.append(f"difficulty {difficulty_text(self.difficulty)} by {self.difficulty_by}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Selection:
    """A whole definition of what is trained on. Its filters are checked when it is made."""

    dataset: str | None = None
    split: str = "train"
    limit: int | None = None  # questions that have a reward, the first N of them
    filter: str = "none"
    difficulty: Difficulty | None = None
    difficulty_by: str = "group"

    def __post_init__(self) -> None:
        """Raises UsageError as Filters does."""
        self.filters  # noqa: B018 - made to be checked

    @property
    def filters(self) -> Filters:
        """Its filters."""
        return Filters(self.filter, self.difficulty, self.difficulty_by)

    @property
    def words(self) -> str:
        """It in one line."""
        parts = [self.dataset or "any dataset", self.split]
        if self.limit is not None:
            parts.append(f"the first {self.limit} questions")
        return ", ".join([*parts, *([self.filters.words] if self.filters.active else [])])

    def to_json(self) -> dict[str, Any]:
        """As the protocol and a run's config have it."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "limit": self.limit,
            "filter": self.filter,
            "difficulty": None if self.difficulty is None else list(self.difficulty),
            "difficulty_by": self.difficulty_by,
        }


SELECTION_FIELDS = tuple(Selection().to_json())


@dataclass(frozen=True, slots=True)
class SavedSelection:
    """A selection by its name in the project."""

    name: str
    selection: Selection
    created_by: str = ""
    created_at: str = ""  # ISO 8601, UTC; of the newest change


@dataclass(frozen=True, slots=True)
class SelectionCounts:
    """What a selection leaves now, and why it leaves out the rest.

    Groups, actions and samples are what `bswirl` trains on: whole groups. `own_actions` and `own_samples` are
    the steps that kept trajectories took themselves, which `swirl` trains on. All have a reward.
    """

    questions: int = 0
    trajectories: int = 0
    groups: int = 0
    live_groups: int = 0
    dead_groups: int = 0
    actions: int = 0
    samples: int = 0
    own_actions: int = 0
    own_samples: int = 0
    considered: int = 0  # questions in the project
    reasons: dict[str, int] = field(default_factory=dict)  # what was left out, counted by why


def check_name(name: str) -> str:
    """The name, where a selection can have it. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"`{name[:80]}` is no name for a selection",
            "use 1 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit",
        )
    return name


def check_difficulty(low: float, high: float) -> Difficulty:
    """A range of means with both ends in. Raises UsageError where it is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UsageError("a difficulty is between two numbers", _RANGE_REMEDY)
    if low > high:
        raise UsageError(f"difficulty {low:g}..{high:g} is empty: {low:g} is above {high:g}", _RANGE_REMEDY)
    return low, high


def parse_difficulty(text: str) -> Difficulty:
    """`0.2..0.8` as its two ends. Raises UsageError on anything else."""
    low, _, high = text.strip().partition("..")
    try:
        return check_difficulty(float(low), float(high))
    except ValueError:
        raise UsageError(f"difficulty must be a range, not {text!r}", _RANGE_REMEDY) from None


def difficulty_text(difficulty: Difficulty) -> str:
    """A range as it is typed."""
    return "..".join(_number_text(end) for end in difficulty)


def _number_text(value: float) -> str:
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)
