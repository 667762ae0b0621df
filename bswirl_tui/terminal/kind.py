"""What stands between the app and the person: a multiplexer, and which colours pass it."""

from __future__ import annotations

from collections.abc import MutableMapping


def multiplexer(environment: MutableMapping[str, str]) -> str:
    """`tmux`, `screen` or nothing: the innermost one, as far as the environment says."""
    term = environment.get("TERM", "")
    if environment.get("TMUX"):
        return "tmux"
    return "screen" if "STY" in environment or term.startswith("screen") else ""


def takes_mouse(environment: MutableMapping[str, str]) -> bool:
    """Whether the mouse can be asked for: GNU screen then keeps Escape back until another key comes.

    `screen-256color` is what tmux calls itself too, of which nothing else is known at the far end of SSH.
    """
    term = environment.get("TERM", "")
    in_tmux = bool(environment.get("TMUX"))
    in_screen = term.startswith("screen.") or (not in_tmux and ("STY" in environment or term == "screen"))
    return not in_screen


def drop_unfit_colours(environment: MutableMapping[str, str]) -> None:
    """Takes back a claim of 24-bit colours that does not hold inside GNU screen.

    Screen hands on the COLORTERM of the terminal it was started in, and reads those sequences as others.
    """
    if multiplexer(environment) == "screen":
        environment.pop("COLORTERM", None)
