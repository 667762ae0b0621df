"""What a generating run has to sample, what of it is done, and the journal rows that say so."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from bswirl.answers import compare, read_answer
from bswirl.policies.base import Sampled, SampleRequest
from bswirl.records import Question
from bswirl.steps import parse_solution

_STEPS_AT_FIRST = 5  # how many steps a solution is thought to have before one was seen
MAX_STEP_TOKENS = 256  # of one branch; a text that is longer without coming to its end is no step

TrajectoryKey = tuple[int, int]  # question, number
StateKey = tuple[int, int, int]  # question, number, step


@dataclass(frozen=True, slots=True)
class GenerateSettings:
    """The frozen settings of a generating run."""

    policy: str
    branches: int = 4
    trajectories: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    max_steps: int = 16
    max_tokens: int = 512  # of a whole solution
    batch_size: int = 32
    load_in_4bit: bool = False
    seed: int = 0
    device: str = "auto"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GenerateSettings:
        """The settings in a run's config; keys of other matters are left out."""
        known = {part.name for part in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(slots=True)
class Standing:
    """What is in the journal: the steps of each trajectory, and which states have their branches."""

    steps: dict[TrajectoryKey, tuple[str, ...]] = field(default_factory=dict)
    branched: set[StateKey] = field(default_factory=set)
    states: int = 0  # those that branches belong to: one a backbone step
    samples: int = 0  # backbone and branch samples
    unparsed: int = 0  # texts, or rests of texts, that could not be read
    tokens: int = 0
    answered: int = 0
    correct: int = 0
    gold: int = 0  # trajectories of questions that have a gold answer

    @classmethod
    def of(cls, rows: Iterable[dict[str, Any]]) -> Standing:
        standing = cls()
        for row in rows:
            standing.take(row)
        return standing

    def take(self, row: dict[str, Any]) -> None:
        """Counts one journal row in; rows of other kinds are left alone."""
        if row.get("t") == "trajectory":
            self._take_trajectory(row)
        elif row.get("t") == "branches":
            self.branched.add((row["question_id"], row["number"], row["step"]))
            self.samples += len(row["samples"])
            self.unparsed += len(row["unparsed"])
            self.tokens += sum(sample["n_tokens"] or 0 for sample in row["samples"])

    def _take_trajectory(self, row: dict[str, Any]) -> None:
        steps = row["steps"]
        self.steps[row["question_id"], row["number"]] = tuple(step["text"] for step in steps)
        self.states += len(steps)
        self.samples += len(steps)
        self.unparsed += row["unparsed"] is not None
        self.tokens += sum(step["n_tokens"] or 0 for step in steps)
        self.answered += row["answer"] is not None
        self.gold += row["is_correct"] is not None
        self.correct += bool(row["is_correct"])

    @property
    def mean_steps(self) -> float:
        if not self.steps:
            return float(_STEPS_AT_FIRST)
        return self.states / len(self.steps)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run samples: `trajectories` solutions a question, `branches` steps at each of their states."""

    questions: Sequence[Question]
    settings: GenerateSettings

    def missing_backbones(self, standing: Standing) -> list[TrajectoryKey]:
        """The trajectories that are still to be sampled, question by question."""
        return [
            (question.question_id, number)
            for question in self.questions
            for number in range(1, self.settings.trajectories + 1)
            if (question.question_id, number) not in standing.steps
        ]

    def missing_states(self, standing: Standing) -> list[StateKey]:
        """The states of sampled trajectories whose branches are still to be sampled."""
        return [state for key in standing.steps for state in self.missing_states_of(key, standing)]

    def missing_states_of(self, key: TrajectoryKey, standing: Standing) -> list[StateKey]:
        """Those of one trajectory, from its first state on; none while it is not sampled."""
        if self.settings.branches == 0:
            return []
        return [
            (*key, step)
            for step in range(1, len(standing.steps.get(key, ())) + 1)
            if (*key, step) not in standing.branched
        ]

    def progress(self, standing: Standing) -> tuple[int, int]:
        """Samples done and their likely total; texts that could not be read count as samples."""
        settings = self.settings
        done = standing.samples + standing.unparsed
        backbones = len(self.questions) * settings.trajectories - len(standing.steps)
        states = standing.states - len(standing.branched) if settings.branches else 0
        left = backbones * standing.mean_steps * (1 + settings.branches) + states * settings.branches
        return done, done + round(left)

    def backbone_request(self, question: Question, number: int) -> SampleRequest:
        return SampleRequest(
            question.text,
            stop="solution",
            key=(question.question_id, number),
            max_steps=self.settings.max_steps,
        )

    def branch_request(self, question: Question, key: StateKey, standing: Standing) -> SampleRequest:
        prefix = standing.steps[key[:2]][: key[2] - 1]
        return SampleRequest(question.text, prefix, n=self.settings.branches, key=key)


def trajectory_row(
    question: Question,
    number: int,
    sampled: Sampled,
    settings: GenerateSettings,
    prompt_sha: str,
    *,
    readable: bool = True,
) -> dict[str, Any]:
    """The journal row of one full solution, cut into steps. What no step could be read in stays verbatim.

    Where the text is known to be no solution (`readable=False`) all of it does.
    """
    parsed = parse_solution(sampled.text if readable else "", complete=sampled.finish != "length")
    steps = parsed.steps[: settings.max_steps]
    unparsed = parsed.unparsed
    if len(parsed.steps) > len(steps):
        unparsed = sampled.text[steps[-1].end :].strip()
    elif not steps and unparsed is None:
        unparsed = sampled.text
    rows = []
    for step in steps:
        n_tokens, logprob = sampled.share(step.start, step.end)
        tokens = sampled.tokens_of(step.start, step.end)
        rows.append(_step_row(Sampled(step.text, n_tokens, logprob, "stop", step.is_answer, tokens=tokens)))
    answer = read_answer(steps[-1].text) if steps and steps[-1].is_answer else None
    return {
        "t": "trajectory",
        "question_id": question.question_id,
        "number": number,
        "policy": settings.policy,
        "seed": settings.seed,
        "temperature": settings.temperature,
        "prompt_sha": prompt_sha,
        "steps": rows,
        "answer": answer,
        "is_correct": None if question.gold is None else compare(answer, question.gold).matches,
        "unparsed": unparsed,
    }


def branches_row(
    key: StateKey, samples: Sequence[Sampled], settings: GenerateSettings, prompt_sha: str
) -> dict[str, Any]:
    """The journal row of the branches of one state. The backbone's own sample has number 0."""
    return {
        "t": "branches",
        "question_id": key[0],
        "number": key[1],
        "step": key[2],
        "seed": settings.seed,
        "temperature": settings.temperature,
        "prompt_sha": prompt_sha,
        **sample_rows(samples),
    }


def sample_rows(samples: Sequence[Sampled]) -> dict[str, Any]:
    """The samples of one state, numbered from 1: those that are a step, and the others' texts."""
    numbered = list(enumerate(samples, start=1))
    return {
        "samples": [
            {"branch_id": branch_id, **_step_row(sample)}
            for branch_id, sample in numbered
            if sample.is_answer is not None
        ],
        "unparsed": [
            {"branch_id": branch_id, "text": sample.text, "finish": sample.finish}
            for branch_id, sample in numbered
            if sample.is_answer is None
        ],
    }


def _step_row(sample: Sampled) -> dict[str, Any]:
    """A step as it stands in a journal row; its tokens only where they are known."""
    row = {
        "text": sample.text,
        "is_answer": sample.is_answer,
        "n_tokens": sample.n_tokens,
        "logprob": None if sample.logprob is None else round(sample.logprob, 6),
        "finish": sample.finish,
    }
    if sample.tokens is not None:
        row["tokens"] = b64encode(sample.tokens.pack()).decode()
    return row
