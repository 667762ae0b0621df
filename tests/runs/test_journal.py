"""The journal: whole lines or none, whatever ends the writer."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bswirl.runs.journal import JournalWriter, encode_rows, read_journal

ROWS = st.lists(
    st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.none(), max_size=3), max_size=8
)


def written(path: Path, rows: list[dict]) -> bytes:
    writer = JournalWriter(path)
    writer.append(rows)
    writer.close()
    return path.read_bytes()


class TestAppending:
    def test_rows_come_back_in_order_with_the_offset_behind_each(self, tmp_path: Path) -> None:
        """A reader can stop behind any row and go on from its offset."""
        path = tmp_path / "journal.jsonl"
        rows = [{"t": "a", "text": "Zeile\nmit \ud800 und ‘'"}, {"t": "b"}, {"t": "c", "n": [1, 2]}]
        written(path, rows)
        seen = list(read_journal(path))
        assert [row for row, _ in seen] == rows
        for index, (_, offset) in enumerate(seen):
            assert [row for row, _ in read_journal(path, offset)] == rows[index + 1 :]

    def test_append_says_how_long_the_journal_is(self, tmp_path: Path) -> None:
        """The returned length is the file's."""
        writer = JournalWriter(tmp_path / "journal.jsonl")
        assert writer.append([{"t": "a"}]) == len('{"t":"a"}\n')
        assert writer.append([{"t": "b"}, {"t": "c"}]) == writer.path.stat().st_size

    def test_there_is_no_journal(self, tmp_path: Path) -> None:
        """Reading what is not there is an OSError, not an empty journal."""
        with pytest.raises(FileNotFoundError):
            list(read_journal(tmp_path / "journal.jsonl"))


class TestTornLines:
    @settings(max_examples=150, deadline=None)
    @given(rows=ROWS, data=st.data())
    def test_a_cut_anywhere_costs_only_the_torn_line(
        self, tmp_path_factory: pytest.TempPathFactory, rows: list[dict], data: st.DataObject
    ) -> None:
        """Cut at any byte: the reader sees the whole lines, the next writer goes on behind them."""
        path = tmp_path_factory.mktemp("torn") / "journal.jsonl"
        whole = written(path, rows)
        cut = data.draw(st.integers(0, len(whole)))
        os.truncate(path, cut)
        kept = rows[: whole[:cut].count(b"\n")]
        assert [row for row, _ in read_journal(path)] == kept
        assert written(path, [{"t": "next"}]) == encode_rows([*kept, {"t": "next"}])

    def test_a_torn_line_longer_than_a_block_is_cut_off(self, tmp_path: Path) -> None:
        """The search for the last newline goes back as far as it must."""
        path = tmp_path / "journal.jsonl"
        path.write_bytes(b'{"t":"a"}\n' + b'{"text":"' + b"x" * 300_000)
        assert written(path, [{"t": "b"}]) == b'{"t":"a"}\n{"t":"b"}\n'

    def test_zeros_that_a_power_cut_left_are_cut_off(self, tmp_path: Path) -> None:
        """A tail of NUL bytes is a torn line."""
        path = tmp_path / "journal.jsonl"
        path.write_bytes(b'{"t":"a"}\n' + b"\0" * 4096)
        assert [row for row, _ in read_journal(path)] == [{"t": "a"}]
        assert written(path, []) == b'{"t":"a"}\n'

    @pytest.mark.parametrize("line", ["{nonsense", "[1]", "17", "\ufffd"])
    def test_a_whole_line_that_is_no_object_is_handed_out_as_such(self, tmp_path: Path, line: str) -> None:
        """One bad line stops no other, and says what it was."""
        path = tmp_path / "journal.jsonl"
        path.write_bytes(b'{"t":"a"}\n' + line.encode() + b'\n{"t":"b"}\n')
        first, bad, last = (row for row, _ in read_journal(path))
        assert (first["t"], bad["t"], last["t"]) == ("a", "unreadable", "b")
        assert bad["line"] == line
        assert bad["error"]


class TestDeathOfTheWriter:
    def test_a_killed_writer_leaves_whole_lines(self, tmp_path: Path) -> None:
        """`kill -9` amid appends: all that was acknowledged is there, in order."""
        path = tmp_path / "journal.jsonl"
        program = (
            "import sys\nfrom pathlib import Path\nfrom bswirl.runs.journal import JournalWriter\n"
            "writer, n = JournalWriter(Path(sys.argv[1])), 0\n"
            "while True:\n"
            "    writer.append([{'n': n, 'text': 'x' * 5000}, {'n': n + 1}]); n += 2\n"
            "    sys.stdout.write(f'{n}\\n'); sys.stdout.flush()\n"
        )
        with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(20):
                acknowledged = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
        JournalWriter(path).close()
        numbers = [row["n"] for row, _ in read_journal(path)]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= acknowledged

    def test_a_full_disk_leaves_whole_lines(self, tmp_path: Path) -> None:
        """Where the system takes only part of a batch, the torn line goes and the whole ones stay."""
        path = tmp_path / "journal.jsonl"
        program = (
            "import resource, signal, sys\nfrom pathlib import Path\n"
            "from bswirl.runs.journal import JournalWriter\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
            "try:\n    JournalWriter(Path(sys.argv[1])).append([{'text': 'x' * 300}] * 5)\n"
            "except OSError as error:\n    sys.exit(error.errno)\n"
        )
        done = subprocess.run([sys.executable, "-c", program, path], check=False)
        assert done.returncode == errno.EFBIG
        lines = path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        assert [json.loads(line) for line in lines] == [{"text": "x" * 300}] * 3
        assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000
