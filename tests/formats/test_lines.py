"""Reading JSONL: bad lines are reported and stop no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bswirl.errors import InputError
from bswirl.formats.lines import Line, Reject, read_lines, split_of, write_atomically, write_rejects


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


class TestReadLines:
    """read_lines."""

    def test_good_lines_beside_bad_ones_are_kept(self, tmp_path: Path) -> None:
        """Each bad line is named with its number and reason."""
        file = write(tmp_path / "a.jsonl", b'{"a": 1}\n\n{"a": \n[1]\n\xff\xfe{}\n{"a": NaN}\n{"a": 2}')
        found = list(read_lines(file))
        good = [line for line in found if isinstance(line, Line)]
        bad = [line for line in found if isinstance(line, Reject)]
        assert [(line.number, line.value) for line in good] == [(1, {"a": 1}), (7, {"a": 2})]
        assert [reject.line for reject in bad] == [3, 4, 5, 6]
        assert "not JSON" in bad[0].reason
        assert "not a JSON object" in bad[1].reason
        assert "not UTF-8" in bad[2].reason
        assert "NaN" in bad[3].reason
        assert str(bad[0]).startswith(f"{file}:3: ")

    def test_byte_order_mark_is_taken(self, tmp_path: Path) -> None:
        """A file that an editor began with a BOM reads like any other."""
        file = write(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"a": 1}\n')
        assert [line.value for line in read_lines(file) if isinstance(line, Line)] == [{"a": 1}]

    def test_deep_nesting_is_a_bad_line(self, tmp_path: Path) -> None:
        """A line made to exhaust the parser is rejected."""
        file = write(tmp_path / "a.jsonl", b'{"a":' + b"[" * 200_000 + b"\n" + b'{"a": 1}\n')
        found = list(read_lines(file))
        assert isinstance(found[0], Reject)
        assert isinstance(found[1], Line)

    @pytest.mark.parametrize(
        ("content", "words"), [(b"", "empty"), (b"\n \n", "empty"), (b"PK\x03\x04\0\0", "not a text file")]
    )
    def test_unusable_file_is_one_clear_error(self, tmp_path: Path, content: bytes, words: str) -> None:
        """Empty and binary files are refused whole."""
        with pytest.raises(InputError, match=words):
            list(read_lines(write(tmp_path / "a.jsonl", content)))

    def test_missing_file_and_folder(self, tmp_path: Path) -> None:
        """What cannot be opened says why."""
        with pytest.raises(InputError, match="No such file"):
            list(read_lines(tmp_path / "none.jsonl"))
        with pytest.raises(InputError, match="directory"):
            list(read_lines(tmp_path))


class TestSplitOf:
    """split_of."""

    @pytest.mark.parametrize(
        ("name", "split"),
        [
            ("test.jsonl", "test"),
            ("gsm8k-dev.jsonl", "validation"),
            ("a_valid.jsonl", "validation"),
            ("questions.jsonl", "train"),
            ("contest.jsonl", "train"),
            ("my.test.v2.jsonl", "test"),
        ],
    )
    def test_file_name_says_the_split(self, name: str, split: str) -> None:
        """A split's name must stand as a word of its own."""
        assert split_of(Path(name), None) == split

    def test_given_split_wins_and_is_checked(self) -> None:
        """An unknown split is refused."""
        assert split_of(Path("test.jsonl"), "train") == "train"
        with pytest.raises(InputError, match="unknown split"):
            split_of(Path("a.jsonl"), "tset")


class TestWriting:
    """Atomic writing."""

    def test_rejects_keep_line_reason_and_text(self, tmp_path: Path) -> None:
        """A rejected line can be mended from its file."""
        reject = Reject("a.jsonl", 3, "not JSON", "{broken \udc80")
        path = write_rejects(tmp_path / "rejects", Path("a.jsonl"), [reject])
        assert json.loads(path.read_text())["raw"] == "{broken \udc80"

    def test_rejects_of_two_imports(self, tmp_path: Path) -> None:
        """Two files of one name keep their rejects apart; the same import again adds none."""
        first, second = (Reject("a.jsonl", line, "not JSON", "{") for line in (1, 2))
        paths = [
            write_rejects(tmp_path, Path("a.jsonl"), [reject]) for reject in (first, second, first, second)
        ]
        assert paths[:2] == paths[2:]
        assert [json.loads(path.read_text())["line"] for path in paths[:2]] == [1, 2]
        assert len(list(tmp_path.iterdir())) == 2

    def test_failure_leaves_the_old_file(self, tmp_path: Path) -> None:
        """A writer that fails half-way changes nothing and leaves no draft."""
        target = tmp_path / "out.jsonl"
        target.write_text("old\n")

        def lines() -> Iterator[str]:
            yield "new"
            raise RuntimeError

        with pytest.raises(RuntimeError):
            write_atomically(target, lines())
        assert target.read_text() == "old\n"
        assert list(tmp_path.iterdir()) == [target]

    def test_unwritable_place_is_an_input_error(self, tmp_path: Path) -> None:
        """A missing folder is named."""
        with pytest.raises(InputError, match="cannot write"):
            write_atomically(tmp_path / "none" / "out.jsonl", ["x"])
