"""The app at a real terminal: it leaves when asked to, and when the terminal does."""

from __future__ import annotations

import dataclasses
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from textual import constants, events

from bswirl.client import Client, connect
from bswirl.errors import UsageError
from bswirl.project import Project
from bswirl_tui import actions, app
from bswirl_tui.terminal.escape import EscapeFirst
from tests.tui import content
from tests.tui.terminal import PATIENCE_SECONDS, ROOT, Terminal

POINTER_SHAPE = re.compile(rb"\x1b\]22;[a-z-]*\x07")  # Textual's own
MOUSE = b"\x1b[?1000h"
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


def cpu_ticks(pid: int) -> int:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def falls_asleep(terminal: Terminal) -> bool:
    """Whether two seconds come in which nothing is sent, and a tenth of a processor is not used up."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        before = cpu_ticks(terminal.pid)
        if terminal.read(2.0) == b"" and cpu_ticks(terminal.pid) - before < 20:
            return True
    return False


def colour_codes(output: bytes) -> set[int]:
    """Every parameter of every sequence that sets how text looks."""
    found = b";".join(code[2:-1] for code in COLOUR.findall(output))
    return {int(code or 0) for code in found.split(b";")}


class TestLeaving:
    """The terminal is given back as it was."""

    def test_q_ends_the_app(self, shared: Project) -> None:
        """With exit code 0, the cursor visible, on the screen from before."""
        with Terminal(shared.root) as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.press(b"q")
            assert terminal.ended() == 0
            assert terminal.output.rstrip().endswith(b"\x1b[?1004l") or b"\x1b[?1049l" in terminal.output
            assert b"\x1b[?25h" in terminal.output
            assert b"Traceback" not in terminal.output

    @pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM], ids=lambda number: number.name)
    def test_signal_ends_the_app(self, shared: Project, number: signal.Signals) -> None:
        """At once, and not as a success."""
        with Terminal(shared.root) as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.kill(number)
            assert terminal.ended() == 128 + signal.SIGHUP

    def test_dropped_line_ends_the_app(self, shared: Project) -> None:
        """No process is left that spins on a terminal that is gone."""
        with Terminal(shared.root) as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.close()
            assert terminal.ended() in (128 + signal.SIGHUP, -signal.SIGHUP)

    def test_end_of_input_ends_the_app(self, shared: Project) -> None:
        """Where no signal comes, as under nohup: the process must neither stay nor burn time."""
        code = (
            "import signal, sys\n"
            "from bswirl.cli import main\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})\n"
            "sys.exit(main(sys.argv[1:]))"
        )
        with Terminal(shared.root, runner=["-c", code]) as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.close()
            assert terminal.ended() == 128 + signal.SIGHUP

    def test_idle_app_sleeps(self, shared: Project) -> None:
        """Nothing animates."""
        with Terminal(shared.root) as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            assert falls_asleep(terminal)
            terminal.press(b"/")
            assert terminal.read(PATIENCE_SECONDS)
            assert falls_asleep(terminal)  # nor does the cursor of a field blink


def parsed(sent: str) -> list[str]:
    """The keys that the app takes it for, once nothing more comes."""
    parser = EscapeFirst()
    found = [*parser.feed(sent)]
    time.sleep(2 * constants.ESCAPE_DELAY)  # it waits for what could still belong to it
    found += parser.tick()
    return [event.key for event in found if isinstance(event, events.Key)]


class TestEscape:
    """A key that is easily lost: much that terminals send begins with it."""

    def test_key_right_behind_it(self, shared: Project) -> None:
        """Both arrive at once: they close the help and open the runs."""
        with Terminal(shared.root) as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.press(b"?")
            terminal.wait_for(b"Label this step 0.")
            terminal.press(b"\x1bv")
            terminal.wait_for(b"resume")
            terminal.press(b"\x1bq")
            assert terminal.ended() == 0
        assert MOUSE in terminal.output

    @pytest.mark.parametrize("key", ["v", "V", "1", "0", "-", "a", "\r", " ", "é"])
    def test_it_is_never_alt(self, key: str) -> None:
        """Whatever comes with it."""
        assert parsed("\x1b" + key) == ["escape", *parsed(key)]

    @pytest.mark.parametrize(
        ("sent", "keys"),
        [
            ("\x1bj\x1b[B", ["escape", "j", "down"]),
            ("\x1bj\x1b", ["escape", "j", "escape"]),
            ("\x1b" + "j" * 40, ["escape", *"j" * 40]),
            ("\x1b[", ["escape", "left_square_bracket"]),
        ],
        ids=["an arrow", "Escape", "much", "what begins an arrow"],
    )
    def test_what_follows_behind(self, sent: str, keys: list[str]) -> None:
        """It is what it would be by itself."""
        assert parsed(sent) == keys

    @pytest.mark.parametrize(
        ("sent", "key"), [("\x1b\x7f", "ctrl+w"), ("\x1bf", "ctrl+right"), ("\x1b\t", "shift+tab")]
    )
    def test_keys_for_words_stay(self, sent: str, key: str) -> None:
        """Alt and Backspace in a field deletes a word; it must not leave the field and undo a label."""
        assert parsed(sent) == [key]

    def test_unless_the_settings_ask_for_alt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A key of one's own."""
        monkeypatch.setattr(
            actions, "ACTIONS", (dataclasses.replace(actions.spec("runs.show"), keys=("alt+v",)),)
        )
        assert [parsed("\x1bv"), parsed("\x1bw")] == [["alt+v"], ["escape", "w"]]

    @pytest.mark.parametrize(("sent", "key"), [("\x1b[A", "up"), ("\x1b[Z", "shift+tab"), ("\x1bOP", "f1")])
    def test_keys_that_begin_with_it(self, sent: str, key: str) -> None:
        """They are what they were."""
        assert parsed(sent) == [key]

    def test_inside_gnu_screen(self, shared: Project) -> None:
        """Where the mouse is asked for, it keeps Escape back until the next key."""
        with Terminal(shared.root, TERM="screen", STY="1.pts") as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.press(b"q")
            assert terminal.ended() == 0
        assert MOUSE not in terminal.output


