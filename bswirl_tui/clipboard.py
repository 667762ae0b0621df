"""Copying a line of text: to the terminal's clipboard where it has one, else into a dialog."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from bswirl_tui.screens.dialogs import Shown

if TYPE_CHECKING:
    from bswirl_tui.app import BswirlApp

_WITHOUT = ("linux", "dumb", "vt", "screen", "tmux", "ansi", "cons")  # terminals that know no OSC 52
_TMUX_SECONDS = 2.0


def has_clipboard(environment: Mapping[str, str]) -> bool:
    """Whether the terminal can be expected to take OSC 52; a multiplexer keeps it to itself."""
    term = environment.get("TERM", "")
    without = not term or term.startswith(_WITHOUT)
    known = environment.get("TERM_PROGRAM") == "Apple_Terminal" or "VTE_VERSION" in environment
    return not without and not known and "TMUX" not in environment


def copy(app: BswirlApp, text: str, what: str) -> None:
    """Copies `text`, which the messages call `what`; a second time, or without a clipboard, it is shown."""
    again = app.clipboard == text
    app.copy_to_clipboard(text)
    if again or not ("TMUX" in os.environ or has_clipboard(os.environ)):
        app.push_screen(Shown(what, text))
    elif "TMUX" in os.environ:
        app.link.run_beside(
            app,
            "copy",
            lambda: _to_tmux(text),
            lambda taken: _said(app, what) if taken else _show(app, what, text),
            app.tell_problem,
        )
    else:
        _said(app, what)


def _said(app: BswirlApp, what: str) -> None:
    app.say(Text(f"{what} copied. Once more shows it, for terminals that pass no clipboard on."))


def _show(app: BswirlApp, what: str, text: str) -> None:
    app.push_screen(Shown(what, text))


def _to_tmux(text: str) -> bool:
    """Hands the text to tmux, which has its own paste buffer and passes it on to the terminal outside."""
    program = shutil.which("tmux")
    if program is None:
        return False
    try:
        done = subprocess.run(
            [program, "load-buffer", "-w", "-"],
            input=text.encode(),
            capture_output=True,
            timeout=_TMUX_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
