"""Draws outlive their store: in draws.jsonl before they are committed, and taken in again from there."""

from __future__ import annotations

import dataclasses
import json
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bswirl.audit.records import AuditRecord
from bswirl.errors import BswirlError
from bswirl.store.draw_mirror import recover_draws
from bswirl.store.draws import Draw, draws_after
from bswirl.store.labels import labels_in_force
from bswirl.store.votes import draw_of, was_voted
from tests.owner.auditing import ACTIONS_A_QUESTION, Desk, desk_on, grow, judge_all
from tests.store.kit import Kit, kit_in

QUESTIONS = 3


class _Crash(Exception):
    """Takes a transaction down."""


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "draws.jsonl").read_bytes().splitlines()]


def build(kit: Kit) -> None:
    """The same trees and verdicts each time, as from the same runs."""
    grow(kit, QUESTIONS)
    judge_all(kit)


def audit(desk: Desk) -> None:
    """Draws of all kinds: in an order, at random, labelled before, and without a vote."""
    for way in ("random", "order", "random", "random"):
        draw = desk.next("ann", "unaudited", way)
        desk.vote(draw, "01"[draw.action_id % 2], seconds=1.0)
    desk.next("bob", "unaudited", "overlap")
    desk.next("ann", "depth")


def draws(kit: Kit) -> list[Draw]:
    return draws_after(kit.cursor, 0)


