"""Labels: append-only, mirrored, chained, replayed."""

from __future__ import annotations

import errno
import json
import os
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.store.labels import NewLabel, newest_labels, recover_labels, set_label, undo_label
from bswirl.store.mirror import FIRST_SHA, Mirror, chained
from bswirl.store.trees import read_tree
from tests.store.kit import Kit, kit_in, trajectory


@pytest.fixture
def seeded(kit: Kit) -> Kit:
    kit.questions(1)
    kit.feed(kit.run(), trajectory(1, 0, "a", "b", "Answer: 24"))
    return kit


def mirror_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "labels.jsonl").read_bytes().splitlines()]


def undo(kit: Kit, auditor: str = "ann", uid: str | None = None) -> Any:
    with kit.writer.transaction():
        return undo_label(kit.writer, uid or str(uuid.uuid4()), auditor)


def current(kit: Kit, action_id: int = 1) -> str | None:
    return next(a.label for a in read_tree(kit.cursor, 1).actions if a.action_id == action_id)


def store_made_anew(folder: Path) -> Path:
    """A folder in which the same trees were read in again, without a label."""
    other = folder / f"again {uuid.uuid4()}"
    other.mkdir()
    with kit_in(other) as kit:
        kit.questions(1)
        kit.feed(kit.run(), trajectory(1, 0, "a", "b", "Answer: 24"))
    return other


class TestSetting:
    def test_the_same_uid_again_is_the_same_label(self, seeded: Kit) -> None:
        """A client's retry stores nothing."""
        new = NewLabel(str(uuid.uuid4()), 1, "0", "ann", reason="wrong sum\x1b", blind=True, flagged=True)
        with seeded.writer.transaction():
            first = set_label(seeded.writer, new)
        with seeded.writer.transaction():
            again = set_label(seeded.writer, new)
        assert first == again
        assert (first.reason, first.blind, first.flagged, first.label_id) == ("wrong sum\x1b", True, True, 1)
        assert seeded.one("SELECT count(*) FROM labels") == 1
        assert len(mirror_lines(seeded.folder)) == 1

    def test_a_withdrawal_can_name_its_label(self, seeded: Kit) -> None:
        """And then takes that one back, whatever came after; once, and nobody else's."""
        first, second = seeded.label(1, "0"), seeded.label(1, "1")
        for _ in range(2):
            seeded.label(1, "withdrawn", withdraws=first)
        assert current(seeded) == "1"
        assert [line["withdraws"] for line in mirror_lines(seeded.folder)] == [None, None, first]
        for number, auditor, uid in ((1, "bob", second), (2, "ann", second), (1, "ann", str(uuid.uuid4()))):
            with pytest.raises(InputError, match="no label on action"):
                seeded.label(number, "withdrawn", auditor, withdraws=uid)
        seeded.label(1, "withdrawn")
        assert current(seeded) is None

    @pytest.mark.parametrize("value", ["2", "", "yes"])
    def test_unknown_values_are_refused(self, seeded: Kit, value: str) -> None:
        """Only the five words are labels."""
        with pytest.raises(UsageError, match="is no label"):
            seeded.label(1, value)

    def test_unknown_actions_are_refused(self, seeded: Kit) -> None:
        """The error names the number, and nothing is written."""
        with pytest.raises(InputError, match="no action 77"):
            seeded.label(77, "1")
        assert mirror_lines(seeded.folder) == []

    def test_a_label_needs_an_auditor_and_a_uuid(self, seeded: Kit) -> None:
        """Neither can be empty."""
        with pytest.raises(UsageError, match="auditor"):
            seeded.label(1, "1", " ")
        with pytest.raises(UsageError, match="UUID"):
            NewLabel("nonsense", 1, "1", "ann")


