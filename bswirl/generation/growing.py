"""More samples at states that are in the store already: which, and the journal rows that say so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bswirl.generation.plan import GenerateSettings, sample_rows
from bswirl.policies.base import Sampled, SampleRequest
from bswirl.records import GrowingState


@dataclass(slots=True)
class Grown:
    """What is in the journal of a growing run."""

    states: set[int] = field(default_factory=set)
    samples: int = 0
    unparsed: int = 0
    tokens: int = 0

    @classmethod
    def of(cls, rows: Iterable[dict[str, Any]]) -> Grown:
        grown = cls()
        for row in rows:
            grown.take(row)
        return grown

    def take(self, row: dict[str, Any]) -> None:
        """Counts one journal row in; rows of other kinds are left alone."""
        if row.get("t") == "grown":
            self.states.add(row["state_id"])
            self.samples += len(row["samples"])
            self.unparsed += len(row["unparsed"])
            self.tokens += sum(sample["n_tokens"] or 0 for sample in row["samples"])

    def summary(self, states: Sequence[GrowingState]) -> dict[str, Any]:
        """What the run has made, over all its attempts."""
        return {
            "states": len(states),
            "samples": self.samples,
            "unparsed": self.unparsed,
            "num_tokens": self.tokens,
        }


def missing(states: Sequence[GrowingState], grown: Grown) -> list[GrowingState]:
    """The states that still lack the run's samples."""
    return [state for state in states if state.state_id not in grown.states]


def progress(states: Sequence[GrowingState], grown: Grown) -> tuple[int, int]:
    """Samples done and to be done; texts that could not be read count as samples."""
    done = grown.samples + grown.unparsed
    return done, done + sum(state.more for state in missing(states, grown))


def growing_request(state: GrowingState) -> SampleRequest:
    return SampleRequest(state.question.text, state.steps, n=state.more, key=("grow", state.state_id))


def grown_row(
    state: GrowingState, samples: Sequence[Sampled], settings: GenerateSettings, prompt_sha: str
) -> dict[str, Any]:
    """The journal row of one state's further samples. Their numbers at the step are the store's to give."""
    return {
        "t": "grown",
        "question_id": state.question.question_id,
        "state_id": state.state_id,
        "trajectory": state.trajectory,
        "step": state.step,
        "seed": settings.seed,
        "temperature": settings.temperature,
        "prompt_sha": prompt_sha,
        **sample_rows(samples),
    }
