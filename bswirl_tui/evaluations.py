"""What evaluations found, and how two of them differ, as their screens show it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bswirl.evaluation.compare import Comparison, compare
from bswirl.records import LIVE_STATUSES, Run
from bswirl.runs.folder import RunFolder
from bswirl.statistics import wilson_interval

_TAIL_BYTES = 64 << 10  # that hold the input's last question


@dataclass(frozen=True, slots=True)
class Share:
    """A count out of `n`, with its 95% Wilson interval."""

    count: int
    n: int

    @property
    def value(self) -> float:
        return self.count / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.count, self.n)

    @property
    def words(self) -> str:
        """`66.7% (20.8 to 93.9)`."""
        low, high = self.interval
        return f"{100 * self.value:.1f}% ({100 * low:.1f} to {100 * high:.1f})"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation run. What it has not counted, or not yet, is None."""

    run: Run
    policy: str
    dataset: str
    split: str
    strict: Share | None = None
    flexible: Share | None = None
    unparsed: float | None = None
    truncated: float | None = None

    @property
    def scope(self) -> str:
        """Dataset and split."""
        return " ".join(part for part in (self.dataset, self.split) if part)


def evaluation_of(run: Run) -> Evaluation:
    """What a run's summary and its folder say. Reads a file: not for the UI loop."""
    settings, summary = run.config.get("settings") or {}, run.summary
    dataset, split = _scope(run)
    n, correct = summary.get("n"), summary.get("correct")
    strict = flexible = None
    if isinstance(n, int) and isinstance(correct, int) and n > 0:
        strict = Share(correct, n)
        share = summary.get("flexible_accuracy")
        flexible = Share(round(share * n), n) if isinstance(share, int | float) else None
    return Evaluation(
        run,
        str(settings.get("policy") or run.name),
        dataset,
        split,
        strict,
        flexible,
        _number(summary.get("unparsed")),
        _number(summary.get("truncated")),
    )


def is_shown(run: Run) -> bool:
    """Whether a run's answers are whole, or will be."""
    return run.status == "done" or run.status in LIVE_STATUSES


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _scope(run: Run) -> tuple[str, str]:
    """Dataset and split of the run's questions, by the first and the last; `several` where they differ."""
    select = run.config.get("select") or {}
    try:
        ends = _ends(str(RunFolder(Path(run.folder)).input_file))
        datasets, splits = ({str(end.get(name) or "") for end in ends} for name in ("dataset", "split"))
    except (OSError, ValueError, AttributeError):
        return str(select.get("dataset") or ""), str(select.get("split") or "")
    return _one(datasets), _one(splits)


def _one(names: set[str]) -> str:
    return names.pop() if len(names) == 1 else "several"


@lru_cache(maxsize=4096)
def _ends(path: str) -> list[Any]:
    """The first and the last row of a file of rows, which is never written again."""
    with Path(path).open("rb") as file:
        first = file.readline()
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2] or first
    return [json.loads(first), json.loads(last)]


@dataclass(frozen=True, slots=True)
class Answered:
    """A question that both evaluations answered."""

    question_id: int
    address: str
    a: Mapping[str, Any]
    b: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """One of KINDS, by the strict reading."""
        right = bool(self.a["is_correct"]), bool(self.b["is_correct"])
        return {
            (False, True): "fixed",
            (True, False): "broken",
            (True, True): "both right",
            (False, False): "both wrong",
        }[right]


KINDS = {
    "changed": "fixed or broken",
    "fixed": "A was wrong, B is right",
    "broken": "A was right, B is wrong",
    "both wrong": "neither is right",
    "both right": "nothing changed",
    "all": "every question that both answered",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """Evaluation B against evaluation A."""

    a: Evaluation
    b: Evaluation
    outcome: Comparison
    questions: tuple[Answered, ...]

    def of_kind(self, kind: str) -> list[Answered]:
        """The questions of one of KINDS."""
        if kind == "all":
            return list(self.questions)
        kinds = {"fixed", "broken"} if kind == "changed" else {kind}
        return [question for question in self.questions if question.kind in kinds]


def compared(
    a: Evaluation,
    b: Evaluation,
    answers_a: Sequence[Mapping[str, Any]],
    answers_b: Sequence[Mapping[str, Any]],
) -> Compared:
    """Two evaluations question by question."""
    by_question = {row["question_id"]: row for row in answers_a}
    both: Iterable[Answered] = (
        Answered(row["question_id"], str(row.get("address") or ""), by_question[row["question_id"]], row)
        for row in answers_b
        if row["question_id"] in by_question
    )
    return Compared(a, b, compare(answers_a, answers_b), tuple(both))