class TestWithdrawing:
    def test_undo_brings_back_the_previous_label(self, seeded: Kit) -> None:
        """Newest first, action by action, until nothing is left."""
        seeded.label(1, "1")
        seeded.label(1, "0")
        seeded.label(2, "unsure")
        seeded.label(1, "1", "bob")
        assert undo(seeded).action_id == 2
        assert undo(seeded).value == "0"
        assert current(seeded) == "1"
        assert undo(seeded).value == "1"
        assert undo(seeded) is None
        assert current(seeded) == "1"  # bob's
        assert undo(seeded, "bob").auditor == "bob"
        assert current(seeded) is None

    def test_a_withdrawn_label_can_be_set_anew(self, seeded: Kit) -> None:
        """After an undo a new label counts, and undo takes that one."""
        seeded.label(1, "1")
        undo(seeded)
        seeded.label(1, "0")
        assert current(seeded) == "0"
        assert undo(seeded).value == "0"
        assert undo(seeded) is None

    def test_repeating_an_undo_withdraws_once(self, seeded: Kit) -> None:
        """The client's uid makes a retry harmless."""
        seeded.label(1, "1")
        seeded.label(1, "0")
        uid = str(uuid.uuid4())
        assert undo(seeded, uid=uid) == undo(seeded, uid=uid)
        assert current(seeded) == "1"

    def test_the_value_withdrawn_names_an_action(self, seeded: Kit) -> None:
        """It withdraws the newest label of that action; without one it is an error."""
        seeded.label(1, "1")
        seeded.label(2, "0")
        seeded.label(1, "withdrawn")
        assert (current(seeded, 1), current(seeded, 2)) == (None, "0")
        with pytest.raises(InputError, match="no label on action 1"):
            seeded.label(1, "withdrawn")
        assert [label.value for label in newest_labels(seeded.cursor, 2)] == ["withdrawn", "0"]


