"""GSM8K's own files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bswirl.formats.gsm8k import read_gsm8k

SHARED = Path(__file__).parents[3] / "shared" / "data" / "gsm8k"
ROW = {"question": "How many clips?", "answer": "48/2=<<48/2=24>>24\n48+24=<<48+24=72>>72\n#### 1,072"}


class TestReadGsm8k:
    """read_gsm8k."""

    def test_question_solution_and_gold(self, tmp_path: Path) -> None:
        """The solution keeps its annotations; gold loses its commas."""
        file = tmp_path / "test.jsonl"
        file.write_text(json.dumps(ROW) + "\n")
        questions, rejects = read_gsm8k(file)
        assert not rejects
        (question,) = questions
        assert question.gold == "1072"
        assert question.solution == "48/2=<<48/2=24>>24\n48+24=<<48+24=72>>72"
        assert (question.dataset, question.split, question.external_id) == ("gsm8k", "test", "test-1")

    @pytest.mark.parametrize(
        ("row", "words"),
        [
            ({"answer": "#### 1"}, "`question` is missing"),
            ({"question": " ", "answer": "#### 1"}, "`question` is empty"),
            ({"question": 3, "answer": "#### 1"}, "must be a text, not a number"),
            ({"question": "a", "answer": "1"}, "no `#### gold`"),
            ({"question": "a", "answer": "1\n####  "}, "nothing stands behind"),
        ],
    )
    def test_bad_rows_are_rejected_and_others_kept(
        self, tmp_path: Path, row: dict[str, object], words: str
    ) -> None:
        """Ids count lines, so that a mended file keeps the ids of its other questions."""
        file = tmp_path / "train.jsonl"
        file.write_text(f"{json.dumps(row)}\n{json.dumps(ROW)}\n")
        questions, rejects = read_gsm8k(file)
        assert [question.external_id for question in questions] == ["train-2"]
        assert [reject.line for reject in rejects] == [1]
        assert words in rejects[0].reason

    @pytest.mark.skipif(not SHARED.is_dir(), reason="the official files are not here")
    def test_official_files(self) -> None:
        """Every official question is taken."""
        questions, rejects = read_gsm8k(SHARED / "test.jsonl")
        assert (len(questions), len(rejects)) == (1319, 0)
        assert len({question.external_id for question in questions}) == 1319