class TestRecord:
    """What was keyed is what is recorded."""

    def test_label_survives_the_line_that_set_it(self, project: Project, bob: Client) -> None:
        """Acknowledged on screen, then the line drops."""
        with Terminal(project.root) as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.press(b"0")
            terminal.wait_for(b"Labelled action")
            terminal.close()
            terminal.ended()
        assert [label.value for label in bob.labels()] == ["0"]

    def test_fast_keys_label_what_was_under_the_cursor(self, project: Project, bob: Client) -> None:
        """Keys that come faster than the owner answers are all carried out, in their order."""
        with Terminal(project.root) as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.press(b"0j1juj0\x7fj1")
            end = time.monotonic() + 30
            while len(bob.labels()) < 6:
                assert time.monotonic() < end
                terminal.read(0.1)
            terminal.press(b"q")
            assert terminal.ended() == 0
        record = [(label.action_id, label.value) for label in reversed(bob.labels())]
        assert record == [(1, "0"), (4, "1"), (6, "unsure"), (5, "0"), (5, "withdrawn"), (2, "1")]

    def test_a_vote_behind_the_key_that_opens_the_queue(self, project: Project, bob: Client) -> None:
        """Both are one burst: the vote is on the step of the queue, not on that under the tree's cursor."""
        for keys in (b"a\r", b"a1"):
            with Terminal(project.root) as terminal:
                terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
                terminal.press(keys)
                terminal.wait_for(b"to judge")
                end = time.monotonic() + PATIENCE_SECONDS
                while keys == b"a1" and not bob.labels():
                    assert time.monotonic() < end
                    terminal.read(0.1)
                terminal.press(b"\x11")
                assert terminal.ended() == 0
        assert [(label.value, label.draw_id is not None) for label in bob.labels()] == [("1", True)]

    def test_run_outlives_the_terminal(self, project: Project, bob: Client) -> None:
        """A worker has a session of its own."""
        with Terminal(project.root) as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.press(b"x")
            terminal.wait_for(b"New run")
            terminal.press(b"u")
            terminal.wait_for(b"--judge")
            for key in (b"\x0f", *[b"\x1b[B"] * 4, b" "):
                terminal.press(key)
                terminal.read(0.3)
            terminal.wait_for(b"--again")
            terminal.press(b"\x13")
            terminal.wait_for(b"judge 2")
            terminal.close()
            terminal.ended()
        end = time.monotonic() + 30
        while bob.run(2).status != "done":
            assert time.monotonic() < end
            time.sleep(0.1)


