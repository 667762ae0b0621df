"""Equal budgets: how many steps `swirl` takes until it has seen as many action tokens as `bswirl`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from bswirl.training import schedule
from bswirl.training.settings import TrainSettings

if TYPE_CHECKING:
    from bswirl.policies.catalogue import PolicySpec
    from bswirl.records import FrozenTree


@dataclass(frozen=True, slots=True)
class Tokens:
    """Action tokens of a question: each sample counted, as in the loss, and each distinct action once."""

    over_samples: int
    distinct: int


@dataclass(frozen=True, slots=True)
class Budget:
    """What one objective trains on: action tokens over samples, and each distinct action once a pass."""

    questions: int
    steps: int
    epochs: int  # passes begun
    action_tokens: int
    distinct_tokens: int


def matched(
    bswirl: dict[int, Tokens], swirl: dict[int, Tokens], *, epochs: int, batch: int, seed: int
) -> dict[str, Budget]:
    """Both objectives' budgets: `bswirl` makes `epochs` passes, `swirl` the steps that come nearest to that.

    Questions map to their action tokens; steps take questions as the training loop does.
    """
    steps = schedule.total_steps(len(bswirl), batch, epochs, None)
    wanted = sum(_tokens_of(bswirl, batch, seed, step).over_samples for step in range(1, steps + 1))
    repeats = _nearest(lambda step: _tokens_of(swirl, batch, seed, step).over_samples, wanted)
    return {
        "bswirl": _budget(bswirl, steps, batch, seed),
        "swirl": _budget(swirl, repeats, batch, seed),
    }


def _nearest(tokens_of: Callable[[int], int], wanted: int) -> int:
    """The number of steps (one or more) whose tokens add up to nearest `wanted`."""
    total = 0
    for step in count(1):
        more = tokens_of(step)
        if total + more >= wanted:
            return step if step == 1 or total + more - wanted <= wanted - total else step - 1
        total += more
    raise AssertionError("unreachable")


def _tokens_of(tokens: dict[int, Tokens], batch: int, seed: int, step: int) -> Tokens:
    numbers = schedule.step_questions(sorted(tokens), batch, seed, step)
    return Tokens(
        sum(tokens[number].over_samples for number in numbers),
        sum(tokens[number].distinct for number in numbers),
    )


def _budget(tokens: dict[int, Tokens], steps: int, batch: int, seed: int) -> Budget:
    taken = [_tokens_of(tokens, batch, seed, step) for step in range(1, steps + 1)]
    return Budget(
        questions=len(tokens),
        steps=steps,
        epochs=-(-steps // schedule.steps_an_epoch(len(tokens), batch)),
        action_tokens=sum(part.over_samples for part in taken),
        distinct_tokens=sum(part.distinct for part in taken),
    )


def question_tokens(
    trees: Iterable[FrozenTree], tokenizer: Any, settings: TrainSettings
) -> dict[int, Tokens]:
    """The action tokens of each question that the objective trains on. Raises InputError without any."""
    from bswirl.training.rows import build_rows

    return {
        question: Tokens(
            sum(row.samples * row.action_tokens for row in rows), sum(row.action_tokens for row in rows)
        )
        for question, rows in build_rows(trees, tokenizer, settings).rows.items()
    }


def tokenizer_of(spec: PolicySpec) -> Any:
    """The policy's tokenizer. Imports transformers."""
    from pathlib import Path

    from bswirl.policies.catalogue import EMBEDDED
    from bswirl.policies.loading import fetch_from_hub, load_tokenizer
    from bswirl.policies.smollm2 import ensure_smollm2

    if spec.model == EMBEDDED:
        return load_tokenizer(ensure_smollm2())
    path = Path(spec.model)
    return load_tokenizer(path if path.exists() else fetch_from_hub(spec.model))
