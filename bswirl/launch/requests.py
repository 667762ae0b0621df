"""From what a user asked for to a run that can be started: all is checked before anything is written."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bswirl.errors import UsageError
from bswirl.judging.catalogue import JudgeSpec, resolve_judge
from bswirl.launch.checks import SAMPLING_PACKAGES, TRAINING_PACKAGES, check_packages
from bswirl.launch.judges import JUDGE_SETTINGS, with_judge_options
from bswirl.launch.options import parse_options
from bswirl.policies.catalogue import PolicySpec, require_local, resolve_policy
from bswirl.policies.devices import check_device_name
from bswirl.project import Project
from bswirl.selections import SELECTION_FIELDS, SavedSelection, Selection
from bswirl.serving.calls import ServedModel
from bswirl.training.settings import TrainSettings

_SELECTING = {"dataset", "split", "limit"}
_SELECTING_ACTIONS = {*_SELECTING, "judge", "again"}


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that was asked for and may be started: its settings are whole and checked."""

    kind: str
    name: str
    settings: dict[str, Any]
    select: dict[str, Any]  # filters of the owner's `select`
    policies: dict[str, PolicySpec] = field(default_factory=dict)
    judge: JudgeSpec | None = None
    from_solutions: bool = False  # train on the datasets' solutions instead of sampled trees
    selection: str | None = None  # the name of a saved one, which says what `select` does not yet
    saved: SavedSelection | None = None  # that one, once it was looked up
    allow_test: bool = False

    @property
    def selects(self) -> str:
        """The kind of the owner's selection that is the run's input."""
        return "grow" if self.settings.get("grow") else self.kind

    @property
    def models(self) -> tuple[PolicySpec, ...]:
        """The policies, and the local model that judges."""
        judge = self.judge.local if self.judge is not None else None
        return (*self.policies.values(), *((judge,) if judge is not None else ()))

    @property
    def served(self) -> tuple[ServedModel, ...]:
        """The models behind endpoints that the run will call."""
        specs = (*self.policies.values(), *((self.judge,) if self.judge is not None else ()))
        return tuple(dict.fromkeys(spec.served for spec in specs if spec.served is not None))


def make_request(kind: str, project: Project, values: dict[str, Any]) -> RunRequest:
    """The request of that kind from what was filled into a form. Raises as the four below."""
    builders = {
        "generate": generate_request,
        "judge": judge_request,
        "train": train_request,
        "evaluate": evaluate_request,
    }
    parse_options(kind, values)
    return builders[kind](project, **values)


def generate_request(project: Project, **values: Any) -> RunRequest:
    """Sampling; takes the fields of GenerateOptions.

    Raises UsageError on a wrong option or an unknown policy or device, InputError where files of the policy
    are missing, BswirlError where a package is.
    """
    options = parse_options("generate", values)
    spec = _policy(project, options)
    _check_sampling(spec, options, "sampling from a local model")
    return RunRequest(
        kind="generate",
        name=spec.name,
        settings=_without(options, _SELECTING),
        select=_only(options, _SELECTING),
        policies={spec.name: spec},
    )


def judge_request(project: Project | None = None, **values: Any) -> RunRequest:
    """Judging; takes the fields of JudgeOptions.

    Raises UsageError on a wrong option or an unknown judge, InputError where its prompt or model is wrong,
    BswirlError where a package is missing.
    """
    options = parse_options("judge", values)
    if options["prompt"] is not None:
        options["prompt"] = str(Path(options["prompt"]).absolute())  # its name in any folder
    judge = with_judge_options(resolve_judge(options["judge"], project, options["prompt"]), options)
    if judge.kind == "local":
        check_packages(_needed(SAMPLING_PACKAGES, options), f"the judge {judge.name}, a local model,")
    # A later version of rules stands behind the earlier one; another prompt or model is another judge.
    exactly = {} if judge.kind == "rules" else {"model": judge.model, "prompt_sha": judge.prompt_sha}
    return RunRequest(
        kind="judge",
        name=judge.name,
        settings={"judge": judge.name, **_only(options, JUDGE_SETTINGS[judge.kind])},
        select={**_only(options, _SELECTING_ACTIONS), **exactly},
        judge=judge,
    )


