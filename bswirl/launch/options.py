"""What each kind of run can be told: the source of the command line's options and the app's forms."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bswirl.errors import UsageError
from bswirl.records import Split
from bswirl.selections import (
    SELECTION_FIELDS,
    Difficulty,
    DifficultyLevel,
    TrajectoryFilter,
    check_difficulty,
    difficulty_text,
    parse_difficulty,
)
from bswirl.training.settings import OBJECTIVE_DEFAULTS, TrainSettings, option_fields

NearDuplicates = Literal["each", "once"]
OptionKind = Literal["text", "whole", "number", "flag", "choice", "list", "range"]


def _about(help_text: str, **more: Any) -> dict[str, Any]:
    """A field's metadata: its help, its limits (`least`, `above`, `most`, `below`), `required`, `basic`."""
    return {"help": help_text, **more}


_POLICY = _about("who samples: a name from `bswirl policies list`, a model folder or a hub id", required=True)
_DATASET = _about("only questions of this dataset", basic=True)
_DEVICE = _about("auto, cpu, cuda or cuda:N; auto takes a GPU where there is one")
_BATCH = _about("texts sampled at once; memory grows with it", least=1)
_SEED = _about("seed of the sampling", least=0)
_MAX_COST = _about("dollars after which a run on a served model ends; none costs more", above=0.0)
_IN_BATCHES = _about("call a served model in batches: cheaper, and done within hours")
_REUSE = _about("take replies to the same calls from the records of the project's other runs, unpaid")
_4BIT = _about("hold the policy's weights in NF4, 4 bits each")
_MAX_STEPS = _about("longest solution, in steps", least=1, most=1000)
_MAX_TOKENS = _about("longest solution, in tokens", least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions:
    """Sampling solutions, and alternative steps at each of their states."""

    policy: str = field(default="", metadata=_POLICY)
    dataset: str | None = field(default=None, metadata=_DATASET)
    split: Split | None = field(default=None, metadata=_about("only questions of this split", basic=True))
    limit: int | None = field(
        default=None, metadata=_about("only the first N questions", least=1, basic=True)
    )
    branches: int = field(
        default=4, metadata=_about("alternative steps at each state", least=0, most=1000, basic=True)
    )
    trajectories: int = field(
        default=1, metadata=_about("solutions for each question", least=1, most=1000, basic=True)
    )
    temperature: float = field(
        default=1.0,
        metadata=_about(
            "of the sampling; 0 always takes the likeliest token", least=0.0, most=100.0, basic=True
        ),
    )
    top_p: float = field(
        default=1.0, metadata=_about("only the likeliest tokens that make up this share", above=0.0, most=1.0)
    )
    max_steps: int = field(default=16, metadata=_MAX_STEPS)
    max_tokens: int = field(default=512, metadata=_MAX_TOKENS)
    batch_size: int = field(default=32, metadata=_BATCH)
    load_in_4bit: bool = field(default=False, metadata=_4BIT)
    seed: int = field(default=0, metadata=_SEED)
    device: str = field(default="auto", metadata=_DEVICE)
    max_cost: float | None = field(default=None, metadata=_MAX_COST)
    reuse: bool = field(default=False, metadata=_REUSE)
    batch: bool = field(default=False, metadata=_IN_BATCHES)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """Giving verdicts on actions that have none yet."""

    judge: str = field(
        default="reference",
        metadata=_about("who judges; answers are always compared with the gold answer", basic=True),
    )
    dataset: str | None = field(default=None, metadata=_DATASET)
    split: Split | None = field(default=None, metadata=_about("only questions of this split", basic=True))
    limit: int | None = field(default=None, metadata=_about("only the first N actions", least=1, basic=True))
    again: bool = field(default=False, metadata=_about("also judge actions that have this judge's verdict"))
    prompt: str | None = field(
        default=None, metadata=_about("a prompt file; another prompt is another judge, without a rank yet")
    )
    votes: int | None = field(
        default=None,
        metadata=_about("of a served judge, an odd number; stops once decided", least=1, most=99),
    )
    extra_votes: int = field(
        default=0, metadata=_about("more where it and the reference judge disagree", least=0, most=98)
    )
    near_duplicates: NearDuplicates = field(
        default="each", metadata=_about("judge steps of one state that say the same each, or once for all")
    )
    max_cost: float | None = field(default=None, metadata=_MAX_COST)
    reuse: bool = field(default=False, metadata=_REUSE)
    batch: bool = field(default=False, metadata=_IN_BATCHES)
    batch_size: int = field(default=16, metadata=_about("steps that a local judge reads at once", least=1))
    load_in_4bit: bool = field(default=False, metadata=_about("hold a local judge's weights in NF4"))
    device: str = field(default="auto", metadata=_DEVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSelection:
    """What a training run sees; its other options are the TrainSettings.

    A saved selection stands for all of SELECTION_FIELDS.
    """

    selection: str | None = field(
        default=None,
        metadata=_about("a saved selection, which says all of what is trained on", basic=True),
    )
    dataset: str | None = field(default=None, metadata=_DATASET)
    split: Split = field(default="train", metadata=_about("the split to train on", basic=True))
    limit: int | None = field(
        default=None, metadata=_about("only the first N questions that have a reward", least=1)
    )
    filter: TrajectoryFilter = field(
        default="none",
        metadata=_about(
            "only solutions whose every step is judged good (process), whose answer is right (outcome), "
            "or both; with bswirl the groups on their way",
            basic=True,
        ),
    )
    difficulty: Difficulty | None = field(
        default=None, metadata=_about("only where the mean reward is within A..B, such as 0.2..0.8")
    )
    difficulty_by: DifficultyLevel = field(
        default="group", metadata=_about("whose mean reward that is: each group's, or the question's")
    )
    allow_test: bool = field(default=False, metadata=_about("train on the test split after all"))
    probe_fraction: float = field(
        default=0.1,
        metadata=_about("share of the questions held out for the probe", least=0.0, below=1.0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """Greedy accuracy on a split."""

    policy: str = field(
        default="",
        metadata=_about(
            "who answers: a policy, POLICY@RUN for what training run RUN made, or POLICY@RUN/best for its "
            "best step",
            required=True,
        ),
    )
    dataset: str | None = field(default=None, metadata=_DATASET)
    split: Split | None = field(
        default=None, metadata=_about("only this split; test where there is one", basic=True)
    )
    limit: int | None = field(
        default=None, metadata=_about("only the first N questions", least=1, basic=True)
    )
    max_steps: int = field(default=16, metadata=_MAX_STEPS)
    max_tokens: int = field(default=512, metadata=_MAX_TOKENS)
    batch_size: int = field(default=32, metadata=_BATCH)
    load_in_4bit: bool = field(default=False, metadata=_4BIT)
    device: str = field(default="auto", metadata=_DEVICE)
    max_cost: float | None = field(default=None, metadata=_MAX_COST)
    reuse: bool = field(default=False, metadata=_REUSE)


_CLASSES: dict[str, tuple[type[Any], ...]] = {
    "generate": (GenerateOptions,),
    "judge": (JudgeOptions,),
    "train": (TrainSettings, TrainSelection),
    "evaluate": (EvaluateOptions,),
}
_BASIC_TRAIN = {"objective", "policy", "load_in_4bit", "max_steps", "epochs", "learning_rate", "beta"}
_REQUIRED_TRAIN = {"objective", "policy"}


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be said about a run. `basic` ones belong on the first page of a form."""

    name: str
    kind: OptionKind
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    optional: bool = False  # None is a value of its own: no limit, any dataset
    required: bool = False
    basic: bool = False
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def shown_default(self) -> str:
        """The default as a person would type it; empty where there is none."""
        return "" if self.default is None or self.required else typed(self.default)

    def check(self, value: Any) -> Any:
        """The value as its own type; texts, as typed into a form or a shell, are read.

        Raises UsageError that names the option and says what it takes.
        """
        if self.kind == "flag":
            return self._flag(value)
        if self.kind in ("whole", "number"):
            return self._number(value)
        if self.kind == "list":
            return self._list(value)
        if self.kind == "range":
            return self._range(value)
        if self.kind == "choice" and value not in self.choices:
            raise UsageError(f"unknown {self.name} {value!r}", f"{self.flag} takes {', '.join(self.choices)}")
        if not isinstance(value, str) or "\0" in value:
            raise UsageError(f"{self.flag} must be a text, not {value!r}")
        return value

    def _list(self, value: Any) -> tuple[str, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise UsageError(f"{self.flag} must be names with commas between them, not {value!r}")
        named = tuple(part.strip() for part in parts if part.strip())
        if not named:
            raise UsageError(f"{self.flag} names nothing", f"the default is {self.shown_default}")
        return named

    def _range(self, value: Any) -> Difficulty:
        try:
            return parse_difficulty(value) if isinstance(value, str) else check_difficulty(*value)
        except UsageError as error:
            words = error.message.removeprefix("difficulty ")
            raise UsageError(f"{self.flag} {words}", error.remedy) from error
        except TypeError:
            raise UsageError(f"{self.flag} must be a range such as 0.2..0.8, not {value!r}") from None

    def _flag(self, value: Any) -> bool:
        words = {"true": True, "yes": True, "false": False, "no": False}
        known = words.get(value.lower()) if isinstance(value, str) else value
        if not isinstance(known, bool):
            raise UsageError(f"{self.flag} must be yes or no, not {value!r}")
        return known

    def _number(self, value: Any) -> int | float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        whole = self.kind == "whole"
        fits = (
            math.isfinite(number)
            and (not whole or number.is_integer())
            and (self.least is None or number >= self.least)
            and (self.above is None or number > self.above)
            and (self.most is None or number <= self.most)
            and (self.below is None or number < self.below)
        )
        if not fits:
            what = "a whole number" if whole else "a number"
            raise UsageError(f"{self.flag} must be {what}{self.limits}, not {value!r}")
        return int(number) if whole else number

    @property
    def limits(self) -> str:
        """Its limits in words, with a leading space; empty where there are none."""
        bounds = (
            ("at least", self.least),
            ("above", self.above),
            ("at most", self.most),
            ("below", self.below),
        )
        words = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
        return f" {words}" if words else ""


@cache
def options_of(kind: str) -> tuple[Option, ...]:
    """Every option of that kind of run, in the order of forms and help. Raises UsageError on other kinds."""
    if kind not in _CLASSES:
        raise UsageError(f"unknown kind of run {kind!r}", f"use one of: {', '.join(_CLASSES)}")
    options = []
    for cls in _CLASSES[kind]:
        hints = get_type_hints(cls)
        fields = option_fields() if cls is TrainSettings else dataclasses.fields(cls)
        options += [_option(kind, entry, hints[entry.name]) for entry in fields]
    return tuple(sorted(options, key=lambda option: (not option.required, not option.basic)))


def _option(kind: str, entry: dataclasses.Field[Any], hint: Any) -> Option:
    about = dict(entry.metadata)
    optional = type(None) in get_args(hint)
    inner = next(arg for arg in get_args(hint) if arg is not type(None)) if optional else hint
    train = kind == "train"
    return Option(
        name=entry.name,
        kind=_kind_of(inner),
        default=entry.default,
        help=about["help"],
        choices=get_args(inner) if get_origin(inner) is Literal else (),
        optional=optional,
        required=about.get("required", train and entry.name in _REQUIRED_TRAIN),
        basic=about.get("basic", train and entry.name in _BASIC_TRAIN) or about.get("required", False),
        **{bound: about[bound] for bound in ("least", "above", "most", "below") if bound in about},
    )


def _kind_of(hint: Any) -> OptionKind:
    if get_origin(hint) is Literal:
        return "choice"
    if get_origin(hint) is tuple:
        return "range" if hint == Difficulty else "list"
    kinds: dict[Any, OptionKind] = {bool: "flag", int: "whole", float: "number", str: "text"}
    return kinds[hint]


def default_of(option: Option, *, objective: str | None = None) -> Any:
    """The option's default; some of training's depend on the objective."""
    return OBJECTIVE_DEFAULTS.get(objective or "", {}).get(option.name, option.default)


def parse_options(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a run from what the user gave; what is missing, None or blank keeps its default.

    Raises UsageError on a name that does not exist, a value out of range, or a required one that is missing.
    """
    known = {option.name: option for option in options_of(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UsageError(f"{kind} runs have no option {unknown[0]!r}", f"known: {', '.join(known)}")
    given = {
        name: known[name].check(value)
        for name, value in values.items()
        if value is not None and not (isinstance(value, str) and not value.strip())
    }
    missing = [option.flag for option in known.values() if option.required and option.name not in given]
    if missing:
        raise UsageError(f"{kind} needs {missing[0]}", f"`bswirl {kind} --help` lists what it takes")
    _check_selecting(known, given)
    objective = given.get("objective")
    return {name: given.get(name, default_of(option, objective=objective)) for name, option in known.items()}


def _check_selecting(known: Mapping[str, Option], given: Mapping[str, Any]) -> None:
    """Raises UsageError where a saved selection stands beside options that it speaks for."""
    said = [name for name in SELECTION_FIELDS if name in given and given[name] != known[name].default]
    if "selection" in known:
        refuse_beside_selection(given.get("selection"), said)
        if "difficulty_by" in said and given.get("difficulty") is None:
            raise UsageError("--difficulty-by says nothing without --difficulty", "give a range of means too")


def refuse_beside_selection(selection: str | None, said: Iterable[str]) -> None:
    """Raises UsageError where options by these names stand beside a saved selection that speaks for them."""
    beside = [f"--{name.replace('_', '-')}" for name in said if name in SELECTION_FIELDS]
    if selection is not None and beside:
        raise UsageError(
            f"--selection {selection} says all of what is trained on: not beside {' '.join(beside)}",
            "leave one of them out, or save another selection: bswirl selections save NAME",
        )


def command_line(kind: str, values: Mapping[str, Any]) -> str:
    """The shell command that starts the same run: only what differs from the defaults is spelled out."""
    chosen = parse_options(kind, values)
    words = ["bswirl", kind]
    for option in options_of(kind):
        value = chosen[option.name]
        if not option.required and value == default_of(option, objective=chosen.get("objective")):
            continue
        if option.kind == "flag":
            words.append(option.flag if value else f"--no-{option.flag[2:]}")
        else:
            words += [option.flag, typed(value)]
    return shlex.join(words)


def typed(value: Any) -> str:
    """A value as a person would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, tuple):
        return difficulty_text(value) if isinstance(value[0], float | int) else ",".join(value)
    return str(value)
