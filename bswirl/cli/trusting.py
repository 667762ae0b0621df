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
    question = f"Send the key in ${model.key_variable} to {model.url}?"
    return click.confirm(safe_text(question, one_line=True), default=False, err=True)
