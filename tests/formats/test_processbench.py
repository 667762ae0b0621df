"""Reading ProcessBench: lists and lines, bad rows beside good ones, and the real file."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.errors import InputError
from bswirl.formats.processbench import Benchmark, LabelledSolution, read_processbench

REAL = Path(__file__).parents[3] / "shared" / "data" / "processbench" / "gsm8k.json"

text = st.text(min_size=1, max_size=12).filter(str.strip)


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    steps = draw(st.lists(text, min_size=1, max_size=5))
    return {
        "id": draw(st.text(max_size=5)),
        "problem": draw(text),
        "steps": steps,
        "label": draw(st.integers(-1, len(steps) - 1)),
        "final_answer_correct": draw(st.booleans()),
    }


BROKEN = (
    '{"problem": "P", "steps": ["a"], "label": }',
    '{"problem": "P" "steps": ["a"], "label": 0}',
    '{"problem": "P", "steps": ["a"], "label": NaN}',
    "nonsense",
    '{"problem": "P", "steps": ["a"], "label": 1}',
    '{"problem": "P", "steps": ["a", " "], "label": 0}',
    '{"problem": "", "steps": ["a"], "label": 0}',
    '{"problem": "P", "steps": [], "label": -1}',
    '{"problem": "P", "steps": "a", "label": -1}',
    '{"problem": "P", "steps": ["a"], "label": true}',
    '{"problem": "P", "steps": ["a"], "label": 0.0}',
    "[1, 2]",
    "null",
)


def read(content: str | bytes) -> Benchmark:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_processbench(path)


def written(row: dict[str, Any], line: int) -> LabelledSolution:
    return LabelledSolution(row["problem"], tuple(row["steps"]), row["label"], line)


class TestReading:
    @given(st.lists(rows(), min_size=1, max_size=6), st.sampled_from([None, 0, 2]), st.booleans())
    def test_what_was_written_comes_back(
        self, made: list[dict[str, Any]], indent: int | None, escaped: bool
    ) -> None:
        """A list, on one line or many, with the line that each row begins on; and the content's hash."""
        content = json.dumps(made, indent=indent, ensure_ascii=escaped)
        found = read(content.encode("utf-8", "surrogatepass"))
        lengths = [json.dumps(row, indent=indent).count("\n") + 1 for row in made]
        starts = [1 if indent is None else 2 + sum(lengths[:place]) for place in range(len(made))]
        assert found.solutions == [written(row, line) for row, line in zip(made, starts, strict=True)]
        assert found.rejects == []
        assert found.sha256 == hashlib.sha256(content.encode()).hexdigest()

    @given(st.lists(rows(), min_size=1, max_size=6))
    def test_lines_come_back_too(self, made: list[dict[str, Any]]) -> None:
        """JSON Lines, blank lines between them."""
        found = read("\n\n".join(json.dumps(row) for row in made) + "\n")
        assert found.solutions == [written(row, 2 * place + 1) for place, row in enumerate(made)]
        assert found.rejects == []

    @given(st.lists(st.one_of(rows(), st.sampled_from(BROKEN)), min_size=2, max_size=8), st.booleans())
    def test_a_bad_row_stops_no_good_one(self, made: list[dict[str, Any] | str], listed: bool) -> None:
        """In a list and in lines: all good rows are kept, all others named by their line.

        Where a row of a list is no JSON, bad ones right behind it may be taken for its rest.
        """
        lines = [row if isinstance(row, str) else json.dumps(row) for row in made]
        found = read("[\n" + ",\n".join(lines) + "\n]" if listed else "\n".join(lines))
        first = 2 if listed else 1
        good = [written(row, first + at) for at, row in enumerate(made) if isinstance(row, dict)]
        assert found.solutions == good
        bad = [first + at for at, row in enumerate(made) if isinstance(row, str)]
        named = [reject.line for reject in found.rejects]
        begins = [line for line in bad if line - 1 not in bad]
        assert set(begins) <= set(named) <= set(bad)
        assert listed or named == bad

    @given(st.lists(rows(), min_size=1, max_size=4), st.data())
    def test_a_file_that_was_cut_off(self, made: list[dict[str, Any]], data: st.DataObject) -> None:
        """The rows before the cut are kept, and the cut is told."""
        content = json.dumps(made)
        cut = data.draw(st.integers(1, len(content) - 1))
        found = read(content[:cut])
        assert found.solutions == [written(row, 1) for row in made[: len(found.solutions)]]
        assert len(found.solutions) >= sum(len(json.dumps(made[:n])) <= cut for n in range(1, len(made)))
        assert found.rejects

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ('{"problem": "P", "steps": ["a"], "label": 1}', "`label` must be -1 or a step's index, 0 to 0"),
            ('{"problem": "P", "steps": ["a"], "label": true}', "`label` must be"),
            ('{"problem": "P", "steps": ["a"]}', "`label` must be"),
            ('{"problem": "P", "steps": ["a", " "], "label": 0}', "empty text at index 1"),
            ('{"problem": "P", "steps": [7], "label": 0}', "`steps` must be a list of texts"),
            ('{"steps": ["a"], "label": 0}', "`problem` is missing"),
            ('{"problem": "P" "steps": []}', "Expecting ',' delimiter on line 3"),
            ('{"problem": NaN}', "NaN is no JSON number"),
            ("[" * 100_000, "recursion"),
        ],
    )
    def test_reasons_name_the_place(self, row: str, reason: str) -> None:
        """File, line and what is wrong, in one line."""
        found = read(f'[\n{{"problem": "Q", "steps": ["a"], "label": -1}},\n{row}\n]')
        assert [solution.problem for solution in found.solutions] == ["Q"]
        (reject,) = found.rejects
        assert str(reject).startswith(f"{reject.path}:3: ")
        assert reason in str(reject)

    def test_bytes_that_are_no_text(self) -> None:
        """One row with a stray byte is named; a byte order mark is nothing."""
        good = b'{"problem": "Q", "steps": ["a"], "label": -1}'
        found = read(b"\xef\xbb\xbf[" + good + b",\n" + good.replace(b"Q", b"\xff") + b"]")
        assert [solution.line for solution in found.solutions] == [1]
        assert [(reject.line, reject.reason) for reject in found.rejects] == [(2, "not UTF-8")]
        assert "\\xff" in found.rejects[0].raw

    def test_files_that_cannot_be_read(self, tmp_path: Path) -> None:
        """No file, a folder, nothing in it: one line that says so."""
        (tmp_path / "empty").write_bytes(b" \n")
        for name, words in (("none", "No such file"), (".", "directory"), ("empty", "is empty")):
            with pytest.raises(InputError, match=words):
                read_processbench(tmp_path / name)


class TestLabels:
    @given(rows())
    def test_steps_behind_the_first_error_have_none(self, row: dict[str, Any]) -> None:
        """All steps of a right solution, else those up to the first wrong one."""
        expected = len(row["steps"]) if row["label"] == -1 else row["label"] + 1
        assert written(row, 1).labelled == expected


@pytest.mark.skipif(not REAL.exists(), reason="the shared data is not beside this checkout")
def test_the_real_file() -> None:
    """400 solutions, 193 without an error, and no bad row."""
    found = read_processbench(REAL)
    assert (len(found.solutions), found.rejects) == (400, [])
    assert sum(solution.label == -1 for solution in found.solutions) == 193
    lines = REAL.read_text(encoding="utf-8").splitlines()
    assert all(lines[solution.line - 1].strip() == "{" for solution in found.solutions)
