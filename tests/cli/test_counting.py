"""Progress of a command's own work: pace, words, and what stands on a terminal."""

from __future__ import annotations

import contextlib
import io
import sys
import time

import pytest

from bswirl.cli.counting import WINDOW_SECONDS, Pace, counted


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that the module sees."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


class TestPace:
    def test_over_the_last_minute(self) -> None:
        """What came from a record in an instant is forgotten; before anything came there is no pace."""
        pace = Pace(0.0)
        assert pace.seconds_left(0, 100_000, 0.5) is None
        assert pace.seconds_left(50_000, 100_000, 2.0) == pytest.approx(2)
        left = None
        for second in range(1, int(WINDOW_SECONDS) + 5):
            left = pace.seconds_left(50_000 + 10 * second, 100_000, 2.0 + second)
        assert left == pytest.approx((50_000 - 10 * second) / 10)

    def test_nothing_moves(self) -> None:
        """Where nothing came for a minute there is no pace."""
        pace = Pace(0.0)
        assert pace.seconds_left(5, 10, 2.0) == pytest.approx(2)
        assert [pace.seconds_left(5, 10, float(second)) for second in range(3, 130)][-1] is None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """The bar shows numbers and the time left, and is gone after an interruption too."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with contextlib.suppress(KeyboardInterrupt), counted("steps") as told:
        clock.now += 2
        told(2, 7202)
        raise KeyboardInterrupt
    shown = terminal.getvalue()
    assert "2/7202 steps, 2:00:00 left" in shown
    assert shown.rindex("\x1b[2K") > shown.rindex("2/7202 steps")  # the line is erased


def test_in_a_log(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """A line every few seconds and none before; nothing on stdout."""
    with counted("steps") as told:
        for done in range(41):
            told(done, 80)
            clock.now += 1
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == 4
    assert lines[0] == "10/80 steps, 0:01:10 left"
