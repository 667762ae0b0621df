"""A generating run as a worker does it: solutions first, then their states' branches, chunk by chunk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from bswirl.errors import InputError
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
from bswirl.records import Question, from_json
from bswirl.runs.context import RunContext

_BATCHES_A_CHUNK = 4
_MUCH_UNPARSED = 0.5


def run(context: RunContext) -> dict[str, Any]:
    """Sample what the run still lacks and return its summary.

    A row goes to the journal as soon as its samples are there; what is in the journal is never sampled again.
    Raises CancelledError (resumable), and BswirlError where the policy cannot be loaded.
    """
    settings = GenerateSettings.from_dict(context.settings)
    questions = [from_json(Question, line) for line in context.input_rows()]
    if not questions:
        raise InputError("the run has no questions", "start a new run on questions that exist")
    plan = Plan(questions, settings)
    standing = Standing.of(context.journal_rows())
    started, tokens = time.monotonic(), standing.tokens
    if plan.missing_backbones(standing) or plan.missing_states(standing):
        require_extra()
        device = str(resolve_device(settings.device))
        with context.device_lock(device):
            policy = _open(context, settings, device)
            started = time.monotonic()
            Generation(context, plan, standing, policy).complete()
    summary = summarise(plan, standing)
    summary["tokens_per_second"] = round(
        (standing.tokens - tokens) / max(time.monotonic() - started, 1e-3), 1
    )
    if standing.unparsed > _MUCH_UNPARSED * (standing.samples + standing.unparsed):
        context.warn(
            "most of what was sampled could not be read as steps: the policy does not keep the format"
        )
    return summary


def _open(context: RunContext, settings: GenerateSettings, device: str) -> Policy:
    policies = context.config["policies"]
    if settings.policy not in policies:
        raise InputError(f"the run's config has no policy {settings.policy!r}", "start a new run")
    context.log(f"loading {settings.policy} on {device}")
    return open_policy(
        PolicySpec.from_json(policies[settings.policy]),
        device=device,
        load_in_4bit=settings.load_in_4bit,
        batch_size=settings.batch_size,
        log=context.log,
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
