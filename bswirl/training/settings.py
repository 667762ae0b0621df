"""What a training run can be told, with a help text a setting. Importable without torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bswirl.certificates import CertifiedRates
from bswirl.errors import UsageError
from bswirl.training.objectives import ErrorRates

Objective = Literal["swirl", "bswirl", "sft", "swirl-onpolicy"]
Baseline = Literal["mean", "leave-one-out", "standardised"]
AnswerReward = Literal["gold", "faithful"]
RatesFrom = Literal["given", "certificate"]
Engine = Literal["trees", "rows"]
Optimizer = Literal["adamw", "adamw-8bit"]
BestBy = Literal["margin", "accuracy", "none"]
Schedule = Literal["linear", "cosine", "constant"]
Reduction = Literal["sum", "mean"]
SftSource = Literal["rewarded", "gold"]
NumberFormat = Literal["float32", "bfloat16"]
OBJECTIVES: tuple[str, ...] = get_args(Objective)

# What differs from the field's default where the objective is this one and the user said nothing.
OBJECTIVE_DEFAULTS: dict[str, dict[str, Any]] = {
    "swirl": {},
    "bswirl": {},
    "sft": {"learning_rate": 1e-3, "beta": 0.0, "epochs": 1},
    "swirl-onpolicy": {},
}


def _about(text: str, **limits: float) -> dict[str, Any]:
    """A field's metadata: its help text and, for numbers, `least`, `above`, `most` or `below`."""
    return {"help": text, **limits}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """The frozen settings of a training run; `from_dict` checks them.

    The defaults are those that did not collapse the policy in the measurements of docs/method.md:
    the positive part of the advantage (`negative_weight` 0) with a weak KL term.
    """

    objective: Objective = field(
        default="bswirl", metadata=_about("what to minimise: swirl, bswirl, sft or swirl-onpolicy")
    )
    policy: str = field(default="", metadata=_about("the policy to start from"))
    load_in_4bit: bool = field(
        default=False, metadata=_about("hold the base policy's weights in NF4, 4 bits each")
    )
    base_dtype: NumberFormat = field(
        default="bfloat16", metadata=_about("number format of the base policy: bfloat16 or float32")
    )
    device: str = field(default="auto", metadata=_about("auto, cpu, cuda or cuda:N"))
    seed: int = field(
        default=0,
        metadata=_about("seed of the adapter's first weights and of the order of questions", least=0),
    )

    epochs: int = field(default=2, metadata=_about("passes over the questions", least=1))
    max_steps: int | None = field(
        default=None, metadata=_about("stop after so many steps even if epochs are left", least=1)
    )
    batch: int = field(default=8, metadata=_about("questions an optimiser step", least=1))
    pack_tokens: int = field(
        default=2048,
        metadata=_about("tokens in one forward pass; memory grows with it", least=1),
    )
    engine: Engine = field(
        default="trees",
        metadata=_about(
            "trees computes each token of a question's tree once; rows computes every action apart, slowly, "
            "to the same result"
        ),
    )
    base_cache_gb: float = field(
        default=4.0,
        metadata=_about(
            "host memory for the base policy's hidden states, which later epochs then need not compute; "
            "0 turns the cache off",
            least=0.0,
        ),
    )
    gradient_checkpointing: bool = field(
        default=False,
        metadata=_about("compute activations twice and keep few: less memory, about a third slower"),
    )

    optimizer: Optimizer = field(
        default="adamw", metadata=_about("adamw, or adamw-8bit, which keeps its state in 8 bits")
    )
    learning_rate: float = field(default=2e-4, metadata=_about("peak learning rate of AdamW", above=0.0))
    schedule: Schedule = field(
        default="linear", metadata=_about("how the rate falls after the warm-up: linear, cosine or constant")
    )
    warmup: float = field(
        default=0.05,
        metadata=_about("share of the steps in which the rate rises from 0", least=0.0, below=1.0),
    )
    clip: float = field(
        default=1.0, metadata=_about("largest norm of the gradient; 0 turns clipping off", least=0.0)
    )

    baseline: Baseline = field(
        default="mean",
        metadata=_about(
            "what an advantage is relative to (bswirl): the group's mean, the mean of the others "
            "(leave-one-out), or the mean in units of the group's standard deviation (standardised)"
        ),
    )
    beta: float = field(default=0.05, metadata=_about("weight of the KL to the base policy", least=0.0))
    negative_weight: float = field(
        default=0.0,
        metadata=_about(
            "weight of negative advantages: 0 leaves only the positive part, 1 is the formula as written, "
            "which can collapse the policy",
            least=0.0,
            most=1.0,
        ),
    )
    taper: bool = field(
        default=False,
        metadata=_about("scale negative terms by min(1, π/π_start), so that they fade as they succeed"),
    )
    reduction: Reduction = field(
        default="sum", metadata=_about("log-prob and KL of an action: sum or mean over its tokens")
    )
    include_dead: bool = field(
        default=False,
        metadata=_about("keep groups without a difference in reward (bswirl): they carry KL only"),
    )
    answer_reward: AnswerReward = field(
        default="gold",
        metadata=_about(
            "an answer earns 1 where it matches the gold answer (gold), or where it agrees with the last "
            "result of its own steps (faithful); labels decide over both"
        ),
    )
    judge_rates: RatesFrom = field(
        default="given",
        metadata=_about(
            "which error rates judged rewards are corrected by: given (judge_fpr and judge_fnr), or "
            "certificate (what `bswirl audit certify` measured of each judge)"
        ),
    )
    judge_fpr: float = field(
        default=0.0,
        metadata=_about(
            "share of wrong steps that the judge rewards; judged rewards are corrected for it",
            least=0.0,
            below=1.0,
        ),
    )
    judge_fnr: float = field(
        default=0.0,
        metadata=_about(
            "share of good steps that the judge does not reward; judged rewards are corrected for it",
            least=0.0,
            below=1.0,
        ),
    )
    onpolicy_temperature: float = field(
        default=1.0,
        metadata=_about("temperature of the fresh actions (swirl-onpolicy)", above=0.0, most=100.0),
    )
    sft_source: SftSource = field(
        default="rewarded",
        metadata=_about(
            "what sft learns from: rewarded (actions with reward 1) or gold (the datasets' solutions)"
        ),
    )
    kl_limit: float = field(
        default=10.0,
        metadata=_about(
            "stop as collapsed when a step's mean KL an action, in nats, is above this; 0 turns it off",
            least=0.0,
        ),
    )

    lora_r: int = field(default=16, metadata=_about("rank of the adapter", least=1))
    lora_alpha: float = field(
        default=32.0, metadata=_about("scale of the adapter; it acts as alpha / rank", above=0.0)
    )
    lora_dropout: float = field(
        default=0.0, metadata=_about("dropout before the adapter", least=0.0, below=1.0)
    )
    lora_targets: tuple[str, ...] = field(
        default=("all-linear",),
        metadata=_about("modules that get an adapter: all-linear, or names such as q_proj,v_proj"),
    )
    adapter_dtype: NumberFormat = field(
        default="float32", metadata=_about("number format of the saved adapter: float32 or bfloat16")
    )

    probe_every: int = field(
        default=5,
        metadata=_about("steps between probes of the held-out actions; 0 turns the probe off", least=0),
    )
    probe_actions: int = field(
        default=96, metadata=_about("at most so many held-out actions in the probe", least=1)
    )
    validation_every: int = field(
        default=0,
        metadata=_about(
            "steps between greedy validations on the held-out questions; 0 turns them off", least=0
        ),
    )
    validation_questions: int = field(
        default=64, metadata=_about("at most so many questions in a validation", least=1)
    )
    validation_tokens: int = field(
        default=256, metadata=_about("longest solution in a validation, in tokens", least=1)
    )
    best_by: BestBy = field(
        default="margin",
        metadata=_about(
            "which steps' adapter to keep as the best beside the last: highest probe margin, highest "
            "validation accuracy, or none"
        ),
    )
    checkpoint_every: int = field(default=10, metadata=_about("steps between checkpoints", least=1))
    keep_checkpoints: int = field(default=2, metadata=_about("how many checkpoints to keep", least=1))
    tensorboard: bool = field(
        default=False, metadata=_about("also write the metrics as TensorBoard events into the run's folder")
    )
    certified_rates: tuple[CertifiedRates, ...] = field(default=(), metadata={"option": False})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainSettings:
        """Settings from JSON or options; keys it does not know and values of None are left out.

        Raises UsageError naming the setting and what it may be.
        """
        objective = values.get("objective") or "bswirl"
        _check_choice("objective", objective, Objective)
        known = {entry.name: entry for entry in option_fields()}
        chosen = dict(OBJECTIVE_DEFAULTS[objective])
        for name, value in values.items():
            if name in known and value is not None:
                chosen[name] = _checked(known[name], _HINTS[name], value)
        settings = cls(**chosen, certified_rates=_certified(values.get("certified_rates") or ()))
        _check_rates(settings)
        if settings.best_by == "accuracy" and not settings.validation_every:
            raise UsageError(
                "best_by accuracy needs validations", "set validation_every, or use best_by margin"
            )
        return settings

    def to_dict(self) -> dict[str, Any]:
        """The settings as a JSON-ready dict that `from_dict` reads; certified rates lie beside them."""
        values = dataclasses.asdict(self)
        values["lora_targets"] = list(self.lora_targets)
        del values["certified_rates"]
        return values


