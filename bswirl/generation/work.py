"""A generating run as a worker does it: on a local policy solutions, then their branches, chunk by chunk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bswirl.errors import InputError
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
from bswirl.policies.base import Policy, Sampled
from bswirl.policies.catalogue import PolicySpec, open_policy, require_extra
from bswirl.policies.devices import resolve_device
from bswirl.records import GrowingState, Question, from_json
from bswirl.runs.context import RunContext

_BATCHES_A_CHUNK = 4
_MUCH_UNPARSED = 0.5


def run(context: RunContext) -> dict[str, Any]:
    """Sample what the run still lacks and return its summary.

    A row goes to the journal as soon as its samples are there; what is in the journal is never sampled again.
    Raises CancelledError (resumable), BswirlError where the policy cannot be loaded, and what a served
    policy's calls raise.
    """
    summary = _grow(context) if context.settings.get("grow") else _generate(context)
    if summary["unparsed"] > _MUCH_UNPARSED * (summary["samples"] + summary["unparsed"]):
        context.warn(
            "most of what was sampled could not be read as steps: the policy does not keep the format"
        )
    return summary


def _generate(context: RunContext) -> dict[str, Any]:
    """A run on questions, as its summary."""
    settings = GenerateSettings.from_dict(context.settings)
    questions = [from_json(Question, line) for line in context.input_rows()]
    if not questions:
        raise InputError("the run has no questions", "start a new run on questions that exist")
    plan = Plan(questions, settings)
    standing = Standing.of(context.journal_rows())
    more: dict[str, Any] = {}
    if plan.missing_backbones(standing) or plan.missing_states(standing):
        spec = policy_spec(context, settings.policy)
        if spec.kind == "served":
            more = generate_served(context, spec, plan, standing)
        else:
            with opened(context, spec, settings) as policy:
                started, tokens = time.monotonic(), standing.tokens
                Generation(context, plan, standing, policy).complete()
                more = _speed(standing.tokens - tokens, started)
    return {**summarise(plan, standing), **more}


def _grow(context: RunContext) -> dict[str, Any]:
    """A run on states of the store, as its summary."""
    settings = GenerateSettings.from_dict(context.settings)
    states = [from_json(GrowingState, line) for line in context.input_rows()]
    grown = Grown.of(context.journal_rows())
    more: dict[str, Any] = {}
    context.progress(*progress(states, grown), "samples")
    if missing(states, grown):
        spec = policy_spec(context, settings.policy)
        if spec.kind == "served":
            more = grow_served(context, spec, states, grown, settings)
        else:
            with opened(context, spec, settings) as policy:
                started, tokens = time.monotonic(), grown.tokens
                grow(context, states, grown, settings, policy)
                more = _speed(grown.tokens - tokens, started)
    return {**grown.summary(states), **more}


def _speed(tokens: int, started: float) -> dict[str, Any]:
    return {"tokens_per_second": round(tokens / max(time.monotonic() - started, 1e-3), 1)}


def generate_served(context: RunContext, spec: PolicySpec, plan: Plan, standing: Standing) -> dict[str, int]:
    """Samples what is missing from a served policy; see `run_served` for what it returns."""
    from bswirl.generation.served import ServedGeneration
    from bswirl.policies.served_run import run_served

    return run_served(context, spec, lambda run: ServedGeneration(run, plan, standing).complete())


def grow_served(
    context: RunContext,
    spec: PolicySpec,
    states: Sequence[GrowingState],
    grown: Grown,
    settings: GenerateSettings,
) -> dict[str, int]:
    """The same at states of the store."""
    from bswirl.generation.served import ServedGrowth
    from bswirl.policies.served_run import run_served

    return run_served(context, spec, lambda run: ServedGrowth(run, states, grown, settings).complete())


def policy_spec(context: RunContext, name: str) -> PolicySpec:
    """A policy of the run's config. Raises InputError where the config has none of that name."""
    policies = context.config["policies"]
    if name not in policies:
        raise InputError(f"the run's config has no policy {name!r}", "start a new run")
    return PolicySpec.from_json(policies[name])


