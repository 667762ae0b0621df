"""A palette without colours, for texts that are made outside of an app."""

from __future__ import annotations

from dataclasses import fields

from rich.style import Style

from bswirl_tui.themes import Palette

COLOURS = Palette(**{field.name: Style() for field in fields(Palette)})
