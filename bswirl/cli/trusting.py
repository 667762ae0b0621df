"""Asking at the terminal whether a key may be sent to an endpoint."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bswirl.display import safe_text

if TYPE_CHECKING:
    from bswirl.serving.calls import ServedModel


def ask_trust(model: ServedModel) -> bool:
    """Whether the person at the terminal says yes; no where nobody is there to be asked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    from bswirl.launch.keys import trust_question

    return click.confirm(safe_text(trust_question(model), one_line=True), default=False, err=True)
