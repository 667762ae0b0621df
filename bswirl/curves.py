"""Curves of runs as tables: choosing them by name, and writing them as CSV."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from bswirl.errors import InputError, UsageError

Points = Sequence[tuple[int, float | None]]
COLUMNS = ("run", "metric", "step", "value")


def name_pattern(text: str) -> re.Pattern[str]:
    """A regular expression for names of curves, in any case. Raises UsageError where it is none."""
    try:
        return re.compile(text, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f"`{text}` is no regular expression: {error}", "for example shift|kl") from error


def chosen(metrics: Mapping[str, Points], pattern: re.Pattern[str] | None) -> dict[str, Points]:
    """The curves whose name the pattern matches somewhere, by name."""
    return {
        name: points
        for name, points in sorted(metrics.items())
        if points and (pattern is None or pattern.search(name))
    }


def write_csv(handle: TextIO, curves: Iterable[tuple[int, Mapping[str, Points]]]) -> int:
    """Writes curves of runs, a line a point, and returns how many; what has no value has an empty one."""
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow(COLUMNS)
    lines = 0
    for run_id, metrics in curves:
        for name, points in metrics.items():
            for step, value in points:
                writer.writerow((run_id, name, step, "" if value is None else repr(value)))
                lines += 1
    return lines


def save_csv(path: Path, curves: Iterable[tuple[int, Mapping[str, Points]]], *, replace: bool = False) -> int:
    """Writes a CSV file whole or not at all, and returns its number of points.

    Raises InputError where there is a file of that name and `replace` is not said, or it cannot be written.
    """
    try:
        made = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        taken = _take(path, replace=replace)
        try:
            with made.open("w", encoding="utf-8", newline="") as file:
                lines = write_csv(file, curves)
            made.replace(path)
        except BaseException:
            if taken:
                path.unlink(missing_ok=True)
            raise
        finally:
            made.unlink(missing_ok=True)
    except FileExistsError as error:
        raise InputError(f"there is a file {path} already", "choose another name") from error
    except (OSError, ValueError) as error:  # ValueError: no name, or one with a zero byte
        raise InputError(f"cannot write {path}: {error}", "choose another place") from error
    return lines


def _take(path: Path, *, replace: bool) -> bool:
    """Takes the name, or raises where another has it; whether there was no such file before."""
    try:
        path.open("x").close()
    except FileExistsError:
        if not replace:
            raise
        path.open("a").close()  # whether it may be written at all
        return False
    return True


def free_path(path: Path) -> Path:
    """That path, or the first of `NAME-2`, `NAME-3`, … that does not exist."""
    number, found = 2, path
    while found.exists():
        found = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return found
