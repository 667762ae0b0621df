"""How long the rest of an experiment takes: rough weights of its stages, corrected by what the past took."""

from __future__ import annotations

import time
from collections.abc import Callable

from bswirl.experiment.configurations import OBJECTIVES, configurations
from bswirl.experiment.options import ExperimentOptions
from bswirl.launch.start import Say
from bswirl.records import LIVE_STATUSES, Run

SAY_SECONDS = 15.0  # between two lines of one stage

# Rough seconds on two CPU cores with the embedded model; only their proportions matter after the first stage.
_START = 8.0
_A_SOLUTION = 0.3
_A_TRAINING_QUESTION = 0.45  # one pass


def weights(options: ExperimentOptions) -> dict[str, float]:
    """The stages of an experiment in their order, with their rough seconds."""
    solutions = options.train * options.trajectories
    training = _START + options.train * options.epochs * _A_TRAINING_QUESTION
    found: dict[str, float] = {}
    if options.warm_start:
        found["warm start"] = _START + options.warm_start * _A_TRAINING_QUESTION
    found |= {"generate": _START + solutions * (1 + options.branches) * _A_SOLUTION, "judge": 2.0}
    found["validate base"] = _START + options.validation * _A_SOLUTION
    tried = [entry.key for name in OBJECTIVES for entry in configurations(name, options.configs)]
    found |= {f"train {key}": training for key in tried}
    found |= {f"validate {key}": found["validate base"] for key in tried}
    finals = [f"{objective} seed {seed}" for objective in OBJECTIVES for seed in range(options.seeds)]
    found |= {f"train {name}": training for name in finals if not name.endswith(" 0")}
    found |= {f"test {name}": _START + options.test * _A_SOLUTION for name in ("base", *finals)}
    if options.process:
        found |= {f"sample {name}": _START + options.process * _A_SOLUTION for name in ("base", *finals)}
        found["judge samples"] = 2.0
    return found


class Progress:
    """Says which stage is at work, how far it is, and how long all the rest takes."""

    def __init__(
        self, options: ExperimentOptions, jobs: int, say: Say, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._weights = weights(options)
        self._jobs = jobs
        self._say = say
        self._clock = clock
        self._left = dict(self._weights)
        self._begun: dict[str, tuple[float, float]] = {}  # stage: (when, its share then done)
        self._said: dict[str, float] = {}
        self._past: list[tuple[float, float]] = []  # (seconds, weight) of what was done in this session

    def watch(self, stage: str, run: Run) -> None:
        """Takes in how a stage's run stands; a line now and then, and one at its end."""
        at, share = self._clock(), _share(run)
        weight = self._weights.get(stage, 0.0)
        if run.status in LIVE_STATUSES:
            self._begun.setdefault(stage, (at, share))
            self._left[stage] = weight * (1 - share)
            if at - self._said.get(stage, float("-inf")) >= SAY_SECONDS:
                self._said[stage] = at
                self._say(f"{stage}: run {run.run_id} {_standing(run)}; {self._rest()}")
            return
        self.skip(stage)
        begun = self._begun.pop(stage, None)
        if begun:
            self._past.append((at - begun[0], weight * (1 - begun[1])))
            self._say(f"{stage}: run {run.run_id} {run.status}; {self._rest()}")

    def skip(self, stage: str) -> None:
        """Counts a stage as over."""
        self._left.pop(stage, None)

    def seconds_left(self) -> float:
        """The rest, at the pace of this session."""
        past = sum(weight for _, weight in self._past)
        pace = sum(seconds for seconds, _ in self._past) / past if past > 0 else 1.0
        return sum(self._left.values()) * pace / self._jobs

    def _rest(self) -> str:
        minutes = round(self.seconds_left() / 60)
        return f"about {minutes // 60}:{minutes % 60:02} h left in all"


def _share(run: Run) -> float:
    progress = run.progress
    if progress is None or not progress.total:
        return 0.0
    return min(1.0, progress.done / progress.total)


def _standing(run: Run) -> str:
    progress = run.progress
    if progress is None or not progress.total:
        return run.status
    return f"{progress.done}/{progress.total} {progress.unit}".rstrip()
