"""A line a GPU: how busy it is, and how much of its memory is taken. Without a GPU there is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from bswirl_tui.glyphs import glyphs
from bswirl_tui.gpus import Gpu, has_gpu_tool, read_gpus
from bswirl_tui.text import bar, fit, line
from bswirl_tui.themes import Palette, palette

if TYPE_CHECKING:
    from bswirl_tui.app import BswirlApp

EVERY_SECONDS = 2.0
_MOST_LINES = 8
_NAME = 24


class GpuPanel(Widget):
    """Asks at most every two seconds, off the UI loop, and only while its screen is the one in sight."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self.gpus: tuple[Gpu, ...] = ()
        self.display = False
        self._reading = False

    def on_mount(self) -> None:
        if has_gpu_tool():
            self._read()
            self.set_interval(EVERY_SECONDS, self._read)

    def _read(self) -> None:
        if self._reading or self.app.screen is not self.screen:
            return
        self._reading = True
        app = cast("BswirlApp", self.app)
        app.link.run_beside(
            self, f"gpus {id(self)}", read_gpus, self._show, lambda _: self._show(()), lane="machine"
        )

    def _show(self, gpus: tuple[Gpu, ...]) -> None:
        """Redraws where something changed; another number of GPUs is another height."""
        self._reading = False
        if gpus == self.gpus:
            return
        if len(gpus) != len(self.gpus):
            self.display = bool(gpus)
            self.styles.height = min(_MOST_LINES, len(gpus))
        self.gpus = gpus
        self.refresh()

    def render(self) -> RenderResult:
        colours, width = palette(self.app), self.size.width
        shown = self.gpus[:_MOST_LINES]
        rows = [fit(gpu_line(gpu, colours, width), width) for gpu in shown]
        if len(self.gpus) > _MOST_LINES:
            rows[-1] = Text(f" and {len(self.gpus) - _MOST_LINES + 1} more GPUs", colours.muted)
        return Text("\n").join(rows)


def gpu_line(gpu: Gpu, colours: Palette, width: int) -> Text:
    """One GPU in a line; narrow lines have shorter bars and no temperature."""
    wide = width >= 100
    cells = 20 if wide else 8
    text = Text(f" GPU {gpu.index} ", colours.strong)
    text.append_text(fit(line(gpu.name, colours.muted, limit=60), _NAME if wide else 16)).append(" ")
    text.append_text(_gauge(gpu.busy, 100.0, cells, colours)).append(" ")
    text.append(fit(Text("?" if gpu.busy is None else f"{gpu.busy:.0f}% busy"), 9).plain).append("  ")
    text.append_text(_gauge(gpu.used, gpu.memory, cells, colours)).append(f" {_memory(gpu)}")
    if wide:
        facts = (
            f"{gpu.degrees:.0f} C" if gpu.degrees is not None else "",
            f"{gpu.watts:.0f} W" if gpu.watts is not None else "",
        )
        text.append("  " + glyphs().separator.join(fact for fact in facts if fact), colours.muted)
    return text


def _gauge(value: float | None, most: float | None, cells: int, colours: Palette) -> Text:
    return bar(round(value or 0), round(most or 0), cells, colours)


def _memory(gpu: Gpu) -> str:
    if gpu.used is None or gpu.memory is None:
        return "memory unknown"
    return f"{gpu.used / 1024:.1f} of {gpu.memory / 1024:.1f} GB"
