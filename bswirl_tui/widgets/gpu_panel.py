"""A line a GPU: how busy it is, and how much of its memory is taken. Without one, what the workers use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from bswirl.records import Run
from bswirl_tui.glyphs import glyphs
from bswirl_tui.gpus import Gpu, has_gpu_tool, read_gpus
from bswirl_tui.text import bar, fit, line
from bswirl_tui.themes import Palette, palette
from bswirl_tui.usage import MachineUse, Meter

if TYPE_CHECKING:
    from bswirl_tui.app import BswirlApp

EVERY_SECONDS = 2.0
_MOST_LINES = 8
_NAME = 24


Seen = tuple[tuple[Gpu, ...] | None, MachineUse | None]


class GpuPanel(Widget):
    """Asks at most every two seconds, off the UI loop, and only while its screen is the one in sight.

    Without a GPU it asks only what the workers of `runs` use of the processor, while there are any.
    """

    ALLOW_SELECT = False

    def __init__(self, runs: Callable[[], Sequence[Run]], *, always: bool = True) -> None:
        """`runs` says which are alive here. Unless `always`, there is no line without a GPU or a live run."""
        super().__init__()
        self._live = runs
        self._always = always
        self._meter = Meter()
        self._has_tool = has_gpu_tool()
        self._reading = False
        self.gpus: tuple[Gpu, ...] | None = ()  # None where their program does not answer
        self.use: MachineUse | None = None
        self.display = always

    def on_mount(self) -> None:
        self._read()
        self.set_interval(EVERY_SECONDS, self._read)

    def _read(self) -> None:
        if self._reading or self.app.screen is not self.screen:
            return
        runs, asks, meter = list(self._live()), self._has_tool, self._meter
        if not asks and not runs:
            self._show(((), None))
            return

        def work() -> Seen:
            gpus = read_gpus() if asks else ()
            return gpus, meter.read(runs) if runs and not gpus else None

        self._reading = True
        app = cast("BswirlApp", self.app)
        app.link.run_beside(self, "gpus", work, self._show, lambda _: self._show(((), None)), lane="machine")

    def _show(self, seen: Seen) -> None:
        """Redraws where something changed; another number of GPUs is another height."""
        self._reading = False
        if seen == (self.gpus, self.use):
            return
        self.gpus, self.use = seen
        lines = min(_MOST_LINES, max(1, len(self.gpus or ())))
        self.styles.height = lines
        self.display = self._always or bool(self.gpus) or self.use is not None
        self.refresh()

    def render(self) -> RenderResult:
        colours, width = palette(self.app), self.size.width
        if not self.gpus:
            return fit(machine_line(self.use, colours, silent=self.gpus is None), width)
        shown = self.gpus[:_MOST_LINES]
        rows = [fit(gpu_line(gpu, colours, width), width) for gpu in shown]
        if len(self.gpus) > _MOST_LINES:
            rows[-1] = Text(f" and {len(self.gpus) - _MOST_LINES + 1} more GPUs", colours.muted)
        return Text("\n").join(rows)


def machine_line(use: MachineUse | None, colours: Palette, *, silent: bool = False) -> Text:
    """A machine without a GPU: what its workers use, and how much memory is taken in all.

    `silent`: whether it has one is not known, since its program does not answer.
    """
    if use is None:
        words = "GPU: nvidia-smi does not answer" if silent else "No GPU here: runs work on the CPU"
        return Text(f" {words}", colours.muted)
    text = Text(" GPU unknown" if silent else " No GPU here", colours.muted)
    for worker in use.workers:
        cores = "?" if worker.cores is None else f"{worker.cores:.1f}"
        text.append(f"  run {worker.run_id} ", colours.strong)
        text.append(f"{cores} of {use.cores} cores, {worker.memory:.1f} GB")
    return text.append(f"  machine {use.used:.1f} of {use.memory:.1f} GB", colours.muted)


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