def option_fields() -> tuple[dataclasses.Field[Any], ...]:
    """What a user can set: all but what the launcher puts beside it."""
    return tuple(entry for entry in dataclasses.fields(TrainSettings) if entry.metadata.get("option", True))


_HINTS: dict[str, Any] = get_type_hints(TrainSettings)


def help_texts() -> dict[str, str]:
    """The help text of every setting, by name."""
    return {entry.name: entry.metadata["help"] for entry in option_fields()}


def choices() -> dict[str, tuple[str, ...]]:
    """The allowed words of every setting that takes one of a few, by name."""
    return {name: get_args(hint) for name, hint in _HINTS.items() if get_origin(hint) is Literal}


def _checked(entry: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    name = entry.name
    if get_origin(hint) is Literal:
        return _check_choice(name, value, hint)
    if name == "lora_targets":
        return _targets(value)
    if hint is bool:
        if not isinstance(value, bool):
            raise UsageError(f"{name} must be true or false, not {value!r}")
        return value
    if hint is str:
        return str(value)
    whole = hint in (int, int | None)
    return _number(entry, value, whole=whole)


def _check_choice(name: str, value: Any, kind: Any) -> Any:
    allowed = get_args(kind)
    if value not in allowed:
        raise UsageError(f"unknown {name} {value!r}", f"use one of: {', '.join(allowed)}")
    return value


def _check_rates(settings: TrainSettings) -> None:
    """Raises UsageError on rates that leave nothing to correct, are given twice, or have no use."""
    ErrorRates(settings.judge_fpr, settings.judge_fnr)
    if settings.judge_rates == "given":
        return
    if settings.judge_fpr or settings.judge_fnr:
        raise UsageError(
            "judge_rates certificate goes without judge_fpr and judge_fnr",
            "leave these out, or use judge_rates given",
        )
    if settings.objective == "sft":
        raise UsageError("sft does not correct rewards", "leave out judge_rates, or use swirl or bswirl")


def _certified(values: Any) -> tuple[CertifiedRates, ...]:
    """The rates in a run's config. Raises UsageError where they are none."""
    try:
        return tuple(CertifiedRates(**value) for value in values)
    except TypeError as error:
        raise UsageError(f"certified_rates cannot be read: {error}", "start a new run") from error


def _targets(value: Any) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else list(value)
    targets = tuple(name.strip() for name in names if str(name).strip())
    if not targets:
        raise UsageError("lora_targets is empty", "use all-linear, or module names such as q_proj,v_proj")
    if "all-linear" in targets and len(targets) > 1:
        raise UsageError("lora_targets takes either all-linear or module names, not both")
    return targets


def _number(entry: dataclasses.Field[Any], value: Any, *, whole: bool) -> int | float:
    name, limits = entry.name, entry.metadata
    what = "a whole number" if whole else "a number"
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    bounds = [
        ("least", "at least", number >= limits.get("least", number)),
        ("above", "above", "above" not in limits or number > limits["above"]),
        ("most", "at most", number <= limits.get("most", number)),
        ("below", "below", "below" not in limits or number < limits["below"]),
    ]
    is_kind = math.isfinite(number) and (not whole or number.is_integer())
    if not is_kind or not all(kept for *_, kept in bounds):
        allowed = " and ".join(f"{words} {limits[key]:g}" for key, words, _ in bounds if key in limits)
        raise UsageError(f"{name} must be {what} {allowed}".rstrip() + f", not {value!r}")
    return int(number) if whole else number
