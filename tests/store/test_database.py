"""Opening, locking down and upgrading a store."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from bswirl.errors import InputError
from bswirl.store.database import iso, moment, open_database, snapshot, storable
from bswirl.store.migrations import MIGRATIONS, applied, migrate
from tests.store.kit import Kit

EXTRA = ("m999_extra", "CREATE TABLE extra (x INTEGER); INSERT INTO extra VALUES (7)")


class TestMigrations:
    def test_a_new_store_has_all_of_them(self, kit: Kit) -> None:
        """A fresh file gets every migration, by name."""
        assert applied(kit.cursor) == [name for name, _ in MIGRATIONS]

    def test_an_old_store_is_upgraded_and_keeps_its_rows(self, tmp_path: Path) -> None:
        """A store made by the first migration alone gets the others, and its questions stay."""
        path = tmp_path / "store.duckdb"
        old = open_database(path, tmp_path / "tmp", MIGRATIONS[:1])
        old.execute("INSERT INTO questions VALUES (1, 'd', 'train', 'q', 'text', NULL, NULL)")
        old.close()
        new = open_database(path, tmp_path / "tmp", [*MIGRATIONS, EXTRA])
        assert applied(new) == [name for name, _ in MIGRATIONS] + ["m999_extra"]
        assert new.execute("SELECT text FROM questions").fetchall() == [("text",)]
        assert new.execute("SELECT x FROM extra").fetchall() == [(7,)]
        new.close()

    def test_opening_again_changes_nothing(self, tmp_path: Path) -> None:
        """An up-to-date store lacks nothing."""
        path = tmp_path / "store.duckdb"
        open_database(path, tmp_path / "tmp").close()
        again = open_database(path, tmp_path / "tmp")
        assert migrate(again) == []
        again.close()

    def test_a_failing_migration_leaves_the_old_store(self, tmp_path: Path) -> None:
        """The upgrade is one transaction: an error in the last step undoes the first."""
        path = tmp_path / "store.duckdb"
        open_database(path, tmp_path / "tmp", MIGRATIONS[:1]).close()
        broken = [*MIGRATIONS, ("m999_broken", "CREATE TABLE extra (x INTEGER); SELECT nonsense")]
        with pytest.raises(InputError):
            open_database(path, tmp_path / "tmp", broken)
        raw = duckdb.connect(str(path))
        assert applied(raw) == [MIGRATIONS[0][0]]
        tables = {name for (name,) in raw.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        assert "labels" not in tables
        raw.close()

    def test_a_newer_store_is_refused_by_name(self, tmp_path: Path) -> None:
        """A migration from the future is named, with what to do."""
        path = tmp_path / "store.duckdb"
        open_database(path, tmp_path / "tmp", [*MIGRATIONS, EXTRA]).close()
        with pytest.raises(InputError, match=r"newer bswirl .migration m999_extra.* upgrade bswirl"):
            open_database(path, tmp_path / "tmp")


class TestOpening:
    def test_a_file_that_is_no_store_is_refused(self, tmp_path: Path) -> None:
        """Garbage and other DuckDB files give one clear error, and are left as they are."""
        path = tmp_path / "store.duckdb"
        path.write_bytes(b"garbage" * 1000)
        with pytest.raises(InputError, match="cannot be opened as a store"):
            open_database(path, tmp_path / "tmp")
        assert path.read_bytes() == b"garbage" * 1000
        path.unlink()
        other = duckdb.connect(str(path))
        other.execute("CREATE TABLE questions (x INTEGER)")
        other.close()
        with pytest.raises(InputError, match="cannot be opened as a store"):
            open_database(path, tmp_path / "tmp")

    @pytest.mark.parametrize(
        "statement",
        [
            "COPY (SELECT 1) TO '/tmp/bswirl-escape.csv'",
            "SELECT * FROM read_text('/etc/passwd')",
            "ATTACH '/tmp/bswirl-escape.duckdb'",
            "INSTALL httpfs",
            "SET enable_external_access = true",
            "SET memory_limit = '100GB'",
        ],
    )
    def test_sql_reaches_nothing_else(self, kit: Kit, statement: str) -> None:
        """No other file, no extension, no settings."""
        with pytest.raises(duckdb.Error):
            kit.cursor.execute(statement)

    @pytest.mark.parametrize("table", ["labels", "verdicts"])
    @pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET question_id = 1"])
    def test_labels_and_verdicts_are_append_only(self, kit: Kit, table: str, change: str) -> None:
        """Triggers stop every change of what was said."""
        with pytest.raises(duckdb.Error, match="append-only"):
            kit.cursor.execute(change.format(table))


class TestSnapshots:
    def test_reads_in_a_snapshot_agree(self, kit: Kit) -> None:
        """A write in between does not show before the block ends."""
        with snapshot(kit.cursor) as cursor:
            assert cursor.execute("SELECT count(*) FROM questions").fetchall() == [(0,)]
            kit.questions(3)
            assert cursor.execute("SELECT count(*) FROM questions").fetchall() == [(0,)]
        assert kit.one("SELECT count(*) FROM questions") == 3


class TestValues:
    def test_lone_surrogates_alone_are_replaced(self, kit: Kit) -> None:
        """Any other text is stored verbatim, NUL and escapes included."""
        text = "a\0b\x1b[31m é \u202e 🧮 \r\n\t"
        assert storable(text) == text
        assert storable("x\ud83dy") == "x\ufffdy"
        assert kit.one("SELECT ?::VARCHAR", text) == text

    def test_times_come_back(self) -> None:
        """ISO text with or without a zone names the same stored moment."""
        assert iso(moment("2026-01-02T03:04:05.678Z")) == "2026-01-02T03:04:05.678Z"
        assert iso(moment("2026-01-02T05:04:05.678+02:00")) == "2026-01-02T03:04:05.678Z"
        assert moment("yesterday") is None
        assert iso(None) == ""
