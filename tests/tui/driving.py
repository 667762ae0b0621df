"""Opening the app in a test, pressing keys, and waiting until it has come to rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot
from textual.widget import Widget

from bswirl.project import Project
from bswirl_tui.app import BswirlApp
from bswirl_tui.screens.main import MainScreen

NARROW, WIDE = (80, 24), (200, 50)
PATIENCE_SECONDS = 20.0
KEYS = {" ": "space", "[": "left_square_bracket", "]": "right_square_bracket", "/": "slash", "-": "minus"}


@asynccontextmanager
async def opened(
    project: Project, size: tuple[int, int] = WIDE, auditor: str | None = "alice"
) -> AsyncIterator[Pilot[int]]:
    """The app on a project, with its first question on screen."""
    app = BswirlApp(project, auditor)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot


async def settled(pilot: Pilot[Any]) -> None:
    """Waits until nothing is asked of the owner and every message has been handled."""
    app = pilot.app
    assert isinstance(app, BswirlApp)
    quiet = 0
    while quiet < 3:
        await pilot.pause()
        at_rest = app.link.idle and not app._typing._waiting and is_laid_out(pilot)
        quiet = quiet + 1 if at_rest else 0


def is_laid_out(pilot: Pilot[Any]) -> bool:
    """Whether the screen on top, which may have been opened just now, has every line."""
    return pilot.app.screen._compositor.size == pilot.app.size


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Presses keys one by one, each after the effects of the one before."""
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


async def until(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    """Waits for what comes by an event from outside."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (is_laid_out(pilot) and condition()):
            await pilot.pause(0.05)
    await settled(pilot)


def main_screen(pilot: Pilot[Any]) -> MainScreen:
    """The app's main screen, whatever lies over it."""
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, MainScreen))


def lines_of(widget: Widget) -> list[str]:
    """What a pane shows, line by line."""
    height = widget.scrollable_content_region.height
    return ["".join(segment.text for segment in widget.render_line(y)) for y in range(height)]


def shown(pilot: Pilot[Any]) -> str:
    """Everything on screen, as text."""
    height = pilot.app.size.height
    strips = pilot.app.screen._compositor.render_strips()
    assert len(strips) == height
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def says(pilot: Pilot[Any]) -> str:
    """The line at the foot of the screen."""
    return shown(pilot).splitlines()[-1]


async def typed(pilot: Pilot[Any], words: str) -> None:
    """Types words into the field that has the focus."""
    await pilot.press(*(KEYS.get(character, character) for character in words))
    await settled(pilot)
