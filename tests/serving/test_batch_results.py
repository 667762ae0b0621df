"""What a batch job gives back: any lines at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bswirl.serving.batch_log import Line
from bswirl.serving.batch_results import Outcome, read_results
from bswirl.serving.calls import ServedModel
from bswirl.serving.reading import Reading
from bswirl.serving.setbacks import Setback
from tests.serving.engines import KEY, asking
from tests.serving.server import completion

MODEL = ServedModel("test", "http://127.0.0.1:1/v1", "served")
LINES = {f"{n:064}": Line(f"{n:064}", asking(str(n), seed=n), False, 100) for n in range(3)}
WORDS = st.sampled_from(
    [*LINES, "custom_id", "response", "body", "status_code", "error", "code", "message", "choices", KEY, "²"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 700) | st.floats() | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
ROWS = st.fixed_dictionaries(
    {"custom_id": WORDS},
    optional={
        "error": VALUES,
        "response": VALUES | st.fixed_dictionaries({"status_code": VALUES, "body": VALUES}),
    },
)


def read(path: Path, content: bytes) -> list[tuple[Line, Outcome]]:
    path.write_bytes(content)
    return list(read_results(path, LINES, MODEL, frozenset(), KEY))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results") / "output.jsonl"


@given(st.lists(ROWS | VALUES, max_size=6))
@example([{"custom_id": f"{0:064}", "error": {"code": "²", "message": KEY}}])
def test_any_lines(file: Path, rows: list[Any]) -> None:
    """Each call at most once, calls of the batch alone, and the key in none of what is said."""
    found = read(file, "".join(json.dumps(row) + "\n" for row in rows).encode())
    keys = [line.key for line, _ in found]
    assert len(keys) == len(set(keys))
    assert set(keys) <= set(LINES)
    for _, outcome in found:
        assert isinstance(outcome, Reading) or KEY not in outcome.message


@given(st.binary(max_size=200))
def test_any_bytes(file: Path, content: bytes) -> None:
    assert len(read(file, content)) <= len(LINES)


def test_a_good_line_among_bad_ones(file: Path) -> None:
    row = {"custom_id": f"{1:064}", "response": {"status_code": 200, "body": completion(["good"])}}
    deep = b'{"custom_id":"%s","error":%s}' % (b"0" * 64, b"[" * 5000 + b"]" * 5000)
    [(line, outcome)] = read(file, b"[\n\xff\n" + deep + b"\n" + json.dumps(row).encode())
    assert isinstance(outcome, Reading)
    assert (line.key, outcome.choices[0].text) == (f"{1:064}", "good")


@pytest.mark.parametrize(
    ("error", "then", "kind"),
    [
        ({"code": 429, "message": "slow down"}, "again", "gave-up"),
        ({"code": "500", "message": "oops"}, "again", "gave-up"),
        ({"code": 400, "message": "flagged"}, "fail", "refused"),
        ({"code": "context_length", "message": "the prompt is too long"}, "fail", "too-long"),
        ({"message": "who knows"}, "again", "gave-up"),
        ({"code": 400, "message": "`seed` is not supported"}, "without", "gave-up"),
        ({"code": 401, "message": "no"}, "end", "gave-up"),
        ("words alone", "again", "gave-up"),
    ],
)
def test_errors(file: Path, error: Any, then: str, kind: str) -> None:
    [(_, outcome)] = read(file, json.dumps({"custom_id": f"{1:064}", "error": error}).encode())
    assert isinstance(outcome, Setback)
    assert (outcome.then, outcome.kind) == (then, kind)
