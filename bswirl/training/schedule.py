"""Which questions an optimiser step takes, and its learning rate: functions of seed and step alone.

Nothing here has a state, so a resumed run goes on exactly where it stopped.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence

from bswirl.training.settings import Schedule


def steps_an_epoch(questions: int, batch: int) -> int:
    """Optimiser steps that one pass over `questions` takes; the last one may be smaller."""
    return math.ceil(questions / batch)


def total_steps(questions: int, batch: int, epochs: int, max_steps: int | None) -> int:
    """Steps of the whole run: all epochs, or `max_steps` where that is less."""
    steps = epochs * steps_an_epoch(questions, batch)
    return steps if max_steps is None else min(steps, max_steps)


def step_questions(questions: Sequence[int], batch: int, seed: int, step: int) -> list[int]:
    """The question numbers of step `step` (from 1): a slice of its epoch's shuffle."""
    epoch, place = divmod(step - 1, steps_an_epoch(len(questions), batch))
    order = sorted(questions)
    digest = hashlib.sha256(f"order:{seed}:{epoch}".encode()).digest()
    random.Random(int.from_bytes(digest[:8])).shuffle(order)
    return order[place * batch : (place + 1) * batch]


def learning_rate(step: int, steps: int, peak: float, schedule: Schedule, warmup: float) -> float:
    """The rate of step `step` (1 to `steps`).

    It rises linearly over the first `warmup` share of the steps to `peak`, then stays (`constant`) or
    falls towards 0 at step `steps` + 1 (`linear`, `cosine`): no step has a rate of 0.
    """
    rising = math.ceil(warmup * steps)
    if step <= rising:
        return peak * step / rising
    if schedule == "constant":
        return peak
    left = (steps + 1 - step) / (steps + 1 - rising)
    return peak * (left if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * (1 - left))))
