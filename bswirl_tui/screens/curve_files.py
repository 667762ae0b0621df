"""Writing a panel's curves to a file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bswirl.curves import Points, free_path, save_csv
from bswirl_tui.charts.panels import PanelSpec
from bswirl_tui.charts.series import RunCurves
from bswirl_tui.screens.base import SubScreen
from bswirl_tui.screens.dialogs import Ask, Confirm
from bswirl_tui.text import count, line

if TYPE_CHECKING:
    from bswirl.client import Client

FOLDER = "curves"  # in the project


class CurveFiles(SubScreen):
    """A screen with a panel that can be written as CSV: every point, as the store has it."""

    @property
    def panel(self) -> PanelSpec | None:
        """The panel that keys act on."""
        raise NotImplementedError

    @property
    def curves(self) -> list[RunCurves]:
        """The runs that are shown."""
        raise NotImplementedError

    def action_curves_csv(self) -> None:
        panel, run_ids = self.panel, [run.run_id for run in self.curves]
        if panel is None:
            return
        root = self.bswirl.project.root
        suggested = free_path(root / FOLDER / file_name(panel, run_ids)).relative_to(root)

        def answered(name: str | None) -> None:
            if not name:
                return
            path = root / expanded(name)
            if not os.path.lexists(path):
                self._write(path, panel, run_ids, replace=False)
                return

            def confirmed(yes: bool | None) -> None:
                if yes:
                    self._write(path, panel, run_ids, replace=True)

            self.app.push_screen(Confirm("Replace the file?", f"{path} exists already."), confirmed)

        words = "A path in the project, or any other. Every point of the shown runs is written."
        self.app.push_screen(Ask("Write this panel as CSV", words, str(suggested)), answered)

    def _write(self, path: Path, panel: PanelSpec, run_ids: Sequence[int], *, replace: bool) -> None:
        def work(client: Client) -> int:
            return save_csv(path, read_panel(client, panel, run_ids), replace=replace)

        def done(points: int) -> None:
            self.bswirl.say(line(f"Wrote {count(points, 'point')} to {path}"))

        self.bswirl.ask_owner(self, "csv", work, done, failed=self.bswirl.show_problem, lane="slow")


def read_panel(
    client: Client, panel: PanelSpec, run_ids: Sequence[int]
) -> list[tuple[int, dict[str, Points]]]:
    """All points of a panel's curves, run by run."""
    found: list[tuple[int, dict[str, Points]]] = []
    for run_id in run_ids:
        metrics = client.metrics(run_id)
        found.append((run_id, {name: metrics[name] for name in panel.metrics if name in metrics}))
    return found


def expanded(name: str) -> Path:
    """A path as it was typed, with the home folder for `~`, where that is anybody's."""
    try:
        return Path(name).expanduser()
    except RuntimeError:  # nobody is called so: a name like any other
        return Path(name)


def file_name(panel: PanelSpec, run_ids: Sequence[int]) -> str:
    """`run-2-loss.csv`: plain characters, whatever the curve is called."""
    words = re.sub(r"[^a-z0-9]+", "-", panel.traces[0].metric.lower()).strip("-")[:60] or "curve"
    return f"run-{'-'.join(map(str, run_ids))}-{words}.csv"
