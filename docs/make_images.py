"""Draws the pictures of the documentation: screenshots of the real app on a fresh demo project.

python docs/make_images.py
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

os.environ.update(COLORTERM="truecolor", TERM="xterm-256color")

from bswirl.client import stop_owner
from bswirl.demo import create_demo
from bswirl_tui.app import BswirlApp

IMAGES = Path(__file__).parent / "images"
SIZE = (132, 36)
SHOTS: dict[str, tuple[str, ...]] = {
    "app": ("J", "J", "J", "j", "j"),
    "curves": ("v", "down", "down", "down", "enter"),
}
SECONDS_TO_SETTLE = 1.5


async def shoot(app: BswirlApp, keys: tuple[str, ...], path: Path) -> None:
    """Opens the app, presses the keys and saves what is on the screen."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(SECONDS_TO_SETTLE)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.3)
        await pilot.pause(2 * SECONDS_TO_SETTLE)
        path.write_text(app.export_screenshot(title="bswirl"), encoding="utf-8")


def main() -> None:
    """Every picture in turn."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        project = create_demo(Path(folder) / "demo-project")
        try:
            for name, keys in SHOTS.items():
                asyncio.run(shoot(BswirlApp(project, "you"), keys, IMAGES / f"{name}.svg"))
        finally:
            stop_owner(project)


if __name__ == "__main__":
    main()
