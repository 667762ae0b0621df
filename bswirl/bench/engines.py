"""The engines that compute the same step, from the same rows, and how much work each has with it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

from bswirl.bench.flops import Work
from bswirl.training.engines import RowEngine, TreeEngine, choose_kernel
from bswirl.training.packing import pack
from bswirl.training.rows import TrainingRow
from bswirl.training.rowwise import microbatches
from bswirl.training.settings import TrainSettings
from bswirl.training.step import StepValues
from bswirl.training.tree_attention import Kernel, padded
from bswirl.training.treewise import trees_of


class RowBench:
    """(a) Padded batches of rows sorted by length, the head on action tokens alone."""

    def __init__(self, model: Any, rows: Sequence[TrainingRow], settings: TrainSettings) -> None:
        self._engine = RowEngine(model, settings)
        self._rows = rows

    def step(self) -> StepValues:
        """Adds the gradient of the whole step to the adapter."""
        return self._engine.accumulate(self._rows, _go_on)

    def work(self) -> Work:
        """What a step computes."""
        batches = microbatches(self._rows, self._engine.budget)
        tokens = sum(len(batch) * max(len(row.ids) for row in batch) for batch in batches)
        head = sum(row.action_tokens for row in self._rows)
        return Work(sum(len(row.ids) for row in self._rows), tokens, head, tokens, head)


class TreeBench:
    """(b), (d), (d2) Packs of trees: one a state, or one a question."""

    def __init__(
        self,
        model: Any,
        rows: Sequence[TrainingRow],
        settings: TrainSettings,
        *,
        per_state: bool = False,
        kernel: Kernel | None = None,
    ) -> None:
        self._engine = TreeEngine(model, settings, kernel=kernel or choose_kernel(model, _complain))
        self._rows = one_tree_a_state(rows) if per_state else list(rows)

    @property
    def kernel(self) -> Kernel:
        """How it attends."""
        return self._engine.model.kernel

    def step(self) -> StepValues:
        """Adds the gradient of the whole step to the adapter."""
        return self._engine.accumulate(self._rows, _go_on)

    def work(self) -> Work:
        """What a step computes once the cache of the base side, where there is one, is full."""
        packs = pack(trees_of(self._rows), self._engine.budget)
        tokens = sum(padded(len(part), self.kernel) for part in packs)
        head = sum(len(part.predictors) for part in packs)
        pieces = [piece for part in packs for piece in part.pieces]
        is_cached = self._engine.model.cache.limit > 0
        base = 0 if is_cached else sum(padded(len(piece), self.kernel) for piece in pieces)
        return Work(sum(len(part) for part in packs), tokens, head, base, head)


def make_bench(
    variant: str, model: Any, rows: Sequence[TrainingRow], settings: TrainSettings
) -> RowBench | TreeBench:
    """The engine of a variant other than TRL's."""
    if variant == "a":
        return RowBench(model, rows, settings)
    cache = settings.base_cache_gb if variant == "d2" else 0.0
    settings = dataclasses.replace(settings, base_cache_gb=cache)
    return TreeBench(model, rows, settings, per_state=variant == "b")


def one_tree_a_state(rows: Sequence[TrainingRow]) -> list[TrainingRow]:
    """The same rows, each state a question of its own: nothing is shared between states."""
    return [dataclasses.replace(row, question_id=row.state_id) for row in rows]


def _go_on() -> None:
    return


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
