"""The lines that a batch job gives back, in whatever order, as replies and setbacks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bswirl.serving.batch_log import Line
from bswirl.serving.calls import ServedModel
from bswirl.serving.reading import MalformedError, Reading, read_reply, without_key
from bswirl.serving.setbacks import Setback, malformed, of_status

Outcome = Reading | Setback


def read_results(
    path: Path, lines: Mapping[str, Line], model: ServedModel, without: frozenset[str], key: str | None
) -> Iterator[tuple[Line, Outcome]]:
    """What became of each call, in the file's order; the first of several lines on one call counts.

    Lines that are no JSON, or that nobody asked for, are passed over. Raises OSError.
    """
    seen: set[str] = set()
    with path.open("rb") as file:
        for row in file:
            found: Any = None
            with suppress(ValueError, RecursionError):
                found = json.loads(row)
            name = found.get("custom_id") if isinstance(found, dict) else None
            if not isinstance(name, str) or name in seen or name not in lines:
                continue
            seen.add(name)
            try:
                outcome = _outcome(found, lines[name], model, without, key)
            except (ValueError, RecursionError):
                outcome = malformed("the line cannot be read", None, key)
            yield lines[name], outcome


def _outcome(
    row: dict[str, Any], line: Line, model: ServedModel, without: frozenset[str], key: str | None
) -> Outcome:
    response = row.get("response")
    response = response if isinstance(response, dict) else {}
    body, error = response.get("body"), row.get("error")
    content = (body if isinstance(body, str) else json.dumps(body)).encode("utf-8", "surrogatepass")
    code = response.get("status_code")
    if code in (None, 200) and body is not None and not error:
        try:
            return read_reply(content, line.call, line.size, key)
        except MalformedError as problem:
            return malformed(str(problem), problem.tokens, key)
    content = json.dumps({"error": error}).encode() if error else content
    said_code = error.get("code") if isinstance(error, dict) else None
    code = next((number for number in map(_status, (code, said_code)) if number), None)
    setback = of_status(code or 400, content, [], line.call, model, without, key, time.time())
    if code is None and setback.kind != "too-long" and setback.then == "fail":
        return Setback("again", without_key(setback.message.replace(" says 400", " says"), key))
    return setback


def _status(value: Any) -> int | None:
    """An HTTP status that says that something is wrong."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:4])
    return value if type(value) is int and 300 <= value < 600 else None
