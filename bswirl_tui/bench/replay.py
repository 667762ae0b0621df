"""The app with updates replayed at full speed: `python -m bswirl_tui.bench.replay PROJECT COUNT REPORT`.

Each update is what the owner tells once a second while workers write, and the next one follows when all that
it made the app read has arrived and been drawn. The app's resident memory goes to REPORT, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from bswirl.bench.process import RESIDENT, memory_bytes
from bswirl.project import Project
from bswirl_tui.app import BswirlApp
from bswirl_tui.link import ProjectChanged

POINTS = 20  # at which memory is read
_PAUSE = 0.002


class ReplayingApp(BswirlApp):
    """Ends when it has taken in all updates."""

    def __init__(self, project: Project, updates: int, report: Path) -> None:
        super().__init__(project, "bench")
        self._updates = updates
        self._report = report

    def on_mount(self) -> None:
        super().on_mount()
        self.run_worker(self._replay(), exclusive=True)

    async def _replay(self) -> None:
        await self._at_rest()
        topics = frozenset(("questions", "verdicts", "runs", "metrics"))
        held = [memory_bytes(RESIDENT)]
        began = time.monotonic()
        for update in range(1, self._updates + 1):
            self.changes.tell(ProjectChanged(topics, None, None))
            await self._at_rest()
            if update % max(1, self._updates // POINTS) == 0:
                held.append(memory_bytes(RESIDENT))
        found = {"updates": self._updates, "seconds": time.monotonic() - began, "resident_bytes": held}
        self._report.write_text(json.dumps(found), encoding="utf-8")
        self.exit(0)

    async def _at_rest(self) -> None:
        quiet = 0
        while quiet < 2:
            await asyncio.sleep(_PAUSE)
            quiet = quiet + 1 if self.link.idle else 0


if __name__ == "__main__":
    ReplayingApp(Project.open(Path(sys.argv[1])), int(sys.argv[2]), Path(sys.argv[3])).run()