def shown(draw: Draw) -> Draw:
    """A draw with its times to the millisecond, as lines have them."""

    def cut(time: Any) -> Any:
        return time.replace(microsecond=time.microsecond // 1000 * 1000)

    return dataclasses.replace(draw, shown_at=cut(draw.shown_at), expires_at=cut(draw.expires_at))


@pytest.fixture
def audited(tmp_path: Path) -> tuple[Path, AuditRecord, list[Draw]]:
    """An audited project, its record, and its draws."""
    folder = tmp_path / "first"
    folder.mkdir()
    with kit_in(folder) as kit:
        build(kit)
        with desk_on(kit) as desk:
            audit(desk)
            return folder, desk.record(), draws(kit)


Audited = tuple[Path, AuditRecord, list[Draw]]


class TestMirror:
    def test_a_line_a_draw(self, audited: Audited) -> None:
        """With all that its probability follows from."""
        folder, _, made = audited
        found = lines(folder)
        assert [line["draw_id"] for line in found] == [draw.draw_id for draw in made] == [1, 2, 3, 4, 5, 6]
        at_random = [line for line in found if line["way"] == "random"]
        assert [line["inclusion"] for line in at_random] == [
            draw.inclusion for draw in made if draw.way == "random"
        ]
        assert all(line["remaining"] and line["mark"] and line["inclusion"] > 0 for line in at_random)

    def test_a_store_made_anew_has_the_same_record(self, audited: Audited, tmp_path: Path) -> None:
        """Items, weights and turns; means of the effect may be summed in another order."""
        folder, record, made = audited
        again = tmp_path / "again"
        again.mkdir()
        with kit_in(again) as kit:
            build(kit)
        for name in ("labels.jsonl", "draws.jsonl"):
            (again / name).write_bytes((folder / name).read_bytes())
        with kit_in(again) as kit, desk_on(kit) as desk:
            assert draws(kit) == [shown(draw) for draw in made]
            found = desk.record()
            assert (found.items, found.turns, found.judges) == (record.items, record.turns, record.judges)
            assert dataclasses.astuple(found.effect) == pytest.approx(dataclasses.astuple(record.effect))
            new = desk.next("cid", "random")
            assert new.draw_id == len(made) + 1
            assert new.remaining == QUESTIONS * ACTIONS_A_QUESTION - 3  # of the three drawn there before

    def test_a_lost_mirror_is_written_again(self, audited: Audited) -> None:
        """Whole, or from where it was cut."""
        folder, _, _ = audited
        before = lines(folder)
        whole = (folder / "draws.jsonl").read_bytes().splitlines(keepends=True)
        for left in (b"", b"".join(whole[:2]), b"".join(whole[:4]) + b'{"torn'):
            (folder / "draws.jsonl").write_bytes(left)
            with kit_in(folder):
                pass
            assert lines(folder) == before

    def test_lines_of_another_store_stay_out(self, audited: Audited, tmp_path: Path) -> None:
        """Other texts under the same numbers, a number that is taken, and lines that are no draws."""
        folder, _, _ = audited
        first = lines(folder)[0]
        uid = str(uuid.uuid4())
        strange = [
            {**first, "client_uid": uid, "draw_id": 70, "action_sha": "0" * 16},
            {**first, "client_uid": uid, "draw_id": 71, "question_id": 3},
            {**first, "client_uid": uid, "draw_id": 72, "action_id": 10**6},
            {**first, "client_uid": uid, "draw_id": 73, "way": "whim"},
            {**first, "client_uid": uid, "draw_id": 74, "shown_at": "soon"},
            {**first, "client_uid": uid, "draw_id": "75"},
            {**first, "client_uid": uid},
        ]
        with (folder / "draws.jsonl").open("ab") as file:
            file.writelines(json.dumps(line).encode() + b"\n" for line in strange)
            file.write(b"nonsense\n")
        with kit_in(folder) as kit:
            assert len(draws(kit)) == 6


class TestWithoutDraws:
    """A store made anew from its labels alone."""

    def test_a_new_draw_is_none_that_an_old_label_names(self, audited: Audited, tmp_path: Path) -> None:
        """Else its step would pass for one voted on: shown with the judge, the vote not blind."""
        folder, _, _ = audited
        again = tmp_path / "again"
        again.mkdir()
        with kit_in(again) as kit:
            build(kit)
        (again / "labels.jsonl").write_bytes((folder / "labels.jsonl").read_bytes())
        with kit_in(again) as kit, desk_on(kit) as desk:
            assert draws(kit) == []
            old = labels_in_force(kit.cursor, 1)[0]
            assert old.draw_id == 4
            assert draw_of(kit.cursor, old) is None
            new = desk.next("ann", "unaudited")
            assert new.draw_id > 4
            assert not was_voted(kit.cursor, new)
            assert desk.vote(new).blind

    def test_an_old_label_is_not_of_a_new_draw(self, audited: Audited, tmp_path: Path) -> None:
        """Where somebody drew before the old labels were in place."""
        folder, _, _ = audited
        again = tmp_path / "again"
        again.mkdir()
        with kit_in(again) as kit:
            build(kit)
            with desk_on(kit) as desk:
                new = [desk.next("bob", "unaudited") for _ in range(4)]
        with (again / "labels.jsonl").open("ab") as file:
            file.write((folder / "labels.jsonl").read_bytes())
        with kit_in(again) as kit:
            assert len(labels_in_force(kit.cursor, 10)) == 4
            assert [was_voted(kit.cursor, draw) for draw in new] == [False] * 4


class TestCrashes:
    def test_a_draw_that_reached_only_the_mirror_comes_back(
        self, audited: Audited, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As after a kill between the flush and the commit: the same request gets the same step."""
        folder, _, _ = audited
        uid = str(uuid.uuid4())
        with kit_in(folder) as kit, desk_on(kit) as desk:
            append = kit.writer.draw_mirror.append
            kept: list[bytes] = []

            def append_and_die(new: Any) -> None:
                append(new)
                kept.append((folder / "draws.jsonl").read_bytes())
                raise _Crash

            monkeypatch.setattr(kit.writer.draw_mirror, "append", append_and_die)
            with suppress(_Crash):
                desk.next("ann", "random", uid=uid)
            assert len(lines(folder)) == len(draws(kit)) == 6
        (folder / "draws.jsonl").write_bytes(kept[0])
        with kit_in(folder) as kit, desk_on(kit) as desk:
            assert len(draws(kit)) == 7
            assert desk.next("ann", "random", uid=uid) == draws(kit)[-1]
            assert recover_draws(kit.writer) == 0

    def test_a_full_disk_is_told(self, audited: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
        """Then nothing is drawn, and nothing is in the store."""
        folder, _, _ = audited
        before = (folder / "draws.jsonl").read_bytes()
        with kit_in(folder) as kit, desk_on(kit) as desk:

            def full(_descriptor: int) -> None:
                raise OSError(28, "No space left on device")

            with monkeypatch.context() as patch:
                patch.setattr("os.fsync", full)
                with pytest.raises(BswirlError, match="the draw was not saved"):
                    desk.next("ann", "random")
            assert len(draws(kit)) == 6
            assert (folder / "draws.jsonl").read_bytes() == before
            assert desk.next("ann", "random").draw_id == 7
