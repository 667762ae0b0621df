"""What the experiment can be told. Importable without torch."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass, field
from typing import Any

from bswirl.errors import UsageError
from bswirl.experiment.configurations import MOST


def _about(text: str, least: float = 0, most: float | None = None) -> dict[str, Any]:
    return {"help": text, "least": least, "most": most}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentOptions:
    """Everything that decides the experiment's outcome; a started experiment keeps its own."""

    policy: str = field(default="smollm2", metadata=_about("the policy that it begins with"))
    warm_start: int = field(
        default=400,
        metadata=_about(
            "other problems on whose own solutions the policy is trained first: the base policy of both "
            "objectives; 0: none"
        ),
    )
    train: int = field(default=200, metadata=_about("problems to train on", 5))
    validation: int = field(default=100, metadata=_about("problems that configurations are chosen on", 1))
    test: int = field(default=500, metadata=_about("problems of the final reading", 1))
    process: int = field(
        default=100,
        metadata=_about("test problems with a fresh sampled solution whose steps are judged; 0: none"),
    )
    trajectories: int = field(default=1, metadata=_about("solutions for each training problem", 1))
    branches: int = field(default=4, metadata=_about("alternative steps at each of their states", 1))
    epochs: int = field(
        default=1, metadata=_about("passes of bswirl; swirl repeats until its action tokens are as many", 1)
    )
    batch: int = field(default=2, metadata=_about("questions an optimiser step", 1))
    configs: int = field(default=2, metadata=_about("configurations an objective", 1, MOST))
    seeds: int = field(default=3, metadata=_about("seeds of each objective's chosen configuration", 1))
    lora_r: int = field(default=16, metadata=_about("rank of the adapters", 1))
    max_tokens: int = field(default=200, metadata=_about("longest solution, in tokens", 1))
    probe_fraction: float = field(
        default=0.1, metadata=_about("share of the training problems held out for the probe", 0, 0.9)
    )
    probe_every: int = field(default=30, metadata=_about("steps between probes", 1))
    probe_actions: int = field(default=240, metadata=_about("at most so many actions in the probe", 1))
    problem_seed: int = field(default=3, metadata=_about("seed of the problems and of the sampling", 0))
    device: str = field(default="auto", metadata=_about("auto, cpu, cuda or cuda:N"))

    def __post_init__(self) -> None:
        """Raises UsageError on a number out of its range."""
        for entry in dataclasses.fields(self):
            value, most = getattr(self, entry.name), entry.metadata["most"]
            if isinstance(value, str):
                continue
            if value < entry.metadata["least"] or (most is not None and value > most):
                limit = f"at least {entry.metadata['least']}" + (f" and at most {most}" if most else "")
                raise UsageError(f"{flag(entry.name)} must be {limit}, not {value}")
        if self.process > self.test:
            raise UsageError(f"--process {self.process} is more than --test {self.test}")

    def command(self) -> str:
        """The shell command of this experiment: only what differs from the defaults is spelled out."""
        words = ["bswirl", "experiment"]
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            if value != entry.default:
                words += [flag(entry.name), str(value)]
        return shlex.join(words)


# A look at every stage in a minute; its figures mean nothing.
QUICK: dict[str, Any] = {
    "warm_start": 40,
    "train": 12,
    "validation": 6,
    "test": 12,
    "process": 6,
    "epochs": 1,
    "configs": 1,
    "seeds": 2,
    "lora_r": 4,
    "max_tokens": 120,
    "probe_every": 1,
    "probe_actions": 24,
}


def flag(name: str) -> str:
    """An option's name on the command line."""
    return "--" + name.replace("_", "-")
