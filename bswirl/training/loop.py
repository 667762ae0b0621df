"""The training loop: optimiser steps and what is measured between them, from the newest checkpoint on."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch

from bswirl.errors import BswirlError, CancelledError, InputError
from bswirl.policies.local import LocalPolicy
from bswirl.runs.context import RunContext
from bswirl.training import checkpoints, schedule
from bswirl.training.adapter import adapter_tensors, save_adapter, set_dropout
from bswirl.training.checkpoints import Best
from bswirl.training.engines import make_engine, within_memory
from bswirl.training.onpolicy import FreshActions
from bswirl.training.optimizer import make_optimizer
from bswirl.training.plan import fingerprint
from bswirl.training.probe import Probe, Shift, choose
from bswirl.training.record import Record
from bswirl.training.rows import RowSet, TrainingRow
from bswirl.training.settings import TrainSettings
from bswirl.training.step import StepValues, step_metrics
from bswirl.training.validation import Validation, choose_questions, has_collapsed

_BEST_BY = {"margin": "shift/margin", "accuracy": "validation/accuracy"}
_LESS_FORCE = "raise beta, lower learning_rate or negative_weight, or use the taper"


@dataclass(frozen=True, slots=True)
class _Position:
    step: int
    num_tokens: int
    rng: dict[str, torch.Tensor]


class Training:
    """One run on one device. `run` takes it from its newest checkpoint to its last step.

    `policy` samples from `model` as it is now; validations and `swirl-onpolicy` need it.
    """

    def __init__(
        self,
        model: Any,
        rows: RowSet,
        settings: TrainSettings,
        context: RunContext,
        policy: LocalPolicy | None = None,
    ) -> None:
        """Raises UsageError or BswirlError where the settings ask for what is not here."""
        self.model = model
        self.rows = rows
        self.settings = settings
        self.context = context
        self.policy = policy
        self.questions = sorted(rows.rows)
        self.steps = schedule.total_steps(
            len(self.questions), settings.batch, settings.epochs, settings.max_steps
        )
        self.plan = fingerprint(context.settings, rows)
        self.weights = adapter_tensors(model)
        self.engine = make_engine(model, settings, context.warn)
        self.optimizer = make_optimizer(self.weights.values(), settings)
        self.record = Record(context, settings)
        self.position = _Position(0, 0, checkpoints.rng_state())
        self.best: Best | None = None
        self._checkpointed = 0
        self._validation = self._make_validation()
        self._fresh = self._make_fresh()
        self._probe: Probe | None = None  # made in `run`: it takes a pass of the base policy

    def run(self) -> None:
        """All steps that are left.

        Raises CancelledError (resumable), InputError where the checkpoints are of another plan, and
        BswirlError for a loss that is not finite or a collapse.
        """
        try:
            self._resume()
            self._probe = self._make_probe()
            self.context.progress(self.position.step, self.steps, "steps")
            self._measure()
            while self.position.step < self.steps:
                self.context.check_cancelled()
                self._step()
        except CancelledError:
            self._checkpoint()
            raise
        finally:
            self.record.close()
        self._checkpoint()

    def _resume(self) -> None:
        """Go back to the newest checkpoint; says in the journal which step the run goes on from."""
        if self.context.attempt <= 1:
            return
        found = checkpoints.load_newest(self.context.checkpoints, self.context.warn)
        if found is None:
            self.record.resume(0)
            return
        if found.plan != self.plan:
            raise InputError(
                "the checkpoints of this run were made with other settings or rows than it has now",
                "put its folder and its policy back as they were, or start a new run",
            )
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(found.adapter[name])
        self.optimizer.load_state_dict(found.optimizer)
        checkpoints.restore_rng(found.rng)
        self.engine.budget = found.pack_tokens
        self.position = _Position(found.step, found.num_tokens, found.rng)
        self.best = found.best
        self._checkpointed = found.step
        self.record.resume(found.step)
        self.context.log(f"going on from step {found.step} of {self.steps}")

    def _make_probe(self) -> Probe | None:
        if not self.settings.probe_every or not self.rows.probe:
            return None
        chosen = choose(self.rows.probe, self.settings.probe_actions, self.settings.seed)
        self.context.log(f"probe: {len(chosen)} of {len(self.rows.probe)} held-out actions")
        return Probe(self.engine, chosen, self.context.warn)

    def _make_validation(self) -> Validation | None:
        settings, context = self.settings, self.context
        if not settings.validation_every or self.policy is None:
            return None
        chosen = choose_questions(self.rows.held_out, settings.validation_questions, settings.seed)
        if chosen:
            return Validation(self.model, self.policy, chosen, settings.validation_tokens, context.warn)
        reason = "no question that is held out from training has a gold answer"
        if settings.best_by == "accuracy":
            raise InputError(reason, "hold more of them out (probe_fraction), or use best_by margin")
        context.warn(f"{reason}: there are no validations")
        return None

    def _make_fresh(self) -> FreshActions | None:
        if self.policy is None or not self.rows.states:
            return None
        return FreshActions(self.model, self.policy, self.rows.states, self.settings, self.context.warn)

    def _step(self) -> None:
        step, settings = self.position.step + 1, self.settings
        numbers = schedule.step_questions(self.questions, settings.batch, settings.seed, step)
        rows, values = self._rows(step, numbers)
        rate = schedule.learning_rate(
            step, self.steps, settings.learning_rate, settings.schedule, settings.warmup
        )
        tokens = 0
        if rows:
            updated, tokens = self._update(step, numbers, rows, rate)
            values = updated | values
        else:
            self.context.warn(f"step {step} has nothing to train on: no action could be read and judged")
        self.position = _Position(step, self.position.num_tokens + tokens, checkpoints.rng_state())
        values |= {
            "learning_rate": rate,
            "num_tokens": self.position.num_tokens,
            "epoch": step / schedule.steps_an_epoch(len(self.questions), settings.batch),
        }
        if self.model.device.type == "cuda":
            values["gpu_memory_gb"] = torch.cuda.max_memory_allocated(self.model.device) / 2**30
        self.record.metrics(step, values)
        self.record.log_step(step, self.steps, values)
        self._check_kl(step, values)
        self._measure()
        if step % settings.checkpoint_every == 0:
            self._checkpoint()
        self.context.progress(step, self.steps, "steps")

    def _rows(self, step: int, numbers: list[int]) -> tuple[list[TrainingRow], dict[str, float]]:
        """The rows that step `step` trains on, of the questions `numbers`, and metrics of their making."""
        if self._fresh is None:
            return [row for number in numbers for row in self.rows.rows[number]], {}
        made = self._fresh.at(step, numbers, self.context.check_cancelled)
        return made.rows, made.metrics()

    def _update(
        self, step: int, numbers: list[int], rows: list[TrainingRow], rate: float
    ) -> tuple[dict[str, float], int]:
        """One optimiser step: its metrics, and the distinct tokens that it took."""
        started = time.monotonic()
        set_dropout(self.model, True)

        def attempt() -> StepValues:
            self.optimizer.zero_grad(set_to_none=True)
            return self.engine.accumulate(rows, self.context.check_cancelled)

        found = within_memory(self.engine, rows, attempt, self.context.warn)
        set_dropout(self.model, False)
        norm = self._gradient_norm()
        self._check_finite(step, found, norm, numbers)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        groups = [self.rows.groups[number] for number in numbers]
        seconds = max(time.monotonic() - started, 1e-9)
        values = step_metrics(found, groups, self.settings) | {
            "grad_norm": norm,
            "tokens_per_second": found.tokens / seconds,
            "row_tokens_per_second": found.row_tokens / seconds,
        }
        return values, found.tokens

    def _gradient_norm(self) -> float:
        """The gradient's norm before clipping; clips in place where the settings say so."""
        limit = self.settings.clip or math.inf
        return float(torch.nn.utils.clip_grad_norm_(self.weights.values(), limit))

    def _check_finite(self, step: int, found: StepValues, norm: float, numbers: list[int]) -> None:
        parts = {
            "loss": found.policy_loss,
            "KL": found.kl_loss,
            "entropy": float(found.entropy.sum()),
            "gradient": norm,
        }
        what = next((name for name, value in parts.items() if not math.isfinite(value)), None)
        if what is None:
            return
        names = ", ".join(self.rows.addresses[number] for number in numbers)
        raise BswirlError(
            f"the {what} of step {step} is not a finite number; its questions: {names}",
            "lower the learning rate, or leave these questions out",
        )

    def _check_shifts(self, step: int, shifts: list[Shift]) -> None:
        wrong = {shift.question_id for shift in shifts if not math.isfinite(shift.shift)}
        if not wrong:
            return
        names = ", ".join(each.address for each in self.rows.held_out if each.question_id in wrong)
        raise BswirlError(
            f"the probe's log-prob at step {step} is not a finite number; its questions: {names}",
            "lower the learning rate, or leave these questions out",
        )

    def _check_kl(self, step: int, values: dict[str, float]) -> None:
        limit = self.settings.kl_limit
        if limit and values.get("kl", 0.0) > limit:
            raise BswirlError(
                f"collapse: at step {step} the policy is {values['kl']:.1f} nats an action from its base, "
                f"above kl_limit {limit:g}",
                _LESS_FORCE,
            )

    def _measure(self) -> None:
        """Probe and validate where that is due at this step and not written down yet, and act on it."""
        step, settings, record = self.position.step, self.settings, self.record
        if self._probe and self._is_due(settings.probe_every) and not record.has("shifts"):
            shifts = self._probe.shifts(self.model) if step else self._probe.untrained_shifts()
            self._check_shifts(step, shifts)
            record.shifts(step, shifts)
        if self._validation and self._is_due(settings.validation_every):
            if "validation/accuracy" not in record.now:
                values = self._validation.metrics(self.context.check_cancelled)
                record.metrics(step, values)
                record.log_validation(step, values)
            self._check_accuracy(step)
        self._keep_best()

    def _is_due(self, every: int) -> bool:
        return every > 0 and (self.position.step % every == 0 or self.position.step == self.steps)

    def _check_accuracy(self, step: int) -> None:
        """Stop a run whose policy has unlearnt to solve problems; its last step is kept as a checkpoint."""
        now, start = self.record.now, self.record.start
        if "validation/accuracy" not in start or not has_collapsed(now, start):
            return
        self._checkpoint()
        raise BswirlError(
            f"collapse: at step {step} the policy solves {100 * now['validation/accuracy']:.1f}% of the "
            f"held-out questions, {100 * start['validation/accuracy']:.1f}% before training",
            _LESS_FORCE,
        )

    def _keep_best(self) -> None:
        """Save this step's adapter if it is the best so far.

        A checkpoint of the step comes first, so that no resume goes back behind the best step.
        """
        by, step = self.settings.best_by, self.position.step
        value = self.record.now.get(_BEST_BY.get(by, ""))
        if value is None:
            return
        if self.best and self.best.step != step and value <= self.best.value:
            return
        self.best = Best(step, value)
        self._checkpoint()
        save_adapter(self.model, self.context.folder.best, self.settings.adapter_dtype)
        if not self.record.has("best"):
            self.context.log(f"best step so far: {step}, {by} {value:.4g}")
            self.record.row(step, "best", by=by, value=value)

    def _checkpoint(self) -> None:
        """Save the last whole step, unless it is saved already."""
        position = self.position
        if position.step <= self._checkpointed:
            return
        state = checkpoints.Checkpoint(
            plan=self.plan,
            step=position.step,
            num_tokens=position.num_tokens,
            pack_tokens=self.engine.budget,
            adapter=self.weights,
            optimizer=self.optimizer.state_dict(),
            rng=position.rng,
            best=self.best,
        )
        path = checkpoints.save(self.context.checkpoints, state, self.settings.keep_checkpoints)
        self._checkpointed = position.step
        self.context.emit({"t": "checkpoint", "step": position.step, "path": f"checkpoints/{path.name}"})
