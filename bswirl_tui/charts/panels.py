"""Which panels there are: the usual ones first, then one for every other curve of the runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ENDS = ("_low", "_high")  # what an interval's ends add to a curve's name


@dataclass(frozen=True, slots=True)
class Trace:
    """One curve of a panel; `letter` tells it from the panel's others."""

    metric: str
    letter: str = ""

    @property
    def band(self) -> tuple[str, str]:
        """The curves of its interval."""
        return f"{self.metric}{ENDS[0]}", f"{self.metric}{ENDS[1]}"


@dataclass(frozen=True, slots=True)
class PanelSpec:
    """What a panel shows."""

    title: str
    traces: tuple[Trace, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every curve that it draws, intervals included."""
        return tuple(name for trace in self.traces for name in (trace.metric, *trace.band))

    @property
    def from_probe(self) -> bool:
        """Whether it shows how far held-out actions or the policy moved."""
        return any(trace.metric == "kl" or trace.metric.startswith("shift") for trace in self.traces)


def _one(title: str, metric: str) -> PanelSpec:
    return PanelSpec(title, (Trace(metric),))


USUAL = (
    _one("Loss", "loss"),
    _one("KL to the base", "kl"),
    PanelSpec("Log-prob shift, p R=1 n R=0", (Trace("shift/positive", "p"), Trace("shift/negative", "n"))),
    _one("Shift margin", "shift/margin"),
    _one("Policy loss", "policy_loss"),
    _one("Reward", "reward"),
    _one("Gradient norm", "grad_norm"),
    _one("Tokens/s", "tokens_per_second"),
    _one("Validation accuracy", "validation/accuracy"),
    PanelSpec(
        "Log-prob of trained steps, p R=1 n R=0", (Trace("logps/positive", "p"), Trace("logps/negative", "n"))
    ),
)


def panels_of(names: Iterable[str]) -> list[PanelSpec]:
    """The panels for curves of these names, each curve in one of them."""
    left = set(names)
    found = []
    for spec in USUAL:
        traces = tuple(trace for trace in spec.traces if trace.metric in left)
        if traces:
            found.append(PanelSpec(spec.title, traces))
            left -= set(spec.metrics)
    for name in sorted(left):
        base = next((name.removesuffix(end) for end in ENDS if name.endswith(end)), name)
        if base == name or base not in left:
            found.append(_one(name, name))
    return found


def filtered(panels: Iterable[PanelSpec], pattern: re.Pattern[str] | None) -> list[PanelSpec]:
    """The panels whose title, or a curve of which, the pattern matches somewhere."""
    if pattern is None:
        return list(panels)
    return [
        spec
        for spec in panels
        if any(pattern.search(text) for text in (spec.title, *(trace.metric for trace in spec.traces)))
    ]