@contextmanager
def opened(context: RunContext, spec: PolicySpec, settings: GenerateSettings) -> Iterator[Policy]:
    """A local policy on the device that is asked for, which it holds."""
    require_extra()
    device = str(resolve_device(settings.device))
    with context.device_lock(device):
        context.log(f"loading {settings.policy} on {device}")
        yield open_policy(
            spec,
            device=device,
            load_in_4bit=settings.load_in_4bit,
            batch_size=settings.batch_size,
            log=context.log,
        )


def grow(
    context: RunContext,
    states: Sequence[GrowingState],
    grown: Grown,
    settings: GenerateSettings,
    policy: Policy,
) -> None:
    """Samples the further steps that a run still lacks, with a local policy."""
    left = missing(states, grown)

    def done(index: int, samples: list[Sampled]) -> None:
        row = grown_row(left[index], samples, settings, policy.prompt_sha)
        context.emit(row)
        grown.take(row)
        context.progress(*progress(states, grown), "samples")

    policy.sample(
        [growing_request(state) for state in left],
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_tokens=min(settings.max_tokens, MAX_STEP_TOKENS),
        seed=settings.seed,
        check=context.check_cancelled,
        on_done=done,
    )


class Generation:
    """Samples what is missing, so that rows of the journal and what is known of it go together."""

    def __init__(self, context: RunContext, plan: Plan, standing: Standing, policy: Policy) -> None:
        self.context = context
        self.plan = plan
        self.standing = standing
        self.policy = policy
        self.prompt_sha = policy.prompt_sha
        self.questions = {question.question_id: question for question in plan.questions}

    def complete(self) -> None:
        """Every trajectory, then every state's branches, a few batches of trajectories at a time."""
        chunk = self.plan.settings.batch_size * _BATCHES_A_CHUNK
        self._say_progress()
        self._branch(self.plan.missing_states(self.standing))
        while missing := self.plan.missing_backbones(self.standing):
            self._solve(missing[:chunk])
            self._branch(self.plan.missing_states(self.standing))
            done, total = self.plan.progress(self.standing)
            self.context.log(f"{len(self.standing.steps)} trajectories, {done} of about {total} samples")

    def _solve(self, keys: Sequence[TrajectoryKey]) -> None:
        settings = self.plan.settings
        requests = [self.plan.backbone_request(self.questions[key[0]], key[1]) for key in keys]

        def done(index: int, samples: list[Sampled]) -> None:
            question, number = keys[index]
            row = trajectory_row(self.questions[question], number, samples[0], settings, self.prompt_sha)
            self._keep(row)

        self.policy.sample(
            requests,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            check=self.context.check_cancelled,
            on_done=done,
        )

    def _branch(self, keys: Sequence[StateKey]) -> None:
        settings = self.plan.settings
        requests = [self.plan.branch_request(self.questions[key[0]], key, self.standing) for key in keys]
        self.policy.sample(
            requests,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=min(settings.max_tokens, MAX_STEP_TOKENS),
            seed=settings.seed,
            check=self.context.check_cancelled,
            on_done=lambda index, samples: self._keep(
                branches_row(keys[index], samples, settings, self.prompt_sha)
            ),
        )

    def _keep(self, row: dict[str, Any]) -> None:
        self.context.emit(row)
        self.standing.take(row)
        self._say_progress()

    def _say_progress(self) -> None:
        self.context.progress(*self.plan.progress(self.standing), "samples")


def summarise(plan: Plan, standing: Standing) -> dict[str, Any]:
    """What the run has made, over all its attempts; `accuracy` is of trajectories with a gold answer."""
    trajectories = len(standing.steps)
    return {
        "questions": len(plan.questions),
        "trajectories": trajectories,
        "samples": standing.samples,
        "unparsed": standing.unparsed,
        "answered": standing.answered,
        "accuracy": standing.correct / standing.gold if standing.gold else None,
        "mean_steps": standing.mean_steps if trajectories else 0.0,
        "num_tokens": standing.tokens,
    }
