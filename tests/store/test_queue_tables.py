"""The audit queue's tables: old stores and mirrors stay valid, facts survive a crash."""

from __future__ import annotations

import json
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from bswirl.store.database import open_database
from bswirl.store.labels import NewLabel, newest_labels, recover_labels, set_label
from bswirl.store.migrations import MIGRATIONS, applied
from bswirl.store.mirror import FIRST_SHA, chained
from bswirl.store.votes import vote
from tests.owner.auditing import desk_on, grow, judge_all
from tests.store.kit import Kit, kit_in, trajectory

OLD = [migration for migration in MIGRATIONS if migration[0] < "m008"]


class _Crash(Exception):
    """Takes a transaction down."""


def chain_holds(folder: Path) -> bool:
    previous = FIRST_SHA
    for text in (folder / "labels.jsonl").read_bytes().splitlines():
        line = json.loads(text)
        content = {name: value for name, value in line.items() if name not in ("previous_sha", "sha")}
        if line["previous_sha"] != previous or line["sha"] != chained(previous, content):
            return False
        previous = line["sha"]
    return True


def old_project(folder: Path) -> None:
    """A store and a mirror as they were before the queue, with three labels."""
    with kit_in(folder) as kit:
        kit.questions(1)
        kit.feed(kit.run(), trajectory(1, 0, "a", "b", "Answer: 24"))
        for action_id in (1, 2, 3):
            kit.label(action_id, "1")
        new = {name for name, _ in MIGRATIONS} - {name for name, _ in OLD}
        for table in ("audit_draws", "label_facts"):
            kit.writer.cursor.execute(f"DROP TABLE {table}")
        kit.writer.cursor.execute("ALTER TABLE samples DROP COLUMN tokens")
        kit.writer.cursor.execute("DELETE FROM migrations WHERE name IN (SELECT unnest(?))", [sorted(new)])


class TestUpgrade:
    def test_old_stores_open_and_keep_their_labels(self, tmp_path: Path) -> None:
        """Labels from before are labels without facts; new ones join the same chain."""
        old_project(tmp_path)
        before = (tmp_path / "labels.jsonl").read_bytes()
        with kit_in(tmp_path) as kit:
            assert applied(kit.cursor) == [name for name, _ in MIGRATIONS]
            labels = newest_labels(kit.cursor, 10)
            assert [(label.action_id, label.draw_id, label.after_reveal) for label in labels] == [
                (3, None, False),
                (2, None, False),
                (1, None, False),
            ]
            kit.label(1, "0")
        assert (tmp_path / "labels.jsonl").read_bytes().startswith(before)
        assert chain_holds(tmp_path)

    def test_an_old_mirror_replays(self, tmp_path: Path) -> None:
        """Lines without facts go into a new store, and a lost mirror is written again byte for byte."""
        old_project(tmp_path)
        mirror = tmp_path / "labels.jsonl"
        before = mirror.read_bytes()
        mirror.unlink()
        kit_in_folder(tmp_path)
        assert [json.loads(line) for line in mirror.read_bytes().splitlines()] == [
            json.loads(line) for line in before.splitlines()
        ]

    def test_a_store_of_every_age_opens(self, tmp_path: Path) -> None:
        """Made by the first n migrations, for each n."""
        for count in range(1, len(MIGRATIONS) + 1):
            path = tmp_path / f"{count}.duckdb"
            open_database(path, tmp_path / "tmp", MIGRATIONS[:count]).close()
            opened = open_database(path, tmp_path / "tmp")
            assert opened.execute("SELECT count(*) FROM audit_draws").fetchall() == [(0,)]
            opened.close()


def kit_in_folder(folder: Path) -> None:
    with kit_in(folder):
        pass


@pytest.fixture
def voted(tmp_path: Path) -> Path:
    """A project with two votes from the queue and one from elsewhere."""
    with kit_in(tmp_path) as kit:
        grow(kit, 1)
        judge_all(kit)
        with desk_on(kit) as desk:
            shutil.copytree(tmp_path, tmp_path / "before")
            draw = desk.next()
            shutil.copy(tmp_path / "labels.jsonl", tmp_path / "before")
            desk.vote(draw, "1", seconds=2.5)
            desk.vote(draw, "0")
        kit.label(7, "unsure")
    return tmp_path


def facts(kit: Kit) -> list[tuple[object, ...]]:
    return [
        (label.value, label.draw_id, label.seconds, label.after_reveal)
        for label in reversed(newest_labels(kit.cursor, 10))
    ]


EXPECTED = [("1", 1, 2.5, False), ("0", 1, None, True), ("unsure", None, None, False)]


class TestFacts:
    def test_replayed_from_the_mirror(self, voted: Path) -> None:
        """A store that misses the last labels gets them back with draw, seconds and reveal."""
        older = voted / "before"
        shutil.copy(voted / "labels.jsonl", older / "labels.jsonl")
        with kit_in(older) as kit:
            assert facts(kit) == EXPECTED
        assert chain_holds(older)

    def test_a_lost_mirror_is_written_again(self, voted: Path) -> None:
        """Line by line the same, so that the chain holds."""
        mirror = voted / "labels.jsonl"
        lines = [json.loads(line) for line in mirror.read_bytes().splitlines()]
        mirror.unlink()
        with kit_in(voted) as kit:
            assert facts(kit) == EXPECTED
        assert [json.loads(line) for line in mirror.read_bytes().splitlines()] == lines
        assert chain_holds(voted)

    def test_a_vote_that_fails_leaves_nothing(self, voted: Path) -> None:
        """Neither label, nor fact, nor line."""
        before = (voted / "labels.jsonl").read_bytes()
        with kit_in(voted) as kit:
            with suppress(_Crash), kit.writer.transaction():
                vote(kit.writer, 1, client_uid=str(uuid.uuid4()), auditor="ann", value="1")
                raise _Crash
            assert facts(kit) == EXPECTED
            assert recover_labels(kit.writer) == 0
        assert (voted / "labels.jsonl").read_bytes() == before

    @pytest.mark.parametrize("table", ["audit_draws", "label_facts"])
    @pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET draw_id = 9"])
    def test_append_only(self, voted: Path, table: str, change: str) -> None:
        """Triggers stop every change of the record."""
        with kit_in(voted) as kit, pytest.raises(duckdb.Error, match="append-only"):
            kit.cursor.execute(change.format(table))

    def test_labels_without_a_draw_have_no_facts(self, voted: Path) -> None:
        """Seconds alone make none: they belong to a draw."""
        with kit_in(voted) as kit:
            with kit.writer.transaction():
                set_label(kit.writer, NewLabel(str(uuid.uuid4()), 3, "1", "ann", seconds=3.0))
            assert kit.one("SELECT count(*) FROM label_facts") == 2
