"""The project's interchange format `branched`: JSONL, one sample a line. Text is kept verbatim."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bswirl.formats.lines import (
    BadLineError,
    Reject,
    optional_text,
    read_lines,
    text_field,
    write_atomically,
)
from bswirl.interchange import SampleRow
from bswirl.records import LABEL_VALUES, SPLITS

OPTIONAL_KEYS = (
    *("dataset", "split", "gold", "solution", "trajectory_id", "judge", "rationale"),
    *("label", "auditor", "logprob", "n_tokens"),
)
_LARGEST = 2**62


@dataclass(frozen=True, slots=True)
class ReadSample:
    """A checked row and where it stood."""

    row: SampleRow
    line: int
    raw: str


def read_branched(path: Path) -> tuple[list[ReadSample], list[Reject]]:
    """The rows of a file that are well formed, and the lines that are not. Raises as read_lines does."""
    rows: list[ReadSample] = []
    rejects: list[Reject] = []
    for line in read_lines(path):
        if isinstance(line, Reject):
            rejects.append(line)
            continue
        try:
            rows.append(ReadSample(_row(line.value), line.number, line.raw))
        except BadLineError as error:
            rejects.append(Reject(str(path), line.number, str(error), line.raw))
    return rows, rejects


def write_branched(path: Path, rows: Iterable[SampleRow]) -> int:
    """Writes the rows, whole or not at all; gives how many. Raises InputError where it cannot."""
    return write_atomically(path, (encode_row(row) for row in rows))


def to_object(row: SampleRow) -> dict[str, Any]:
    """A row as its line's JSON object: `reward` always, other optional keys where they have a value."""
    value: dict[str, Any] = {
        "question_id": row.question_id,
        "step": row.step,
        "branch_id": row.branch_id,
        "is_backbone": row.is_backbone,
        "state": row.state,
        "action": row.action,
        "reward": _plain_number(row.reward),
    }
    for key in OPTIONAL_KEYS:
        content = getattr(row, key)
        if content is not None:
            value[key] = int(content) if key == "label" and content in ("0", "1") else content
    return value


def encode_row(row: SampleRow) -> str:
    """A row as its line. Text that UTF-8 cannot hold (lone surrogates) is written in JSON escapes."""
    line = json.dumps(to_object(row), ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(to_object(row))
    return line


def _plain_number(value: float | None) -> float | int | None:
    return int(value) if value is not None and value == int(value) else value


def _row(value: dict[str, Any]) -> SampleRow:
    step = _whole(value, "step", least=1)
    branch_id = _whole(value, "branch_id", least=0)
    is_backbone = value.get("is_backbone")
    if not isinstance(is_backbone, bool):
        raise BadLineError("`is_backbone` must be true or false")
    if is_backbone != (branch_id == 0):
        raise BadLineError(
            f"`branch_id` {branch_id} and `is_backbone` {str(is_backbone).lower()} do not agree"
        )
    if "reward" not in value:
        raise BadLineError("`reward` is missing; write null where there is none")
    split = optional_text(value, "split")
    if split is not None and split not in SPLITS:
        raise BadLineError(f"`split` must be one of {', '.join(SPLITS)}")
    return SampleRow(
        question_id=_identifier(value, "question_id") or _missing("question_id"),
        step=step,
        branch_id=branch_id,
        is_backbone=is_backbone,
        state=text_field(value, "state"),
        action=text_field(value, "action"),
        reward=_reward(value),
        dataset=optional_text(value, "dataset") or None,
        split=split,
        gold=_identifier(value, "gold"),
        solution=optional_text(value, "solution"),
        trajectory_id=_identifier(value, "trajectory_id"),
        judge=optional_text(value, "judge") or None,
        rationale=optional_text(value, "rationale"),
        label=_label(value),
        auditor=optional_text(value, "auditor") or None,
        logprob=_number(value, "logprob"),
        n_tokens=_whole(value, "n_tokens", least=0) if value.get("n_tokens") is not None else None,
    )


def _missing(key: str) -> str:
    raise BadLineError(f"`{key}` is missing")


def _identifier(value: dict[str, Any], key: str) -> str | None:
    """A text, or a number that people wrote in its place."""
    content = value.get(key)
    if isinstance(content, int | float) and not isinstance(content, bool):
        return str(content)
    return optional_text(value, key)


def _whole(value: dict[str, Any], key: str, *, least: int) -> int:
    if key not in value:
        raise BadLineError(f"`{key}` is missing")
    number = value[key]
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number < 2**31:
        raise BadLineError(f"`{key}` must be a whole number from {least}")
    return number


def _number(value: dict[str, Any], key: str) -> float | None:
    number = value.get(key)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise BadLineError(f"`{key}` must be a number")
    if not math.isfinite(number) if isinstance(number, float) else abs(number) > _LARGEST:
        raise BadLineError(f"`{key}` is too large a number")
    return float(number)


def _reward(value: dict[str, Any]) -> float | None:
    reward = _number(value, "reward")
    if reward is not None and not 0 <= reward <= 1:
        raise BadLineError("`reward` must lie between 0 and 1, or be null")
    return reward


def _label(value: dict[str, Any]) -> str | None:
    label = value.get("label")
    if label is None:
        return None
    text = str(label) if isinstance(label, str | int) and not isinstance(label, bool) else ""
    if text not in LABEL_VALUES or text == "withdrawn":
        raise BadLineError("`label` must be 1, 0, unsure or skip")
    return text
