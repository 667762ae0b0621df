"""`bswirl doctor` on the line: how fast the terminal answers, what it shows, what helps on a thin line."""

from __future__ import annotations

import os
import re
import select
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from bswirl.cli.findings import Finding
from bswirl.cli.invocation import Invocation

ROUNDS = 5
TIMEOUT_SECONDS = 2.0
SLOW_SECONDS = 0.15
LONG_ESCAPE_MS = 50
_ASK = b"\x1b[6n"  # where is the cursor? (DSR; the answer is a CPR)
_ANSWER = re.compile(rb"\x1b\[(\d+);(\d+)R")
_SIGN = "é"


@dataclass(frozen=True, slots=True)
class Line:
    """What asking the terminal for its cursor found; None where it did not answer."""

    round_trip: float | None  # seconds, median
    utf8: bool | None  # whether a sign of two bytes took one cell


def line_findings(_invocation: Invocation) -> Iterator[Finding]:
    """What stands between the app and the person, and what to set."""
    from bswirl_tui.terminal.kind import multiplexer

    inside = multiplexer(os.environ)
    yield colours(os.environ, inside)
    if inside == "tmux":
        yield from _tmux()
    elif inside == "screen":
        yield Finding("screen", "note", "inside GNU screen: 256 colours at most, no mouse", "tmux shows more")
    if sys.stdin.isatty() and sys.stdout.isatty():
        sys.stdout.flush()
        yield from measured(measure(sys.stdin.fileno(), sys.stdout.fileno()), os.environ, inside)


def measure(incoming: int, outgoing: int) -> Line:
    """Asks the terminal for its cursor, some times; takes 2 s where it does not answer.

    What the person types meanwhile is lost.
    """
    import termios
    import tty

    before = termios.tcgetattr(incoming)
    try:
        tty.setcbreak(incoming)
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            if _cursor(incoming, outgoing) is None:
                return Line(None, None)
            times.append(time.perf_counter() - began)
        os.write(outgoing, b"\r")
        at_first = _cursor(incoming, outgoing)
        os.write(outgoing, _SIGN.encode())
        then = _cursor(incoming, outgoing)
        os.write(outgoing, b"\r\x1b[K")
    finally:
        termios.tcsetattr(incoming, termios.TCSADRAIN, before)
    known = at_first is not None and then is not None
    return Line(statistics.median(times), then - at_first == 1 if known else None)  # type: ignore[operator]


def _cursor(incoming: int, outgoing: int) -> int | None:
    """The cursor's column; None where no answer comes in time."""
    os.write(outgoing, _ASK)
    until = time.monotonic() + TIMEOUT_SECONDS
    said = b""
    while (left := until - time.monotonic()) > 0 and select.select([incoming], [], [], left)[0]:
        piece = os.read(incoming, 256)
        if not piece:
            return None
        said += piece
        if found := _ANSWER.search(said):
            return int(found[2])
    return None


def measured(line: Line, environment: Mapping[str, str], inside: str = "") -> Iterator[Finding]:
    """What the answers mean. A multiplexer that the app is `inside` of answers by itself."""
    if line.round_trip is None:
        yield Finding(
            "line", "note", f"the terminal did not say where its cursor is within {TIMEOUT_SECONDS:g} s"
        )
        return
    words = f"{inside or 'the terminal'} answers in {1000 * line.round_trip:.3g} ms"
    if "SSH_CONNECTION" in environment and not inside:
        words += ", over SSH"
    if inside:
        remedy = f"`bswirl doctor` outside {inside} measures the line that it is seen through"
        yield Finding("line", "note", words, remedy)
    elif line.round_trip > SLOW_SECONDS:
        remedy = (
            "every key takes that long: `Compression yes` in ~/.ssh/config and `bswirl --no-mouse` send less"
        )
        yield Finding("line", "note", words, remedy)
    else:
        yield Finding("line", "ok", words)
    if line.utf8 is False:
        yield Finding(
            "signs", "note", "the terminal does not read UTF-8", "open the app with `bswirl --ascii`"
        )


def colours(environment: Mapping[str, str], inside: str) -> Finding:
    """How many colours the app will use: as many as what draws it takes the terminal to show."""
    from rich.console import Console

    from bswirl_tui.terminal.kind import drop_unfit_colours

    term, fit = environment.get("TERM", ""), dict(environment)
    if "NO_COLOR" in environment:
        return Finding("colours", "ok", "none, as NO_COLOR asks; every meaning has a sign too")
    drop_unfit_colours(fit)
    shown = Console(force_terminal=True, _environ=fit).color_system
    if shown == "truecolor":
        return Finding("colours", "ok", "24 bit; $BSWIRL_THEME is dark, light, contrast or plain")
    if shown == "256":
        return Finding(
            "colours", "ok", f"256 ({term}); export COLORTERM=truecolor where the terminal shows more"
        )
    base = f"{inside or 'xterm'}-256color"
    few = "none" if shown is None else "16"
    return Finding(
        "colours", "note", f"{few} ({term or 'TERM is not set'})", f"export TERM={base} where it shows 256"
    )


def _tmux() -> Iterator[Finding]:
    delay = _tmux_option("escape-time")
    if delay is None:
        yield Finding("tmux", "ok", "inside tmux; a lost line leaves the app running there")
    elif delay > LONG_ESCAPE_MS:
        yield Finding("tmux", "note", f"tmux holds esc back for {delay} ms", "tmux set -sg escape-time 10")
    else:
        yield Finding("tmux", "ok", f"inside tmux, which holds esc back for {delay} ms")


def _tmux_option(name: str) -> int | None:
    program = shutil.which("tmux")
    if program is None:
        return None
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        said = subprocess.run(
            [program, "show", "-gsv", name], capture_output=True, text=True, timeout=2, check=True
        )
        return int(said.stdout.strip())
    return None
