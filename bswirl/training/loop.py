"""The training loop: optimiser steps with metrics, probes and checkpoints, from the newest checkpoint on."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch

from bswirl.errors import BswirlError, CancelledError
from bswirl.runs.context import RunContext
from bswirl.training import checkpoints, schedule
from bswirl.training.adapter import adapter_tensors, set_dropout
from bswirl.training.probe import Probe, Shift, choose, shift_metrics
from bswirl.training.rows import RowSet
from bswirl.training.settings import TrainSettings
from bswirl.training.step import StepSums, accumulate, step_metrics


@dataclass(slots=True)
class _Position:
    step: int
    num_tokens: int
    rng: dict[str, torch.Tensor]


class Training:
    """One run on one device. `run` takes it from its newest checkpoint to its last step."""

    def __init__(self, model: Any, rows: RowSet, settings: TrainSettings, context: RunContext) -> None:
        self.model = model
        self.rows = rows
        self.settings = settings
        self.context = context
        self.questions = sorted(rows.rows)
        self.steps = schedule.total_steps(
            len(self.questions), settings.batch, settings.epochs, settings.max_steps
        )
        self.weights = adapter_tensors(model)
        self.optimizer = torch.optim.AdamW(self.weights.values(), lr=settings.learning_rate, weight_decay=0.0)
        self.position = _Position(0, 0, checkpoints.rng_state())
        self.last: dict[str, float] = {}  # the newest value of every metric of this attempt
        self._checkpointed = 0

    def run(self) -> None:
        """All steps that are left. Raises CancelledError (resumable), BswirlError for a NaN or a collapse."""
        self._resume()
        probe = self._probe()
        self.context.progress(self.position.step, self.steps, "steps")
        if probe and self.position.step == 0:
            self._emit_shifts(probe.untrained_shifts())
        try:
            while self.position.step < self.steps:
                self.context.check_cancelled()
                self._step(probe)
        except CancelledError:
            self._checkpoint()
            raise
        self._checkpoint()

    def _resume(self) -> None:
        """Go back to the newest checkpoint; says in the journal which step the run goes on from."""
        if self.context.attempt <= 1:
            return
        found = checkpoints.load_newest(self.context.checkpoints, self.context.warn)
        if found is None:
            self.context.emit({"t": "resume", "from_step": 0})
            return
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(found.adapter[name])
        self.optimizer.load_state_dict(found.optimizer)
        checkpoints.restore_rng(found.rng)
        self.position = _Position(found.step, found.num_tokens, found.rng)
        self._checkpointed = found.step
        self.context.emit({"t": "resume", "from_step": found.step})
        self.context.log(f"going on from step {found.step} of {self.steps}")

    def _probe(self) -> Probe | None:
        if not self.settings.probe_every or not self.rows.probe:
            return None
        chosen = choose(self.rows.probe, self.settings.probe_actions, self.settings.seed)
        self.context.log(f"probe: {len(chosen)} of {len(self.rows.probe)} held-out actions")
        return Probe(self.model, chosen, self.settings.microbatch_tokens)

    def _step(self, probe: Probe | None) -> None:
        step, settings = self.position.step + 1, self.settings
        started = time.monotonic()
        numbers = schedule.step_questions(self.questions, settings.batch, settings.seed, step)
        rows = [row for number in numbers for row in self.rows.rows[number]]
        rate = schedule.learning_rate(
            step, self.steps, settings.learning_rate, settings.schedule, settings.warmup
        )
        set_dropout(self.model, True)
        self.optimizer.zero_grad(set_to_none=True)
        sums = accumulate(self.model, rows, settings, self.context.check_cancelled)
        norm = self._gradient_norm()
        self._check_finite(step, sums, norm, numbers)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.position = _Position(step, self.position.num_tokens + sums.tokens, checkpoints.rng_state())

        groups = [self.rows.groups[number] for number in numbers]
        values = step_metrics(sums, rows, groups, settings) | {
            "grad_norm": norm,
            "learning_rate": rate,
            "num_tokens": self.position.num_tokens,
            "tokens_per_second": sums.tokens / max(time.monotonic() - started, 1e-9),
            "epoch": step / schedule.steps_an_epoch(len(self.questions), settings.batch),
        }
        self._emit_metrics(values)
        self._check_collapse(step, values)
        if probe and (step % settings.probe_every == 0 or step == self.steps):
            self._emit_shifts(probe.shifts(self.model))
        if step % settings.checkpoint_every == 0:
            self._checkpoint()
        self.context.progress(step, self.steps, "steps")

    def _gradient_norm(self) -> float:
        """The gradient's norm before clipping; clips in place where the settings say so."""
        limit = self.settings.clip or math.inf
        return float(torch.nn.utils.clip_grad_norm_(self.weights.values(), limit))

    def _check_finite(self, step: int, sums: StepSums, norm: float, numbers: list[int]) -> None:
        parts = {"loss": sums.policy_loss, "KL": sums.kl, "entropy": sums.entropy, "gradient": norm}
        what = next((name for name, value in parts.items() if not math.isfinite(value)), None)
        if what is None:
            return
        names = ", ".join(self.rows.addresses[number] for number in numbers)
        raise BswirlError(
            f"the {what} of step {step} is not a finite number; its questions: {names}",
            "lower the learning rate, or leave these questions out",
        )

    def _check_collapse(self, step: int, values: dict[str, float]) -> None:
        limit = self.settings.kl_limit
        if limit and values.get("kl", 0.0) > limit:
            raise BswirlError(
                f"collapse: at step {step} the policy is {values['kl']:.1f} nats an action from its base, "
                f"above kl_limit {limit:g}",
                "raise beta, lower learning_rate or negative_weight, or use the taper",
            )

    def _emit_metrics(self, values: dict[str, float]) -> None:
        self.last |= values
        self.context.emit({"t": "metrics", "step": self.position.step, "values": values})
        shown = ("loss", "policy_loss", "kl", "grad_norm", "learning_rate")
        words = "  ".join(f"{name} {values[name]:.4g}" for name in shown if name in values)
        self.context.log(f"step {self.position.step}/{self.steps}  {words}")

    def _emit_shifts(self, shifts: list[Shift]) -> None:
        values = shift_metrics(shifts)
        self.last |= values
        step = self.position.step
        rows = [[entry.action_id, entry.reward, entry.shift, entry.n_tokens] for entry in shifts]
        written = self._written_at_start() if step == 0 else frozenset()
        both = {"t": "metrics", "step": step, "values": values}, {"t": "shifts", "step": step, "rows": rows}
        self.context.emit(*(row for row in both if row["t"] not in written))
        if "shift/margin_low" in values:
            ends = [
                f"{values[name]:+.3f}" for name in ("shift/margin_low", "shift/margin_high") if name in values
            ]
            interval = f" [{', '.join(ends)}]" if ends else ""
            self.context.log(
                f"probe at step {step}: margin {values['shift/margin']:+.3f}{interval} nats an action"
            )

    def _written_at_start(self) -> frozenset[str]:
        """Which kinds of row step 0 has from an earlier attempt: no resume makes those void."""
        if self.context.attempt <= 1:
            return frozenset()
        return frozenset(row["t"] for row in self.context.journal_rows() if row.get("step") == 0)

    def _checkpoint(self) -> None:
        """Save the last whole step, unless it is saved already."""
        step = self.position.step
        if step <= self._checkpointed:
            return
        state = checkpoints.Checkpoint(
            step, self.position.num_tokens, self.weights, self.optimizer.state_dict(), self.position.rng
        )
        path = checkpoints.save(self.context.checkpoints, state)
        self._checkpointed = step
        self.context.emit({"t": "checkpoint", "step": step, "path": f"checkpoints/{path.name}"})
