"""JSON Lines, a line at a time: a bad line is reported with its place and reason, and stops no other."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from bswirl.errors import InputError
from bswirl.records import SPLITS

_NAMED_SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation"}
_NAMED_SPLITS |= {"dev": "validation", "test": "test", "eval": "test"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line that holds a JSON object. Lines count from 1."""

    number: int
    value: dict[str, Any]
    raw: str


@dataclass(frozen=True, slots=True)
class Reject:
    """One line that could not be taken, and why."""

    path: str
    line: int
    reason: str
    raw: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


class BadLineError(Exception):
    """Why a line cannot be taken; its reader turns it into a Reject."""


def read_lines(path: Path) -> Iterator[Line | Reject]:
    """The lines of a JSONL file, blank ones left out.

    Raises InputError where there is no such file, or it is unreadable, empty or not text.
    """
    try:
        with path.open("rb") as handle:
            if b"\0" in handle.peek(4096)[:4096]:
                raise InputError(f"{path} is not a text file", "give a JSONL file: one JSON object a line")
            empty = True
            for number, line in enumerate(handle, start=1):
                if line.strip():
                    empty = False
                    yield parse_line(str(path), number, line)
            if empty:
                raise InputError(f"{path} is empty", "give a JSONL file: one JSON object a line")
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror or error}", "check the path and its permissions"
        ) from error


def parse_line(path: str, number: int, line: bytes) -> Line | Reject:
    """One line of a JSONL file."""
    raw = line.decode("utf-8", errors="backslashreplace").rstrip("\r\n")
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        value = json.loads(text, parse_constant=no_constant)
    except UnicodeDecodeError as error:
        return Reject(path, number, f"not UTF-8 at byte {error.start + 1} of the line", raw)
    except json.JSONDecodeError as error:
        return Reject(path, number, f"not JSON: {error.msg} at character {error.pos + 1}", raw)
    except (BadLineError, RecursionError, ValueError) as error:
        return Reject(path, number, f"not JSON: {error}", raw)
    if not isinstance(value, dict):
        return Reject(path, number, "not a JSON object", raw)
    return Line(number, value, raw)


def no_constant(name: str) -> Any:
    """For JSON's parser: NaN and the infinities are no JSON."""
    raise BadLineError(f"{name} is no JSON number")


def text_field(value: dict[str, Any], key: str) -> str:
    """A text that must be there and not be blank. Raises BadLineError."""
    text = optional_text(value, key)
    if text is None:
        raise BadLineError(f"`{key}` is missing")
    if not text.strip():
        raise BadLineError(f"`{key}` is empty")
    return text


def optional_text(value: dict[str, Any], key: str) -> str | None:
    """A text that may be missing or null. Raises BadLineError where it is something else."""
    text = value.get(key)
    if text is None or isinstance(text, str):
        return text
    raise BadLineError(f"`{key}` must be a text, not {_kind(text)}")


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def split_of(path: Path, given: str | None) -> str:
    """The split a file belongs to: the one given, else the one its name says, else train."""
    if given is not None:
        if given not in SPLITS:
            raise InputError(f"unknown split `{given}`", f"use one of: {', '.join(SPLITS)}")
        return given
    words = re.split(r"[^a-z]+", path.name.lower())
    return next((_NAMED_SPLITS[word] for word in words if word in _NAMED_SPLITS), "train")


def write_rejects(folder: Path, source: Path, rejects: Iterable[Reject]) -> Path:
    """Keeps rejected lines in `folder` as JSONL with `file`, `line`, `reason` and `raw`; gives the path.

    Rejects of an earlier import are never written over; the same ones again go to the same file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"file": reject.path, "line": reject.line, "reason": reject.reason, "raw": reject.raw})
        for reject in rejects
    ]
    content = "".join(line + "\n" for line in lines)
    for number in count(1):
        name = source.name if number == 1 else f"{source.name}.{number}"
        target = folder / f"{name}.rejects.jsonl"
        if not target.exists():
            write_atomically(target, lines)
            return target
        if target.read_text(encoding="utf-8") == content:
            return target
    raise AssertionError


def write_atomically(path: Path, lines: Iterable[str]) -> int:
    """Writes the lines to a draft beside `path` and renames it; gives how many. Raises InputError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    written = 0
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as handle:
            for line in lines:
                handle.write(line + "\n")
                written += 1
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}",
            "check the folder, its permissions and its space",
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return written
