"""Partial redraws in as few bytes as they take, for thin lines.

Textual sends each changed line from the left edge of its widget on, and sets and resets the style of every
stretch. Here a redraw is exactly the changed cells, and a style is sent where it differs from the one before.
"""

from __future__ import annotations

from typing import Any

from rich.color import ColorSystem
from rich.console import Console
from rich.control import Control
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate

RESET = "\x1b[0m"


class ThinUpdate(CompositorUpdate):
    """A partial redraw, written anew."""

    def __init__(self, update: ChopsUpdate) -> None:
        self._update = update

    def __rich_console__(self, console: Console, options: Any) -> Any:
        yield from self._update.__rich_console__(console, options)

    def render_segments(self, console: Console) -> str:
        """What the terminal is sent."""
        parts: list[str] = []
        colours = console._color_system
        style: Style | None = None
        end: tuple[int, int] | None = None  # where the terminal's cursor stands
        for y, first, last in self._update.spans:
            for stop, (x, strip) in zip(
                self._update.chop_ends[y], self._update.chops[y].items(), strict=False
            ):
                start, stop = max(x, first), min(stop, last)
                if strip is None or start >= stop:
                    continue
                if end != (start, y):
                    parts.append(Control.move_to(start, y).segment.text)
                for segment in strip.crop(start - x, stop - x):
                    style = _write(parts, segment, style, colours)
                end = (stop, y)
        return "".join(parts) + RESET


def _write(
    parts: list[str], segment: Segment, before: Style | None, colours: ColorSystem | None
) -> Style | None:
    """Writes a stretch of one style; returns that style."""
    text, style, control = segment
    if control:
        return before
    if style != before or before is None:
        codes = (style or Style())._make_ansi_codes(colours) if colours is not None else ""
        parts.append(f"\x1b[0;{codes}m" if codes else RESET)
    parts.append(text)
    return style or Style()


def thinned(renderable: Any) -> Any:
    """The same redraw in fewer bytes, where it is a partial one."""
    return ThinUpdate(renderable) if type(renderable) is ChopsUpdate else renderable
