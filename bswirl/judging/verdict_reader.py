"""Reading a judge's reply: its verdict stands in a fixed place at the end, or in a JSON object.

What cannot be read is None, never a verdict of 0. Words of a verdict inside the reasoning count for nothing:
only whole lines do, and only where nothing but decoration follows them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

_LONGEST = 50_000  # characters at the end of a reply that are looked at
_MOST_BRACES = 1_000  # places where a JSON object is tried
_RATIONALES = ("rationale", "reasoning", "reason", "explanation")

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHT_OPEN = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][\w-]{0,20}/?>")
_EMPHASIS = re.compile(r"[*`\"'#>~“”‘’]|__|(?<!\w)_|_(?!\w)")
_BULLET = re.compile(r"^\s*(?:[-•·+]|\(?\d{1,2}[.)])?\s*")
_PREAMBLE = r"(?:(?:my |the )?(?:final )?(?:verdict|answer|judge?ment|conclusion)s?\s*[:\-–—]\s*)?"
_PAIR = (
    r"(?P<name{0}>(?:is[ _])?correct(?:ness)?|(?:makes?[ _])?progress)\s*[:=：]\s*"
    r"(?P<value{0}>yes|no|true|false|1|0)\b(?![/|.]\w)"
)
_LINE = re.compile(
    rf"{_PREAMBLE}{{?\s*{_PAIR.format(1)}(?:\s*(?:[,;|/&]|and)?\s*{_PAIR.format(2)})?\s*}}?(?P<tail>.*)",
    re.IGNORECASE,
)
_WORDLESS = re.compile(r"[\W_]*")
_TAIL = re.compile(r"\s*[.,;!]?\s*|\s*[.,;:(\[–—-].*")
_HEDGE = re.compile(r"\b(?:but|however|if|unless|except|although|though|or)\b", re.IGNORECASE)
_OPPOSITE = {True: re.compile(r"\b(?:no|false)\b", re.I), False: re.compile(r"\b(?:yes|true)\b", re.I)}
_BAD_ESCAPE = re.compile(r"\\(?![\"\\/bfnrtu])|\\u(?![0-9a-fA-F]{4})")

Name = Literal["correct", "progress"]
_NAMES: tuple[Name, ...] = ("correct", "progress")


@dataclass(frozen=True, slots=True)
class ReadVerdict:
    """What a reply says of a step, and the words before the verdict, verbatim."""

    correct: bool
    progress: bool
    rationale: str


def read_verdict(reply: str, *, json_first: bool = False) -> ReadVerdict | None:
    """The verdict of a reply; None where it has none, half of one, or contradicts itself.

    With `json_first` (a schema was asked for) the last JSON object with both keys counts, whatever stands
    around it; else, or where there is none, the lines at the reply's end do, or an object that ends it.
    """
    shown = _without_thoughts(reply)[-_LONGEST:]
    skipped = len(reply) - len(shown)
    if json_first and (found := _from_json(shown, reply, skipped, anywhere=True)):
        return found
    return _from_lines(shown, reply, skipped) or _from_json(shown, reply, skipped, anywhere=False)


def _without_thoughts(reply: str) -> str:
    """The reply with thinking blanked out; every other character stays in its place."""
    shown = _THINKING.sub(lambda match: " " * len(match[0]), reply)
    return _THOUGHT_OPEN.sub(lambda match: " " * len(match[0]), shown)


# Lines ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Said:
    """What one line says, or that a blank one parts paragraphs."""

    start: int
    values: tuple[tuple[Name, bool], ...]


def _from_lines(shown: str, reply: str, skipped: int) -> ReadVerdict | None:
    blocks = list(_blocks(_verdict_lines(shown)))
    for place in range(len(blocks) - 1, -1, -1):
        start, values = blocks[place]
        if len(values) == len(_NAMES):
            correct, progress = values["correct"], values["progress"]
            taken_back = any(half.items() - values.items() for _, half in blocks[place + 1 :])
            if correct is None or progress is None or taken_back:
                return None
            return ReadVerdict(correct, progress, reply[: skipped + start].strip())
    return None


def _verdict_lines(shown: str) -> Iterator[_Said]:
    """The verdict lines that end the text, first one first, with the blank lines between them."""
    lines: list[_Said] = []
    end = len(shown)
    while end > 0:
        start = shown.rfind("\n", 0, end) + 1
        line = shown[start:end]
        values = _line_values(line)
        if values:
            lines.append(_Said(start, values))
        elif _WORDLESS.fullmatch(_TAG.sub("", line)) or line.strip().lower() == "```json":
            lines.append(_Said(start, ()))
        else:
            break
        end = start - 1
    return reversed(lines)


def _line_values(line: str) -> tuple[tuple[Name, bool], ...]:
    if len(line) > 1_000:
        return ()
    plain = _BULLET.sub("", _EMPHASIS.sub("", _TAG.sub("", line)), count=1)
    match = _LINE.fullmatch(plain.strip())
    if match is None:
        return ()
    pairs = [(_name(match["name1"]), _truth(match["value1"]))]
    if match["name2"]:
        pairs.append((_name(match["name2"]), _truth(match["value2"])))
    tail = match["tail"]
    if not _TAIL.fullmatch(tail) or _HEDGE.search(tail) or _OPPOSITE[bool(pairs[-1][1])].search(tail):
        return ()
    return tuple((name, value) for name, value in pairs if value is not None)


def _blocks(said: Iterable[_Said]) -> Iterator[tuple[int, dict[Name, bool | None]]]:
    """Where each block begins and what it says; None for what it says both of.

    A block has each name once. A name that is there already begins another block behind a blank line, or once
    the block is whole; else it must say the same again.
    """
    start, values, parted = 0, dict[Name, bool | None](), False
    for line in said:
        parted = parted or not line.values
        for name, value in line.values:
            if name in values and (parted or len(values) == len(_NAMES)):
                yield start, values
                values = {}
            if not values:
                start = line.start
            values[name] = value if values.get(name, value) == value else None
            parted = False
    if values:
        yield start, values


def _name(word: str) -> Name:
    return "progress" if "progress" in word.lower() else "correct"


def _truth(value: Any) -> bool | None:
    """A value in any of its spellings; None where it is none of them."""
    if isinstance(value, str):
        return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(
            value.strip(" \t\n.*!").lower()
        )
    return bool(value) if isinstance(value, bool | int) and value in (0, 1) else None


# JSON ----------------------------------------------------------------------------------------------


def _from_json(shown: str, reply: str, skipped: int, *, anywhere: bool) -> ReadVerdict | None:
    for text in (shown, _BAD_ESCAPE.sub(lambda match: "\\" + match[0], shown)):
        found = [
            (start, end, verdict)
            for start, end, value in _objects(text)
            if (verdict := _both(value)) is not None
        ]
        if not found:
            continue
        start, end, (values, rationale) = found[-1]
        behind = _TAG.sub("", text[end:]).replace("```", "")
        if values is None or not (anywhere or not behind.strip()):
            return None
        if rationale is None:
            rationale = reply[: skipped + start].strip() if text is shown else ""
        return ReadVerdict(*values, rationale)
    return None


def _objects(text: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The JSON objects of a text, outermost ones, with where they begin and end."""
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs, strict=False)
    start, needed = text.find("{"), text.lower().rfind("correct")
    for _ in range(_MOST_BRACES):
        if not 0 <= start < needed:
            return
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield start, end, value
        start = text.find("{", end)


class _Pairs(dict[str, Any]):
    """An object that remembers which keys it was given two values."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__((key.lower(), value) for key, value in pairs)
        self.torn = {key.lower() for key, value in pairs if self[key.lower()] != value}


def _both(value: Any) -> tuple[tuple[bool, bool] | None, str | None] | None:
    """Both values (None where they contradict or cannot be read) and the rationale of an object.

    None where it is no verdict's object.
    """
    if not isinstance(value, _Pairs):
        return None
    inner = value.get("verdict")
    said = inner if isinstance(inner, _Pairs) else value
    if any(name not in said for name in _NAMES):
        return None
    rationale = next((value[key] for key in _RATIONALES if isinstance(value.get(key), str)), None)
    correct, progress = (_truth(said[name]) for name in _NAMES)
    if correct is None or progress is None or said.torn & set(_NAMES):
        return None, rationale
    return (correct, progress), rationale
