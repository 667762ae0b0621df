"""Certificates in the store: kept once, read back whole, never changed; old stores get the tables."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import duckdb
import pytest

from bswirl.certificates import Certificate, Estimate, Rates
from bswirl.store.certificates import add_certificate, list_certificates, newest_certificates
from bswirl.store.database import open_database
from bswirl.store.migrations import MIGRATIONS, applied
from bswirl.store.trees import read_action, read_tree
from tests.certified import a_certificate
from tests.store.kit import Kit, trajectory, verdict


def add(kit: Kit, certificate: Certificate, uid: str) -> int:
    with kit.writer.transaction():
        return add_certificate(kit.writer, dataclasses.replace(certificate, client_uid=uid), "ann")


class TestKeeping:
    def test_comes_back_whole(self, kit: Kit) -> None:
        """Every figure, rate and depth, those that could not be measured among them."""
        depths = (Rates(5, 1, 2, 3, 0.1, 0.9, None, None), Rates(), Rates(7, 0, 0, 0, 0.4, 1.0))
        made = a_certificate(
            depths=depths,
            progress=Rates(4, 3, 2, 1, 0.1, 0.2, 0.3, 0.4),
            solutions_sha="s" * 64,
            f1=Estimate(),
            file="héllo \x1b[31m.json",
        )
        number = add(kit, made, "u1")
        (found,) = list_certificates(kit.cursor)
        assert found.created_at.endswith("Z")
        assert found == dataclasses.replace(
            made,
            client_uid="u1",
            certificate_id=number,
            created_by="ann",
            created_at=found.created_at,
        )
        assert (number, found.created_by) == (1, "ann")

    def test_the_same_id_again_is_the_same_certificate(self, kit: Kit) -> None:
        """A client that repeats itself adds nothing."""
        assert [add(kit, a_certificate(), uid) for uid in ("u1", "u2", "u1")] == [1, 2, 1]
        assert [found.certificate_id for found in list_certificates(kit.cursor)] == [2, 1]
        assert kit.one("SELECT count(*) FROM certificate_rates") == 4

    def test_subscribers_hear_of_it(self, kit: Kit) -> None:
        """As of verdicts, without making any question's statistics stale."""
        add(kit, a_certificate(), "u1")
        changes = kit.writer.take_changes()
        assert (changes.topics, changes.questions) == ({"verdicts"}, set())
        assert not kit.stale()

    @pytest.mark.parametrize("table", ["certificates", "certificate_rates"])
    @pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET certificate_id = 9"])
    def test_append_only(self, kit: Kit, table: str, change: str) -> None:
        """What a judge got is not changed afterwards."""
        add(kit, a_certificate(), "u1")
        with pytest.raises(duckdb.Error, match="append-only"):
            kit.cursor.execute(change.format(table))

    def test_an_old_store_gets_the_tables(self, tmp_path: Path) -> None:
        """A store from before certificates is upgraded, keeps its judges, and takes one."""
        before = [name for name, _ in MIGRATIONS].index("m005_certificates")
        old = open_database(tmp_path / "store.duckdb", tmp_path / "tmp", MIGRATIONS[:before])
        old.execute("INSERT INTO judges VALUES (1, 'reference', 'rules', 'sha', 1)")
        assert "m005_certificates" not in applied(old)
        old.close()
        new = open_database(tmp_path / "store.duckdb", tmp_path / "tmp")
        assert applied(new) == [name for name, _ in MIGRATIONS]
        assert new.execute("SELECT name FROM judges").fetchall() == [("reference",)]
        assert list_certificates(new) == []
        new.close()


class TestOfVerdicts:
    def test_an_action_comes_with_its_judges_newest(self, kit: Kit) -> None:
        """Of the very judge, model and prompt that gave a verdict, and no other's."""
        kit.questions(1)
        kit.feed(kit.run(), trajectory(1, 0, "a", "Answer: 24"))
        action = read_tree(kit.cursor, 1).actions[0].action_id
        assert read_action(kit.cursor, action).certificates == ()
        kit.feed(kit.run("judge", 2), verdict(action, 1.0), verdict(action, 0.0, prompt_sha="r2"))
        for uid, prompt in (("u1", "r1"), ("u2", "r1"), ("u3", "other")):
            add(kit, a_certificate(model="m", prompt_sha=prompt), uid)
        assert [one.client_uid for one in read_action(kit.cursor, action).certificates] == ["u2"]
        add(kit, a_certificate(model="m", prompt_sha="r2"), "u4")
        assert [one.client_uid for one in read_action(kit.cursor, action).certificates] == ["u4", "u2"]

    def test_newest_of_each(self, kit: Kit) -> None:
        """Asked for nobody, nobody's; a trial does not take the place of a whole one."""
        add(kit, a_certificate(), "u1")
        assert newest_certificates(kit.cursor, set()) == ()
        add(kit, a_certificate(solutions=39), "a trial")
        assert len(newest_certificates(kit.cursor, {a_certificate().identity})) == 1
        assert newest_certificates(kit.cursor, {("reference", "", "")}) == ()
        assert len(newest_certificates(kit.cursor, {a_certificate().identity})) == 1