class TestMirror:
    def test_every_label_is_a_chained_line(self, seeded: Kit) -> None:
        """Each line's hash covers its content and all lines before."""
        for value in ("1", "0", "skip"):
            seeded.label(1, value)
        undo(seeded)
        previous = FIRST_SHA
        for line in mirror_lines(seeded.folder):
            content = {name: value for name, value in line.items() if name not in ("sha", "previous_sha")}
            assert line["previous_sha"] == previous
            assert line["sha"] == chained(previous, content)
            previous = line["sha"]
        assert [sha for (sha,) in seeded.all("SELECT sha FROM labels ORDER BY label_id")] == [
            line["sha"] for line in mirror_lines(seeded.folder)
        ]
        assert mirror_lines(seeded.folder)[0]["question"] == "toy:q1"

    def test_labels_that_reached_only_the_mirror_come_back(self, seeded: Kit) -> None:
        """As after a crash between the mirror and the commit; once, with numbers and hashes as written."""
        seeded.label(1, "1")
        lost = str(uuid.uuid4())
        append, seen = seeded.writer.mirror.append, []

        def append_and_die(lines: list[dict[str, Any]]) -> None:
            append(lines)
            seen.append((seeded.folder / "labels.jsonl").read_bytes())
            raise KeyboardInterrupt

        seeded.writer.mirror.append = append_and_die  # type: ignore[method-assign]
        new = [NewLabel(lost, 2, "0", "ann"), NewLabel(str(uuid.uuid4()), 3, "1", "bob")]
        with pytest.raises(KeyboardInterrupt), seeded.writer.transaction():
            list(map(partial(set_label, seeded.writer), new))
        seeded.close()
        (seeded.folder / "labels.jsonl").write_bytes(seen[0] + b'{"torn')
        for _ in range(2):
            with kit_in(seeded.folder) as kit:
                assert kit.all("SELECT label_id, action_id, value, auditor FROM labels ORDER BY 1") == [
                    (1, 1, "1", "ann"),
                    (2, 2, "0", "ann"),
                    (3, 3, "1", "bob"),
                ]
                with kit.writer.transaction():
                    assert set_label(kit.writer, NewLabel(lost, 2, "0", "ann")).label_id == 2
        assert (seeded.folder / "labels.jsonl").read_bytes() == seen[0]

    def test_a_lost_mirror_is_written_again(self, seeded: Kit) -> None:
        """Removed or cut short: the store's labels are in it again, the same bytes."""
        for value in ("1", "0", "withdrawn", "skip"):
            seeded.label(1, value, reason="é")
        whole = (seeded.folder / "labels.jsonl").read_bytes()
        seeded.close()
        for left in (b"", whole[: whole.index(b"\n") + 1]):
            (seeded.folder / "labels.jsonl").write_bytes(left)
            with kit_in(seeded.folder):
                pass
            again = [json.loads(line) for line in (seeded.folder / "labels.jsonl").read_bytes().splitlines()]
            assert again == [json.loads(line) for line in whole.splitlines()]

    def test_lines_that_are_there_twice_count_once(self, seeded: Kit) -> None:
        """As where copies of a mirror were put together."""
        for value in ("1", "0", "withdrawn"):
            seeded.label(1, value)
        whole = (seeded.folder / "labels.jsonl").read_bytes()
        seeded.close()
        for copies in (whole * 2, whole + whole[: whole.index(b"\n") + 1]):
            other = store_made_anew(seeded.folder)
            (other / "labels.jsonl").write_bytes(copies)
            with kit_in(other) as kit:
                assert kit.all("SELECT value FROM labels ORDER BY label_id") == [
                    ("1",),
                    ("0",),
                    ("withdrawn",),
                ]

    def test_old_labels_put_beside_new_ones_are_written_once(self, seeded: Kit) -> None:
        """The mirror holds every label of the store, whichever came first, and no start writes more."""
        seeded.label(1, "1")
        seeded.label(2, "0")
        old = (seeded.folder / "labels.jsonl").read_bytes()
        seeded.close()
        other = store_made_anew(seeded.folder)
        with kit_in(other) as kit:
            kit.label(3, "1")
        lines = [*map(json.loads, old.splitlines()), *mirror_lines(other)]
        (other / "labels.jsonl").write_bytes(old)
        for _ in range(3):
            with kit_in(other) as kit:
                assert kit.all("SELECT action_id FROM labels ORDER BY 1") == [(1,), (2,), (3,)]
            assert mirror_lines(other) == lines

    def test_labels_of_another_store_stay_out(self, seeded: Kit) -> None:
        """A mirror beside a new store: what does not fit is left in the file and not stored."""
        seeded.label(1, "1")
        line = mirror_lines(seeded.folder)[0]
        seeded.close()
        other = seeded.folder / "other"
        other.mkdir()
        (other / "labels.jsonl").write_bytes((seeded.folder / "labels.jsonl").read_bytes() + b"nonsense\n")
        with kit_in(other) as kit:
            assert kit.one("SELECT count(*) FROM labels") == 0
            kit.questions(1)
            kit.feed(kit.run(), trajectory(1, 0, "another step"))
            assert recover_labels(kit.writer) == 0
            kit.label(1, "0")
        with kit_in(other) as kit:
            assert kit.all("SELECT value FROM labels") == [("0",)]
        assert json.loads((other / "labels.jsonl").read_bytes().splitlines()[0]) == line

    @pytest.mark.parametrize("written", [0, 10])
    def test_a_full_disk_is_not_acknowledged(self, seeded: Kit, monkeypatch: Any, written: int) -> None:
        """The label is not stored, the mirror keeps whole lines, and later labels work."""
        seeded.label(1, "1")
        before = (seeded.folder / "labels.jsonl").read_bytes()
        real = os.write

        def full(descriptor: int, data: Any) -> int:
            if written and bytes(data[:1]) == b"{":
                return real(descriptor, data[:written])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(BswirlError, match=r"not saved.*No space left.*free some space"):
            seeded.label(2, "0")
        monkeypatch.undo()
        assert (seeded.folder / "labels.jsonl").read_bytes() == before
        assert seeded.one("SELECT count(*) FROM labels") == 1
        seeded.label(2, "0")
        assert [line["label_id"] for line in mirror_lines(seeded.folder)] == [1, 2]

    def test_a_failed_commit_takes_the_line_back(self, seeded: Kit, monkeypatch: Any) -> None:
        """Mirror first, then the store: when the store fails, the line goes."""
        seeded.label(1, "1")
        before = (seeded.folder / "labels.jsonl").read_bytes()
        append = seeded.writer.mirror.append

        def append_and_fail(lines: list[dict[str, Any]]) -> None:
            append(lines)
            raise OSError("commit failed")

        monkeypatch.setattr(seeded.writer.mirror, "append", append_and_fail)
        with pytest.raises(OSError, match="commit failed"):
            seeded.label(1, "0")
        monkeypatch.undo()
        assert (seeded.folder / "labels.jsonl").read_bytes() == before
        assert current(seeded) == "1"

    def test_lines_are_read_from_the_end(self, tmp_path: Path) -> None:
        """Across blocks, long lines and broken ones."""
        lines = [{"n": n, "pad": "x" * (n * 7919 % 90000)} for n in range(20)]
        (tmp_path / "m").write_bytes(
            b"".join(json.dumps(line).encode() + b"\n" for line in lines[:10])
            + b"broken\n"
            + b"".join(json.dumps(line).encode() + b"\n" for line in lines[10:])
            + b'{"torn": 1'
        )
        mirror = Mirror(tmp_path / "m")
        found = list(mirror.newest_first())
        mirror.close()
        assert [line["n"] if line else None for line in found] == [*range(19, 9, -1), None, *range(9, -1, -1)]
