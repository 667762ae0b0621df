"""What doctor says of the line: measured at a pseudo-terminal that answers, answers late, or not at all."""

from __future__ import annotations

import os
import pty
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bswirl.cli import line
from bswirl.cli.line import Line, colours, measure, measured


@contextmanager
def answering(reply: Callable[[bytes], bytes]) -> Iterator[int]:
    """A terminal; what is asked of it is answered by `reply`, which gets all that was written so far."""
    master, slave = pty.openpty()
    stop = threading.Event()

    def serve() -> None:
        seen = b""
        while not stop.is_set():
            try:
                piece = os.read(master, 1024)
            except OSError:
                return
            for position in range(len(piece)):
                seen += piece[position : position + 1]
                if seen.endswith(b"\x1b[6n") and (said := reply(seen)):
                    os.write(master, said)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield slave
    finally:
        stop.set()
        os.close(slave)
        thread.join(2)
        os.close(master)


def column(seen: bytes, *, cells: int) -> bytes:
    """Where a terminal's cursor is after these bytes, for one that shows the sign in so many cells."""
    after = seen.rsplit(b"\r", 1)[-1]
    return f"\x1b[1;{1 + cells * after.count('é'.encode())}R".encode()


class TestMeasure:
    """By cursor position reports."""

    @pytest.fixture(autouse=True)
    def _time_to_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A terminal that answers is waited for on a slow machine too."""
        monkeypatch.setattr(line, "TIMEOUT_SECONDS", 60.0)

    def test_round_trip(self) -> None:
        def late(seen: bytes) -> bytes:
            time.sleep(0.05)
            return column(seen, cells=1)

        with answering(late) as terminal:
            began = time.perf_counter()
            found = measure(terminal, terminal)
            taken = time.perf_counter() - began
        assert found.round_trip is not None
        assert 0.05 <= found.round_trip < taken / 2  # it was asked more often than twice
        assert found.utf8 is True

    def test_terminal_without_utf8(self) -> None:
        with answering(lambda seen: column(seen, cells=2)) as terminal:
            assert measure(terminal, terminal).utf8 is False

    def test_silent_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is asked once, and given up."""
        monkeypatch.setattr(line, "TIMEOUT_SECONDS", 0.1)
        asked: list[bytes] = []

        def silent(seen: bytes) -> bytes:
            asked.append(seen)
            return b""

        with answering(silent) as terminal:
            assert measure(terminal, terminal) == Line(None, None)
        assert len(asked) <= 1

    def test_terminal_is_left_as_it_was(self) -> None:
        import termios

        with answering(lambda seen: column(seen, cells=1)) as terminal:
            before = termios.tcgetattr(terminal)
            measure(terminal, terminal)
            assert termios.tcgetattr(terminal) == before


class TestAdvice:
    """What is found leads to what to do."""

    def test_slow_line(self) -> None:
        [found] = measured(Line(0.3, True), {"SSH_CONNECTION": "a"})
        assert found.status == "note"
        assert "300 ms, over SSH" in found.says
        assert "--no-mouse" in found.remedy

    def test_fast_line_without_utf8(self) -> None:
        first, second = measured(Line(0.002, False), {})
        assert (first.status, first.says) == ("ok", "the terminal answers in 2 ms")
        assert "--ascii" in second.remedy

    def test_a_multiplexer_answers_for_itself(self) -> None:
        """Its answer says nothing of the line, so it is not called a fast one."""
        found, *_ = measured(Line(0.00002, True), {"SSH_CONNECTION": "there"}, "tmux")
        assert (found.status, found.says) == ("note", "tmux answers in 0.02 ms")
        assert "outside tmux" in found.remedy

    def test_silent(self) -> None:
        [found] = measured(Line(None, None), {})
        assert found.status == "note"

    @pytest.mark.parametrize(
        ("environment", "inside", "says", "remedy"),
        [
            ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "", "24 bit", ""),
            ({"TERM": "tmux-256color"}, "tmux", "256 (tmux-256color)", ""),
            ({"TERM": "screen", "COLORTERM": "truecolor"}, "screen", "16 (screen)", "screen-256color"),
            ({"TERM": "screen"}, "tmux", "16 (screen)", "tmux-256color"),
            ({"TERM": "xterm-kitty"}, "", "256 (xterm-kitty)", ""),
            ({"TERM": "dumb"}, "", "none (dumb)", "xterm-256color"),
            ({}, "", "16 (TERM is not set)", "xterm-256color"),
            ({"TERM": "xterm", "NO_COLOR": ""}, "", "none", ""),
        ],
    )
    def test_colours(self, environment: dict[str, str], inside: str, says: str, remedy: str) -> None:
        found = colours(environment, inside)
        assert says in found.says
        assert remedy in found.remedy

    @pytest.mark.parametrize(("delay", "status"), [(500, "note"), (10, "ok"), (None, "ok")])
    def test_tmux(self, monkeypatch: pytest.MonkeyPatch, delay: Any, status: str) -> None:
        monkeypatch.setattr(line, "_tmux_option", lambda _name: delay)
        [found] = line._tmux()
        assert found.status == status
        assert ("escape-time" in found.remedy) == (status == "note")
