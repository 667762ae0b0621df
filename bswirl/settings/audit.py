"""The table `[audit]`: reasons to choose from, guidelines, and how the queue mixes its draws."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bswirl.display import safe_text
from bswirl.errors import InputError
from bswirl.settings.tables import Table

DEFAULT_REASONS = (
    "wrong arithmetic",
    "wrong quantity",
    "does not follow",
    "no progress",
    "repeats or restates",
    "unclear",
)
STANDARD_GUIDELINES = """\
Judge this step alone. 1: it is correct and makes progress. 0: one of the two is missing.
Correct: what it says and computes is true, given the steps before it; one that goes on soundly from \
an earlier mistake is correct.
Progress: it finds out something that leads toward a solution. Plans and repetitions do not.
An answer is good if it is the gold answer. Unsure and skip leave the judge's verdict in force.
`[audit] guidelines` in bswirl.toml names a file with your own."""
LONGEST_GUIDELINES = 1 << 20  # bytes

_KEYS = ("reasons", "guidelines", "slice", "repeats", "overlap", "blind", "reserve_minutes")
_MOST_REASONS = 30
_LONGEST_REASON = 200
_MOST_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """How this project is audited."""

    reasons: tuple[str, ...] = DEFAULT_REASONS  # the short list to choose from
    guidelines: str | None = None  # a text file's absolute path, inside the project
    slice: float = 0.2  # share of random draws in every order
    repeats: float = 0.05  # share of steps that the auditor labelled before
    overlap: float = 0.0  # share of steps that another auditor labelled
    blind: bool = True
    reserve_minutes: float = 10.0


def read_audit(table: Table, root: Path) -> AuditSettings:
    """The settings of that table. Raises InputError where one of them is wrong."""
    table.check_keys(_KEYS)
    default = AuditSettings()
    shares = {
        name: float(getattr(default, name) if value is None else value)
        for name in ("slice", "repeats", "overlap")
        for value in (table.number(name, least=0, most=1),)
    }
    minutes = table.number("reserve_minutes", above=0, most=_MOST_MINUTES)
    blind = table.values.get("blind", True)
    if not isinstance(blind, bool):
        raise table.error("`blind` must be true or false", "write blind = true", "blind")
    return AuditSettings(
        reasons=_reasons(table),
        guidelines=_guidelines(table, root),
        blind=blind,
        reserve_minutes=default.reserve_minutes if minutes is None else float(minutes),
        **shares,
    )


def read_guidelines(settings: AuditSettings) -> str:
    """The guidelines' text, made safe to show; the standard ones where none are named. Raises InputError."""
    if settings.guidelines is None:
        return STANDARD_GUIDELINES
    path = Path(settings.guidelines)
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_GUIDELINES + 1)
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror or error}", "mend `guidelines` in [audit] of bswirl.toml"
        ) from error
    if len(text) > LONGEST_GUIDELINES:
        raise InputError(f"{path} is longer than 1 MB", "guidelines are a short text")
    return safe_text(text.decode("utf-8", "replace"))


def _reasons(table: Table) -> tuple[str, ...]:
    reasons = table.values.get("reasons", list(DEFAULT_REASONS))
    fits = (
        isinstance(reasons, list)
        and len(reasons) <= _MOST_REASONS
        and all(
            isinstance(reason, str) and 0 < len(reason.strip()) <= _LONGEST_REASON and reason.isprintable()
            for reason in reasons
        )
    )
    if not fits:
        raise table.error(
            f"`reasons` must be a list of at most {_MOST_REASONS} short texts",
            'write reasons = ["wrong arithmetic", "no progress"]',
            "reasons",
        )
    return tuple(reason.strip() for reason in reasons)


def _guidelines(table: Table, root: Path) -> str | None:
    name = table.text("guidelines")
    if name is None:
        return None
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise table.error(
            "`guidelines` must lie in the project's folder", "copy the file there", "guidelines"
        )
    return str(path)
