"""The report's plots as SVG, the same bytes for the same record. Needs the extra `report` (matplotlib)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bswirl.experiment.configurations import OBJECTIVES
from bswirl.statistics import wilson_interval

Values = dict[str, Any]

PLOTS = "plots"
_COLOURS = {"bswirl": "#0b6e99", "swirl": "#d1711b", "base": "#6b6b6b"}
_STYLES = ("-", "--", ":", "-.")


def write_plots(record: Values, folder: Path) -> list[tuple[str, str]]:
    """Draws all plots into `folder`/plots; returns (caption, path from `folder`) pairs."""
    drawn: tuple[tuple[str, str, Callable[[Values], Figure]], ...] = (
        ("margins", "Probe margin by step, objective and seed, with 95% bands", margins),
        ("validation", "Validation accuracy of every configuration, with 95% intervals", validation),
        ("test", "Test accuracy of every policy, with 95% intervals", test),
    )
    (folder / PLOTS).mkdir(exist_ok=True)
    found = []
    for name, caption, draw in drawn:
        path = f"{PLOTS}/{name}.svg"
        with rc_context({"svg.hashsalt": "bswirl", "font.size": 9}):
            draw(record).savefig(folder / path, format="svg", metadata={"Date": None, "Creator": "bswirl"})
        found.append((caption, path))
    return found


def margins(record: Values) -> Figure:
    """The probe's margin over the steps, a panel for each objective and a line for each seed."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    panels = figure.subplots(1, len(OBJECTIVES), sharey=True)
    for axes, objective in zip(panels, OBJECTIVES, strict=True):
        curves = {
            name: curve for name, curve in record["margins"].items() if name.startswith(f"{objective} ")
        }
        for number, (name, curve) in enumerate(curves.items()):
            _margin_line(axes, name, curve, _COLOURS[objective], _STYLES[number % len(_STYLES)])
        axes.axhline(0, color="black", linewidth=0.6)
        axes.set_title(objective)
        axes.set_xlabel("step")
        if curves:
            axes.legend(frameon=False)
    panels[0].set_ylabel("margin, nats an action")
    return figure


def _margin_line(axes: Axes, name: str, curve: list[Values], colour: str, style: str) -> None:
    steps = [point["step"] for point in curve]
    axes.plot(steps, [point["margin"] for point in curve], style, color=colour, label=name.partition(" ")[2])
    banded = [point for point in curve if "low" in point]
    axes.fill_between(
        [point["step"] for point in banded],
        [point["low"] for point in banded],
        [point["high"] for point in banded],
        color=colour,
        alpha=0.12,
        linewidth=0,
    )


def validation(record: Values) -> Figure:
    """What each configuration got right on validation, beside the base policy."""
    base = record["validation_base"]
    bars = [("base", "base", base["correct"], base["n"])]
    for row in record["tried"]:
        summary = row["validation"] or {"correct": 0, "n": 0}
        label = row["label"] if summary["n"] else f"{row['label']} (failed)"
        bars.append((row["objective"], f"{row['objective']}: {label}", summary["correct"], summary["n"]))
    return _intervals(bars, "validation accuracy")


def test(record: Values) -> Figure:
    """What each policy got right on the test split."""
    bars = [
        (name.partition(" ")[0], name, found["right"], found["n"])
        for name, found in record["results"]["accuracy"].items()
    ]
    return _intervals(bars, "test accuracy")


def _intervals(bars: list[tuple[str, str, int, int]], title: str) -> Figure:
    """A point with its Wilson interval for each (colour's name, label, right, of how many)."""
    figure = Figure(figsize=(7, 0.6 + 0.32 * len(bars)), layout="constrained")
    axes = figure.subplots()
    for place, (colour, _label, right, n) in enumerate(bars):
        if n:
            low, high = wilson_interval(right, n)
            axes.plot([low, high], [place, place], color=_COLOURS[colour], linewidth=1.5)
            axes.plot([right / n], [place], "o", color=_COLOURS[colour])
    axes.set_yticks(range(len(bars)), [label for _, label, _, _ in bars])
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlabel(title)
    axes.grid(axis="x", linewidth=0.3)
    return figure