class TestOutput:
    """What reaches the terminal."""

    def test_hostile_text_stays_text(self, empty: Project) -> None:
        """No title is set, no screen cleared, no bell rung by what a model wrote."""
        with connect(empty) as client:
            client.import_samples([content.hostile_question()], "evil")
        with Terminal(empty.root) as terminal:
            terminal.wait_for(b"[/foo]")
            for key in b"jjjsGg":
                terminal.press(bytes([key]))
                terminal.read(0.3)
            terminal.press(b"q")
            assert terminal.ended() == 0
        for sequence in ("\x1b]0;title", "\x07", "\x9b", "\x1b[31mred", "\u202e", "\x1b[2J"):
            assert sequence.encode() not in POINTER_SHAPE.sub(b"", terminal.output)

    def test_a_cursor_move_is_cheap(self, shared: Project) -> None:
        """Under 3 KB in the outline, a few hundred bytes among candidates, in 24-bit colour at 120×40."""
        with Terminal(shared.root, size=(120, 40), COLORTERM="truecolor") as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            while terminal.read(0.5):
                pass
            outline = sorted(sent_for(terminal, key) for key in b"jjjjkkkkjjjj")
            assert 0 < outline[len(outline) // 2] < 3000
            sent_for(terminal, ord("g"))
            sent_for(terminal, ord("\r"))
            candidates = sorted(sent_for(terminal, key) for key in b"llhhllhh")
            assert 0 < candidates[len(candidates) // 2] < 600
            terminal.press(b"qq")
            assert terminal.ended() == 0

    def test_no_color(self, shared: Project) -> None:
        """NO_COLOR leaves bold, dim and reverse."""
        with Terminal(shared.root, NO_COLOR="1") as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.press(b"q")
            terminal.ended()
        codes = colour_codes(terminal.output)
        assert codes <= {0, 1, 2, 3, 4, 7, 22, 23, 24, 27, 39, 49}

    def test_sixteen_colours(self, shared: Project) -> None:
        """A terminal with sixteen colours is sent those."""
        with Terminal(shared.root, TERM="xterm", COLORTERM="") as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.press(b"q")
            terminal.ended()
        assert b"[38;2;" not in terminal.output
        assert b"[38;5;" not in terminal.output
        assert colour_codes(terminal.output) & set(range(30, 38))

    def test_without_utf8_the_signs_are_ascii(self, shared: Project) -> None:
        """In a C locale no sign of ours is sent that the terminal cannot show."""
        with Terminal(shared.root, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C") as terminal:
            terminal.wait_for(b"Step 1: There are 2*3=6 pens.")
            terminal.press(b"q")
            terminal.ended()
        assert "✓".encode() not in terminal.output
        assert "├".encode() not in terminal.output


def sent_for(terminal: Terminal, key: int) -> int:
    """How many bytes a key makes the app send, until it is quiet."""
    before = len(terminal.output)
    terminal.press(bytes([key]))
    while terminal.read(0.3):
        pass
    return len(terminal.output) - before


class TestWithoutTerminal:
    """The app needs one."""

    def test_pipe_is_refused(self, shared: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """With a word on what works without."""
        with pytest.raises(UsageError, match="needs a terminal"):
            app.run(shared)

    def test_import_is_light(self) -> None:
        """No model, no database, no numbers package comes with the app."""
        heavy = ("torch", "transformers", "duckdb", "together", "pandas", "numpy", "peft", "textual_plot")
        code = f"import sys, bswirl_tui.app; print([name for name in {heavy} if name in sys.modules])"
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert result.stdout.strip() == "[]"
