"""An audit at a real terminal: votes, undo, notes, lines that drop, an owner that dies; then the record.

BSWIRL_LONG_AUDIT=1 makes it an hour's work: 300 votes.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bswirl.client import Client, connect
from bswirl.project import Project
from bswirl.records import Label
from bswirl.settings.audit import DEFAULT_REASONS
from bswirl_tui.steps_ahead import AHEAD
from tests.tui import content
from tests.tui.terminal import Pty, Terminal
from tests.tui.tmux import TMUX, Tmux

VOTES = 300 if os.environ.get("BSWIRL_LONG_AUDIT") else 30
VALUES = {"1": "1", "0": "0", "u": "unsure", "s": "skip"}
Row = tuple[str, str | None, bool]


@dataclass
class Script:
    """What is keyed, and the rows that it must leave."""

    rng: random.Random
    rows: list[Row] = field(default_factory=list)
    standing: list[Row] = field(default_factory=list)  # votes that can be taken back
    undone: list[Row] = field(default_factory=list)  # whose steps are shown again, the newest first

    def keys(self, *, undo: bool = True) -> bytes:
        """The keys of one vote, with a note, a flag or an undo now and then."""
        if self.standing and self.rng.random() < 0.15 and undo:
            self.undone.append(self.standing.pop())
            self.rows.append(("withdrawn", None, False))
            return b"\x7f"
        before, kept, flagged = self.undone.pop() if self.undone else ("", None, False)
        keys, reason, turned = b"", None, self.rng.random() < 0.1
        if self.rng.random() < 0.3:
            place = self.rng.randrange(len(DEFAULT_REASONS))
            keys, reason = f"r{place + 1}".encode(), DEFAULT_REASONS[place]
        key = self.rng.choice("1110000us")
        if VALUES[key] == before and reason is None:
            reason = kept  # of the vote that was taken back, which was the same
        self.standing.append((VALUES[key], reason, flagged != turned))
        self.rows.append(self.standing[-1])
        return keys + (b"f" if turned else b"") + key.encode()


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Project]:
    """A project with more steps than votes."""
    project = Project.create(tmp_path / "pens")
    with project.settings_file.open("a") as file:
        file.write("\n[audit]\nrepeats = 0.0\n")
    with connect(project, auditor="bob") as client:
        content.fill(client, 12 + VOTES // 4)
        yield project
        client.stop_owner()


def rows_of(client: Client) -> list[Label]:
    return list(reversed(client.labels(10_000)))


def wait_for_rows(client: Client, terminal: Pty, count: int) -> None:
    end = time.monotonic() + 20
    while len(rows_of(client)) < count:
        assert time.monotonic() < end, [label.value for label in rows_of(client)]
        terminal.read(0.05)


def open_queue(terminal: Pty, *, again: bool = False) -> None:
    """The first time it asks how to begin; after a new start it goes straight on."""
    terminal.wait_for(b"are left")
    terminal.press(b"a")
    if not again:
        terminal.wait_for(b"enter begins")
        terminal.press(b"\r")
    terminal.wait_for(b"to judge")


def wait_for_steps(client: Client, terminal: Pty) -> None:
    """Until as many were fetched ahead as ever are: new ones come only behind those that were left before."""
    end = time.monotonic() + 20
    while True:
        lines = client.project.draws_file.read_bytes().splitlines()
        draws = {line["draw_id"] for line in map(json.loads, lines) if not line["met"]}
        rows = rows_of(client)
        gone = {label.withdraws for label in rows}
        labelled = {label.draw_id for label in rows if label.client_uid not in gone}
        if len(draws - labelled) > AHEAD:
            return
        assert time.monotonic() < end, len(draws - labelled)
        terminal.read(0.05)


def type_votes(terminal: Pty, script: Script, count: int, bob: Client) -> None:
    """As fast as steps come: at most one vote ahead of the record, once there are steps to go on with.

    Keys without a step on screen are not taken.
    """
    terminal.press(script.keys(undo=False))
    wait_for_rows(bob, terminal, len(script.rows))
    wait_for_steps(bob, terminal)
    for _ in range(count - 1):
        terminal.press(script.keys())
        wait_for_rows(bob, terminal, len(script.rows) - 1)


def check(labels: list[Label], script: Script) -> None:
    """The record is what was keyed, and each undo took back the newest vote that stood."""
    assert [(label.value, label.reason, label.flagged) for label in labels] == script.rows
    standing: list[int] = []
    for before, label in zip([None, *labels], labels, strict=False):
        if label.value == "withdrawn":
            assert label.action_id == standing.pop()
        else:
            if before is not None and before.value == "withdrawn":
                assert label.action_id == before.action_id  # its step was shown again
                assert label.after_reveal
            standing.append(label.action_id)
            assert label.draw_id is not None
    assert len(set(standing)) == len(standing)  # the settings want no repeats


class TestSession:
    """The record holds exactly what was keyed."""

    def test_votes_undo_notes_and_drops(self, large: Project) -> None:
        """Three terminals, two of which drop, and an owner that is killed."""
        script, third = Script(random.Random(4)), VOTES // 3
        with connect(large, auditor="bob") as bob:
            with Terminal(large.root, (100, 30)) as terminal:
                open_queue(terminal)
                type_votes(terminal, script, third, bob)
                wait_for_rows(bob, terminal, len(script.rows))
                terminal.close()  # the line drops
                terminal.ended()
            script.undone.clear()  # what is kept for a vote to come is the app's
            with Terminal(large.root, (100, 30)) as terminal:
                open_queue(terminal, again=True)
                type_votes(terminal, script, third // 2, bob)
                os.kill(bob.owner["pid"], signal.SIGKILL)
                type_votes(terminal, script, third - third // 2, bob)
                wait_for_rows(bob, terminal, len(script.rows))
                terminal.kill(signal.SIGKILL)
                terminal.ended()
            script.undone.clear()
            with Terminal(large.root, (100, 30)) as terminal:
                open_queue(terminal, again=True)
                type_votes(terminal, script, third, bob)
                terminal.press(b"qq")  # it ends when everything is recorded
                assert terminal.ended() == 0
            labels = rows_of(bob)
        check(labels, script)

    @pytest.mark.skipif(TMUX is None, reason="tmux is not installed")
    def test_in_tmux(self, large: Project) -> None:
        """The line drops twice while the session lives on, and the owner is killed between."""
        script, third = Script(random.Random(6)), VOTES // 3
        with connect(large, auditor="bob") as bob, Tmux(large.root) as tmux:
            with tmux.attached() as terminal:
                open_queue(terminal)
                type_votes(terminal, script, third, bob)
                wait_for_rows(bob, terminal, len(script.rows))
            assert tmux.lives
            with tmux.attached() as terminal:
                terminal.wait_for(b"to judge")
                type_votes(terminal, script, third // 2, bob)
                os.kill(bob.owner["pid"], signal.SIGKILL)
                type_votes(terminal, script, third - third // 2, bob)
                wait_for_rows(bob, terminal, len(script.rows))
            with tmux.attached() as terminal:
                terminal.wait_for(b"to judge")
                type_votes(terminal, script, third, bob)
                terminal.press(b"qq")
                tmux.ended()
            labels = rows_of(bob)
        check(labels, script)

    def test_what_was_not_acknowledged_is_asked_again(self, large: Project) -> None:
        """The line drops amid fast keys: a prefix is recorded, the next start goes on behind it."""
        script = Script(random.Random(5))
        with connect(large, auditor="bob") as bob:
            with Terminal(large.root, (100, 30)) as terminal:
                open_queue(terminal)
                for _ in range(8):
                    script.rows.append(("1", None, False))
                terminal.press(b"1" * 8)
                terminal.read(0.05)
                terminal.kill(signal.SIGKILL)
                terminal.ended()
            bob.stop_owner()  # which ends when it has answered
            found = rows_of(bob)
            assert [(label.value, label.reason, label.flagged) for label in found] == script.rows[
                : len(found)
            ]
            with Terminal(large.root, (100, 30)) as terminal:
                open_queue(terminal, again=True)
                terminal.press(b"0qq")
                assert terminal.ended() == 0
            labels = rows_of(bob)
        assert len(labels) == len(found) + 1
        assert len({label.action_id for label in labels}) == len(labels)
