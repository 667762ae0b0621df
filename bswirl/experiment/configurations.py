"""The configurations that are tried for each objective, the most promising first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OBJECTIVES = ("swirl", "bswirl")
MOST = 6  # configurations an objective


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to train an objective: a name for people, and the settings that make it."""

    objective: str
    number: int  # from 1
    label: str
    settings: dict[str, Any]

    @property
    def key(self) -> str:
        return f"{self.objective} {self.number}"


def configurations(objective: str, count: int) -> list[Configuration]:
    """The first `count` (at most MOST) configurations of an objective."""
    return [
        Configuration(objective, number, label, settings)
        for number, (label, settings) in enumerate(_CONFIGURATIONS[objective][:count], start=1)
    ]


def _set(learning_rate: float, beta: float, **more: Any) -> dict[str, Any]:
    return {"learning_rate": learning_rate, "beta": beta, **more}


_CONFIGURATIONS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "swirl": [
        ("lr 5e-4, β 0.02", _set(5e-4, 0.02)),
        ("lr 1e-3, β 0.02", _set(1e-3, 0.02)),
        ("lr 2e-4, β 0.05", _set(2e-4, 0.05)),
        ("lr 1e-3, β 0.1", _set(1e-3, 0.1)),
        ("lr 5e-4, β 0.2", _set(5e-4, 0.2)),
        ("lr 2e-4, β 0", _set(2e-4, 0.0)),
    ],
    "bswirl": [
        ("positive part, lr 5e-4, β 0.02", _set(5e-4, 0.02, negative_weight=0.0)),
        ("positive part, lr 1e-3, β 0.02", _set(1e-3, 0.02, negative_weight=0.0)),
        ("positive part, lr 2e-4, β 0.05", _set(2e-4, 0.05, negative_weight=0.0)),
        ("λ 0.25 tapered, lr 5e-4, β 0.2", _set(5e-4, 0.2, negative_weight=0.25, taper=True)),
        ("λ 1 tapered, lr 2e-4, β 0.2", _set(2e-4, 0.2, negative_weight=1.0, taper=True)),
        (
            "positive part, leave-one-out, lr 5e-4, β 0.05",
            _set(5e-4, 0.05, negative_weight=0.0, baseline="leave-one-out"),
        ),
    ],
}
