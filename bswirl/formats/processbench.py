"""ProcessBench (arXiv 2412.06559): solutions whose first wrong step people marked; a JSON list or JSONL."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bswirl.errors import InputError
from bswirl.formats.lines import BadLineError, Line, Reject, no_constant, parse_line, text_field

_SPACE = re.compile(r"[ \t\r\n]*")
_NEXT_ROW = re.compile(r",[ \t\r\n]*(?=\{)")  # where to go on behind a row that is no JSON
_KEPT = 2000  # characters of a rejected row


@dataclass(frozen=True, slots=True)
class LabelledSolution:
    """One solution. `label` is the index of its first wrong step from 0; −1 where every step is right."""

    problem: str
    steps: tuple[str, ...]
    label: int
    line: int  # where in the file it stands

    @property
    def labelled(self) -> int:
        """How many of its steps have a human label: up to the first wrong one; later ones have none."""
        return len(self.steps) if self.label < 0 else self.label + 1


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What a file held."""

    solutions: list[LabelledSolution]
    rejects: list[Reject]
    sha256: str


def read_processbench(path: Path) -> Benchmark:
    """The solutions of a file, and the rows that hold none.

    Raises InputError where the file cannot be read or is empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror or error}", "check the path and its permissions"
        ) from error
    if not data.strip():
        raise InputError(f"{path} is empty", "give ProcessBench's JSON file")
    solutions: list[LabelledSolution] = []
    rejects: list[Reject] = []
    for row in _rows(str(path), data):
        if isinstance(row, Reject):
            rejects.append(row)
            continue
        try:
            solutions.append(_solution(row))
        except BadLineError as error:
            rejects.append(Reject(str(path), row.number, str(error), row.raw))
    return Benchmark(solutions, rejects, hashlib.sha256(data).hexdigest())


def _rows(path: str, data: bytes) -> Iterator[Line | Reject]:
    if _is_list(data.removeprefix(b"\xef\xbb\xbf").strip()):
        yield from _listed(path, data.decode("utf-8-sig", errors="surrogateescape"))
        return
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            yield parse_line(path, number, line)


def _is_list(data: bytes) -> bool:
    """Whether it is one list, rather than lines of which the first holds one."""
    if not data.startswith(b"["):
        return False
    first, _, rest = data.partition(b"\n")
    try:
        json.loads(first)
    except (RecursionError, ValueError):
        return True
    return not rest


def _listed(path: str, text: str) -> Iterator[Line | Reject]:
    """The rows of a JSON list, each with the line on which it begins. A broken row stops no other."""
    decoder = json.JSONDecoder(parse_constant=no_constant)
    position, number, counted = text.index("[") + 1, 1, 0
    while (start := _skip(text, position)) < len(text) and text[start] != "]":
        number, counted = number + text.count("\n", counted, start), start
        try:
            value, end = decoder.raw_decode(text, start)
        except (BadLineError, RecursionError, ValueError) as error:
            yield Reject(path, number, f"not JSON: {_why(error)}", _shown(text[start : start + _KEPT]))
            following = _NEXT_ROW.search(text, start)
            if following is None:
                return
            position = following.end()
            continue
        yield _row(path, number, value, text[start:end])
        behind = _skip(text, end)
        position = behind + (text[behind : behind + 1] == ",")
    if start >= len(text):
        yield Reject(path, number, "the list has no `]` at its end: the file may be cut off", "")


def _row(path: str, number: int, value: Any, raw: str) -> Line | Reject:
    if not raw.isascii() and any("\udc80" <= character <= "\udcff" for character in raw):
        return Reject(path, number, "not UTF-8", _shown(raw[:_KEPT]))
    if not isinstance(value, dict):
        return Reject(path, number, "not a JSON object", _shown(raw[:_KEPT]))
    return Line(number, value, raw)


def _why(error: Exception) -> str:
    return f"{error.msg} on line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(error)


def _shown(raw: str) -> str:
    """Undecodable bytes spelled out."""
    return raw.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="backslashreplace")


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _solution(row: Line) -> LabelledSolution:
    problem, steps, label = text_field(row.value, "problem"), row.value.get("steps"), row.value.get("label")
    if not isinstance(steps, list) or not steps or not all(isinstance(step, str) for step in steps):
        raise BadLineError("`steps` must be a list of texts, at least one")
    blank = next((place for place, step in enumerate(steps) if not step.strip()), None)
    if blank is not None:
        raise BadLineError(f"`steps` has an empty text at index {blank}")
    if isinstance(label, bool) or not isinstance(label, int) or not -1 <= label < len(steps):
        raise BadLineError(f"`label` must be -1 or a step's index, 0 to {len(steps) - 1}")
    return LabelledSolution(problem, tuple(steps), label, row.number)