def train_request(project: Project, **values: Any) -> RunRequest:
    """Training; takes the fields of TrainSettings and TrainSelection. Raises as `generate_request`.

    Also raises UsageError where the test split is chosen without `allow_test`, or gold solutions are to be
    filtered. What a saved selection says is looked up when the run is started.
    """
    options = parse_options("train", values)
    from_solutions = options["objective"] == "sft" and options["sft_source"] == "gold"
    selection = Selection(**_only(options, set(SELECTION_FIELDS)))
    check_selection(selection, allow_test=options["allow_test"], from_solutions=from_solutions)
    spec = _policy(project, options)
    require_local(spec, "to be trained")
    settings = TrainSettings.from_dict(options)
    check_packages(_needed(TRAINING_PACKAGES, options), "training")
    if settings.tensorboard:
        check_packages(("tensorboard",), "the setting tensorboard", extra="tensorboard")
    named = options["selection"] is not None
    select = {} if named else select_of(selection, from_solutions=from_solutions)
    probe = {"probe_fraction": options["probe_fraction"], "seed": settings.seed}
    return RunRequest(
        kind="train",
        name=f"{settings.objective} {spec.name}",
        settings=settings.to_dict(),
        select={**select, **({} if from_solutions else probe)},
        policies={spec.name: spec},
        from_solutions=from_solutions,
        selection=options["selection"],
        allow_test=options["allow_test"],
    )


def check_selection(selection: Selection, *, allow_test: bool, from_solutions: bool) -> None:
    """Raises UsageError where a run must not train on the test split, or cannot filter gold solutions."""
    if selection.split == "test" and not allow_test:
        raise UsageError("the test split is not for training", "--allow-test insists on it")
    if from_solutions and selection.filters.active:
        raise UsageError(
            f"gold solutions have no rewards to choose by: {selection.filters.words}",
            "use --sft-source rewarded, or no filter",
        )


def select_of(selection: Selection, *, from_solutions: bool) -> dict[str, Any]:
    """The owner's filters for a selection; gold solutions are of questions, which have no rewards."""
    return _only(selection.to_json(), _SELECTING if from_solutions else set(SELECTION_FIELDS))


def evaluate_request(project: Project, **values: Any) -> RunRequest:
    """Evaluation; takes the fields of EvaluateOptions. Raises as `generate_request`."""
    options = parse_options("evaluate", values)
    spec = _policy(project, options)
    _check_sampling(spec, options, "evaluating a local model")
    return RunRequest(
        kind="evaluate",
        name=spec.name,
        settings=_without(options, _SELECTING),
        select=_only(options, _SELECTING),
        policies={spec.name: spec},
    )


def policies_json(request: RunRequest) -> dict[str, Any]:
    """The request's resolved policies as a run's config holds them."""
    return {name: asdict(spec) for name, spec in request.policies.items()}


def _policy(project: Project, options: dict[str, Any]) -> PolicySpec:
    """The checked policy of the options; its canonical name replaces what was typed."""
    spec = resolve_policy(options["policy"], project)
    if spec.kind == "local":
        check_device_name(options["device"])
    options["policy"] = spec.name
    return spec


def _check_sampling(spec: PolicySpec, options: dict[str, Any], what: str) -> None:
    """Raises BswirlError where a local policy lacks packages, UsageError where a served one gets a device."""
    if spec.kind != "served":
        if options.get("batch"):
            raise UsageError(f"--batch is for served models: {spec.name} is a local one", "leave it out")
        check_packages(_needed(SAMPLING_PACKAGES, options), what)
        return
    for flag, given in (
        ("--device", options["device"] != "auto"),
        ("--load-in-4bit", options["load_in_4bit"]),
    ):
        if given:
            raise UsageError(
                f"{flag} is for local models: {spec.name} runs where its endpoint {_endpoint(spec)} is",
                "leave it out",
            )


def _endpoint(spec: PolicySpec) -> str:
    return spec.served.endpoint if spec.served is not None else ""


def _needed(packages: tuple[str, ...], options: dict[str, Any]) -> tuple[str, ...]:
    in_8_bits = options.get("optimizer") == "adamw-8bit"
    return (*packages, "bitsandbytes") if options["load_in_4bit"] or in_8_bits else packages


def _only(options: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in names}


def _without(options: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}
