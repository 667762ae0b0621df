"""What a training run made: the policy that it started from and its adapter. Light: nothing loads a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bswirl.errors import InputError
from bswirl.policies.catalogue import EMBEDDED, PolicySpec, check_adapter_folder
from bswirl.runs.folder import RunFolder

EMBEDDED_HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"


@dataclass(frozen=True, slots=True)
class Trained:
    """A training run's result."""

    run: str  # "run 7", or where the run has no number, its folder's name
    start: PolicySpec  # the policy that the run trained
    adapter: Path  # the folder of what it learned, in PEFT's format
    best: bool  # whether that is the best adapter on held-out questions, not the last
    objective: str
    base_dtype: str  # of the dense base weights in training
    in_4bit: bool  # whether the base was in NF4 then

    @property
    def policy(self) -> PolicySpec:
        """The trained policy: the start with the run's adapter on top."""
        return replace(self.start, adapters=self.adapters, few_shot=False)

    @property
    def adapters(self) -> tuple[str, ...]:
        """All adapters on the base model, in the order in which they were trained."""
        return (*self.start.adapters, str(self.adapter))

    @property
    def base(self) -> str:
        """The base model under all adapters: a hub id, a model's folder or a .gguf file."""
        return EMBEDDED_HUB_ID if self.start.model == EMBEDDED else self.start.model

    @property
    def base_is_local(self) -> bool:
        return Path(self.base).is_absolute()


def read_trained(folder: RunFolder, *, best: bool = False) -> Trained:
    """What the training run in `folder` made.

    Raises InputError where it is no training run, or has no such adapter.
    """
    config = folder.read_config()
    number = config.get("run_id")
    run = folder.path.resolve().name if number is None else f"run {number}"
    if config["kind"] != "train":
        raise InputError(f"{run} is no training run but {config['kind']}", "see `bswirl runs list`")
    settings = config["settings"]
    name = settings.get("policy")
    if name not in config["policies"]:
        raise InputError(f"{run}: its config does not say which policy it trained", "the folder is damaged")
    start = PolicySpec.from_json(config["policies"][name])
    adapter = folder.best if best else folder.adapter
    if not adapter.is_dir():
        raise _no_adapter(folder, run, best)
    for path in (*map(Path, start.adapters), adapter):
        check_adapter_folder(path)
    return Trained(
        run=run,
        start=start,
        adapter=adapter,
        best=best,
        objective=str(settings.get("objective", "")),
        base_dtype=str(settings.get("base_dtype", "bfloat16")),
        in_4bit=bool(settings.get("load_in_4bit", False)),
    )


def _no_adapter(folder: RunFolder, run: str, best: bool) -> InputError:
    if best:
        return InputError(
            f"{run} has kept no best adapter",
            "a run keeps one by its probe or validation (--best-by); without --best, the last is exported",
        )
    remedy = "see how it stands, and resume it if it ended early"
    if folder.best.is_dir():
        remedy += "; --best exports its best adapter so far"
    return InputError(f"{run} has no adapter: it is not done", remedy)
