"""Formulas compared by math-verify, in a process of its own that is ended when it computes too long.

Model text is hostile: `9^{9^{9^9}}` keeps SymPy busy for ever, inside one operation that no signal handler
interrupts. The kernel enforces the process's limits on CPU time and memory, which works for any thread that
asks. It is started when first needed and serves until this process ends.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from typing import Any

CPU_SECONDS = 5  # for one comparison
WALL_SECONDS = 60.0  # for one comparison on a machine that is busy with other things
START_SECONDS = 120.0
_PATIENCE = 2.0  # seconds for the process to end by itself
REMEDY = "pip install 'bswirl[math]'"

_PROCESS = "bswirl.answers.algebra_process"
_ENVIRONMENT = ("PATH", "HOME", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
_SYMBOLS = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "×": r"\times ",
        "·": r"\cdot ",
        "÷": r"\div ",
        "π": r"\pi ",
        "∞": r"\infty ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "±": r"\pm ",
        "\u2009": " ",
        "$": "",
    }
)
_ROOT = re.compile(r"√\s?(?:\(([^()]*)\)|(\w+))")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

Result = tuple[bool | None, str]


def equal(answer: str, gold: str) -> Result:
    """Whether two formulas are equal, and who says so; None with the reason where nobody can."""
    return _shared.equal(answer, gold)


def is_installed() -> bool:
    """Whether math-verify is there; nothing of it is imported."""
    return importlib.util.find_spec("math_verify") is not None


def as_latex(text: str) -> str:
    """A formula in the LaTeX that math-verify reads: typographic signs become commands."""
    text = _ROOT.sub(lambda match: rf"\sqrt{{{match.group(1) or match.group(2)}}}", text)
    text = _SUPERSCRIPT.sub(lambda match: f"^{{{match.group().translate(_DIGITS)}}}", text)
    text = re.sub(r"(?<!\\)%", r"\\%", text.replace("**", "^"))
    text = re.sub(r"(?<![\\A-Za-z])pi(?![A-Za-z])", r"\\pi ", text)
    return re.sub(r"(?<=[\w)])\s?\*\s?(?=[\w(\\])", r"\\cdot ", text).replace("\\$", "").translate(_SYMBOLS)


class Algebra:
    """A process that compares formulas; one question at a time, from any thread."""

    def __init__(self, cpu_seconds: int = CPU_SECONDS, wall_seconds: float = WALL_SECONDS) -> None:
        self._cpu_seconds = cpu_seconds
        self._wall_seconds = wall_seconds
        self._asking = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_by = 0
        self._broken = ""  # why the process does not start

    def equal(self, answer: str, gold: str) -> Result:
        """Whether two formulas are equal; None with a reason where that could not be found out."""
        if not is_installed():
            return None, f"formulas are compared with math-verify, which is not installed: {REMEDY}"
        with self._asking:
            self._drop_if_gone()
            if self._process is None and not self._broken:
                self._start()
            if self._broken:
                return None, self._broken
            reply = self._ask({"answer": as_latex(answer), "gold": as_latex(gold)}, self._wall_seconds)
            if reply is None:
                return None, self._end()
        return reply["equal"], reply["note"]

    def close(self) -> None:
        """Ends the process, where there is one."""
        with self._asking:
            self._end()

    def _drop_if_gone(self) -> None:
        """Forgets a process that somebody ended, and that of a parent which this process was forked from."""
        if self._started_by != os.getpid():
            self._process = None
        elif self._process is not None and self._process.poll() is not None:
            self._end()

    def _start(self) -> None:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _PROCESS, str(self._cpu_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # a Ctrl-C is for the one who asked
        )
        self._started_by = os.getpid()
        hello = self._ask(None, START_SECONDS)
        if hello is None or hello["error"]:
            self._end()
            self._broken = f"math-verify does not start: {hello['error'] if hello else 'no answer'}"

    def _ask(self, question: dict[str, str] | None, seconds: float) -> dict[str, Any] | None:
        """The process's next reply; None where it ended or did not reply in time."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return None
        try:
            if question is not None:
                process.stdin.write(json.dumps(question).encode() + b"\n")
                process.stdin.flush()
            line = _read_line(process.stdout.fileno(), time.monotonic() + seconds)
            reply = json.loads(line) if line else None
        except (OSError, ValueError):
            return None
        return reply if isinstance(reply, dict) else None

    def _end(self) -> str:
        """Ends the process and says what became of its last question."""
        process, self._process = self._process, None
        if process is None:
            return ""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            process.communicate(timeout=_PATIENCE)  # it ends by itself where nothing more can come
        if process.poll() is None:
            process.kill()
            process.wait()
            return f"math-verify was ended after {self._wall_seconds:.0f} seconds"
        if process.returncode == -signal.SIGXCPU:
            return f"math-verify found nothing within {self._cpu_seconds} seconds"
        return "math-verify failed"


def _read_line(descriptor: int, until: float) -> bytes:
    """What comes through a pipe up to a newline; empty where it closes or the time is over."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    line = b""
    while not line.endswith(b"\n"):
        if not waiting.poll(1000 * max(0.0, until - time.monotonic())) or not (
            part := os.read(descriptor, 65536)
        ):
            return b""
        line += part
    return line


_shared = Algebra()  # its process ends with this one, whose end closes the pipe it reads from
