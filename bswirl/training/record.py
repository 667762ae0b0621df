"""What a training run writes down: metrics and shifts in its journal, its log and TensorBoard, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bswirl.runs.context import RunContext
from bswirl.runs.journal import Row
from bswirl.training.probe import Shift, shift_metrics
from bswirl.training.settings import TrainSettings
from bswirl.training.tensorboard import EventWriter

_SHOWN = ("loss", "policy_loss", "kl", "grad_norm", "learning_rate")


class Record:
    """The rows of one attempt, on top of those that earlier attempts left in force.

    What a step has already is not written again: a run that ended in the middle of a step's measurements
    goes on with those that are missing.
    """

    def __init__(self, context: RunContext, settings: TrainSettings) -> None:
        """Raises BswirlError where TensorBoard is asked for and not installed."""
        self.last: dict[str, float] = {}  # the newest value of every metric
        self.start: dict[str, float] = {}  # the metrics before the first step
        self.now: dict[str, float] = {}  # the metrics of the newest step
        self._context = context
        self._step = 0
        self._kinds: set[str] = set()  # of the rows other than metrics that the newest step has
        again = context.attempt > 1
        self._events = EventWriter(context.folder.tensorboard, again=again) if settings.tensorboard else None

    def close(self) -> None:
        if self._events is not None:
            self._events.close()

    def resume(self, from_step: int) -> None:
        """Say in the journal from which step this attempt goes on; take up the rows that stay in force."""
        kept = list(rows_in_force(self._context.journal_rows(), from_step))
        self._context.emit({"t": "resume", "from_step": from_step})
        for row in kept:
            self._turn_to(row["step"])
            if row["t"] == "metrics":
                self._take(row["values"])
            else:
                self._kinds.add(row["t"])
        self._turn_to(from_step)

    def has(self, kind: str) -> bool:
        """Whether the newest step has a row of that kind."""
        return kind in self._kinds

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Metrics of a step, the newest or a new one."""
        self._write(step, values)

    def shifts(self, step: int, shifts: list[Shift]) -> None:
        """What the probe found at a step: its metrics, and the shift of every action."""
        values = shift_metrics(shifts)
        rows = [[entry.action_id, entry.reward, entry.shift, entry.n_tokens] for entry in shifts]
        self._write(step, values, {"t": "shifts", "step": step, "rows": rows})
        if "shift/margin" in values:
            ends = [values[name] for name in ("shift/margin_low", "shift/margin_high") if name in values]
            interval = f" [{', '.join(f'{end:+.3f}' for end in ends)}]" if ends else ""
            self._context.log(
                f"probe at step {step}: margin {values['shift/margin']:+.3f}{interval} nats an action"
            )

    def row(self, step: int, kind: str, **content: Any) -> None:
        """Another row about a step."""
        self._write(step, {}, {"t": kind, "step": step, **content})

    def log_step(self, step: int, steps: int, values: dict[str, float]) -> None:
        words = "  ".join(f"{name} {values[name]:.4g}" for name in _SHOWN if name in values)
        self._context.log(f"step {step}/{steps}  {words}")

    def log_validation(self, step: int, values: dict[str, float]) -> None:
        low, high = (100 * values[f"validation/accuracy_{end}"] for end in ("low", "high"))
        self._context.log(
            f"validation at step {step}: {100 * values['validation/accuracy']:.1f}% right "
            f"[{low:.1f}, {high:.1f}], {values['validation/mean_tokens']:.0f} tokens a solution, "
            f"{100 * values['validation/unparsed']:.1f}% without an answer"
        )

    def _write(self, step: int, values: dict[str, float], *rows: Row) -> None:
        """Append what is new, metrics first: a step that has the other rows has its metrics too."""
        self._turn_to(step)
        fresh = {name: value for name, value in values.items() if name not in self.now}
        missing = [row for row in rows if row["t"] not in self._kinds]
        if fresh:
            missing.insert(0, {"t": "metrics", "step": step, "values": fresh})
        self._context.emit(*missing)
        self._take(fresh)
        self._kinds |= {row["t"] for row in rows}

    def _turn_to(self, step: int) -> None:
        if step != self._step:
            self._step, self.now, self._kinds = step, {}, set()

    def _take(self, values: dict[str, float]) -> None:
        self.now |= values
        self.last |= values
        if self._step == 0:
            self.start |= values
        if self._events is not None:
            self._events.add(self._step, values)


def rows_in_force(rows: Iterable[Row], from_step: int) -> Iterator[Row]:
    """The rows about steps up to `from_step` that no resume has made void, in order."""
    kept: list[Row] = []
    for row in rows:
        if row.get("t") == "resume":
            kept = [old for old in kept if old["step"] <= row["from_step"]]
        elif "step" in row and row.get("t") != "checkpoint":
            kept.append({**row, "rows": None} if row["t"] == "shifts" else row)
    return (row for row in kept if row["step"] <= from_step)
