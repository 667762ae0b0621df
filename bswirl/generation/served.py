"""Sampling from a served policy: each trajectory goes its own way, enough at once to keep the server busy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bswirl.generation.growing import Grown, growing_request, grown_row, missing, progress
from bswirl.generation.plan import (
    MAX_STEP_TOKENS,
    GenerateSettings,
    Plan,
    Standing,
    StateKey,
    TrajectoryKey,
    branches_row,
    trajectory_row,
)
from bswirl.policies.base import Sampled, SampleRequest
from bswirl.policies.served import is_no_solution
from bswirl.policies.served_run import ServedRun
from bswirl.records import GrowingState
from bswirl.runs.journal import Row
from bswirl.serving.calls import Failure


class ServedGeneration:
    """Samples what a run still lacks; what is known of it grows with the rows of its journal."""

    def __init__(self, run: ServedRun, plan: Plan, standing: Standing) -> None:
        self.run = run
        self.plan = plan
        self.standing = standing
        self.questions = {question.question_id: question for question in plan.questions}
        self._open = 0  # trajectories under way

    async def complete(self) -> None:
        """Every trajectory with the branches of its states; those that have begun come first."""
        begun = dict.fromkeys(key[:2] for key in self.plan.missing_states(self.standing))
        self._say_progress()
        await self.run.engine.run_all([*begun, *self.plan.missing_backbones(self.standing)], self._trajectory)

    async def _trajectory(self, key: TrajectoryKey) -> None:
        """One solution, then its states from the first on, so that each prompt begins like the one before."""
        self._open += 1
        try:
            if key not in self.standing.steps:
                await self._solve(key)
            states = self.plan.missing_states_of(key, self.standing)
            while states:
                together, states = states[: self._width()], states[self._width() :]
                await asyncio.gather(*(self._branch(state) for state in together))
        finally:
            self._open -= 1

    def _width(self) -> int:
        """How many states of one trajectory go out at once: more than one where too few are under way."""
        return max(1, self.run.engine.model.in_flight // self._open)

    async def _solve(self, key: TrajectoryKey) -> None:
        question, number = self.questions[key[0]], key[1]
        request = self.plan.backbone_request(question, number)
        settings, what = self.plan.settings, f"{question.address}, trajectory {number}"
        samples = await sample(self.run, request, settings, settings.max_tokens, what)
        if not samples:
            return
        sha = self.run.policy.prompt_sha("solution")
        readable = not is_no_solution(samples[0])
        self._keep(trajectory_row(question, number, samples[0], settings, sha, readable=readable))

    async def _branch(self, key: StateKey) -> None:
        settings, question = self.plan.settings, self.questions[key[0]]
        request = self.plan.branch_request(question, key, self.standing)
        tokens = min(settings.max_tokens, MAX_STEP_TOKENS)
        what = f"{question.address}, trajectory {key[1]}, step {key[2]}"
        samples = await sample(self.run, request, settings, tokens, what)
        if samples:
            self._keep(branches_row(key, samples, settings, self.run.policy.prompt_sha("step")))

    def _keep(self, row: Row) -> None:
        self.run.keep(row)
        self.standing.take(row)
        self._say_progress()

    def _say_progress(self) -> None:
        self.run.context.progress(*self.plan.progress(self.standing), "samples")


class ServedGrowth:
    """Samples the further steps that a run still lacks at its states."""

    def __init__(
        self, run: ServedRun, states: Sequence[GrowingState], grown: Grown, settings: GenerateSettings
    ) -> None:
        self.run = run
        self.states = states
        self.grown = grown
        self.settings = settings

    async def complete(self) -> None:
        """Every state; those of one question follow each other, so that prompts begin alike."""
        await self.run.engine.run_all(missing(self.states, self.grown), self._state)

    async def _state(self, state: GrowingState) -> None:
        what = f"{state.question.address}, state {state.state_id}"
        tokens = min(self.settings.max_tokens, MAX_STEP_TOKENS)
        samples = await sample(self.run, growing_request(state), self.settings, tokens, what)
        if samples:
            row = grown_row(state, samples, self.settings, self.run.policy.prompt_sha("step"))
            self.run.keep(row)
            self.grown.take(row)
            self.run.context.progress(*progress(self.states, self.grown), "samples")


async def sample(
    run: ServedRun, request: SampleRequest, settings: GenerateSettings, max_tokens: int, what: str
) -> list[Sampled]:
    """The samples of a request; none where the call failed for good, which is counted."""
    samples = await run.policy.sample(
        request,
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_tokens=max_tokens,
        seed=settings.seed,
    )
    if isinstance(samples, Failure):
        run.failed(what, samples)
        return []
    if settings.temperature > 0:
        run.drawn([sample.text for sample in samples])
    return samples
