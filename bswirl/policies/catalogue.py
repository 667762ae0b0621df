"""Which policies there are: names to models and adapters. Light: nothing here loads a model or torch."""

from __future__ import annotations

import difflib
import importlib.util
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.project import PolicySettings, Project, load_settings
from bswirl.prompts import Prompt, Purpose, prompt_text, shipped_text
from bswirl.records import from_json
from bswirl.resources import demo_folder
from bswirl.serving.calls import ServedModel
from bswirl.serving.endpoints import served_model

if TYPE_CHECKING:
    from bswirl.policies.base import Policy

EMBEDDED = "smollm2"
DEMO = "demo"
BUILTIN = {
    EMBEDDED: "SmolLM2-135M-Instruct, fetched once; sampled with a two-shot chat in front",
    DEMO: "SmolLM2-135M-Instruct with the shipped warm-start adapter",
}
_NAMED_TRAINED = 6  # of what training runs made, in an error
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """A resolved policy: what to load or call, and how it is prompted. Frozen into a run's config."""

    name: str
    model: str  # "smollm2", a folder, a .gguf file, or a hub id; a served model's name on its server
    adapters: tuple[str, ...] = ()  # folders of PEFT adapters, merged into the model in this order
    kind: str = "local"  # or "served"
    few_shot: bool = False  # sampled with a fixed two-shot chat in front of the canonical rendering
    description: str = ""
    served: ServedModel | None = None
    prompts: dict[str, str] = field(default_factory=dict)  # a served policy's prompt files, by purpose

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PolicySpec:
        """The spec that `to_json` wrote. Raises InputError where a key is missing."""
        return from_json(cls, value)


def policy_names(project: Project | None) -> list[str]:
    """The names that need no path: builtin ones and those of the project's settings."""
    named = load_settings(project).policies if project is not None else {}
    return [*BUILTIN, *(name for name in named if name not in BUILTIN)]


def resolve_policy(name: str, project: Project | None = None) -> PolicySpec:
    """The policy that `name` means: builtin, in `bswirl.toml`, a model folder, a hub id, or `NAME@RUN`.

    Prompt files of a served policy are read here, and stay in the spec. A folder's name is its absolute path,
    which means the same from any folder.

    `NAME@RUN` is NAME with the adapter that training run RUN made on top, `NAME@RUN/best` with that of the
    run's best step. Raises UsageError for a name that means nothing and InputError where its files are
    missing.
    """
    named = load_settings(project).policies if project is not None else {}
    if name in named:
        return _from_settings(named[name])
    if name == EMBEDDED:
        return PolicySpec(EMBEDDED, EMBEDDED, few_shot=True, description=BUILTIN[EMBEDDED])
    if name == DEMO:
        adapter = demo_folder() / "adapter"
        check_adapter_folder(adapter)
        return PolicySpec(DEMO, EMBEDDED, (str(adapter),), description=BUILTIN[DEMO])
    base, at, run = name.rpartition("@")
    if at and base and not Path(name).exists():
        return _with_run(base, run, project)
    model = _checked_model(name, project)
    return PolicySpec(model, model)


def open_policy(
    spec: PolicySpec,
    *,
    device: str = "auto",
    load_in_4bit: bool = False,
    batch_size: int = 32,
    log: Callable[[str], None] | None = None,
) -> Policy:
    """Loads a local policy, ready to sample `batch_size` rows at a time. Imports torch.

    Raises UsageError for a served one: `bswirl.policies.served` samples those, through a caller.
    """
    require_local(spec, "to be loaded")
    require_extra()
    from bswirl.policies.local import LocalPolicy, load_model

    loaded = load_model(spec, device=device, load_in_4bit=load_in_4bit, log=log)
    return LocalPolicy(spec, loaded, batch_size=batch_size)


def require_local(spec: PolicySpec, purpose: str) -> None:
    """Raises UsageError unless the policy's weights are here: a served one can only be sampled."""
    if spec.kind == "served":
        raise UsageError(
            f"policy {spec.name} is behind an endpoint: its weights are not here {purpose}",
            "name a local one: `bswirl policies list` shows which are",
        )
    if spec.kind != "local":
        raise UsageError(f"policy {spec.name} is of an unknown kind: {spec.kind}", "update bswirl")


def require_extra() -> None:
    """Raises BswirlError unless what local models need is installed; imports none of it."""
    for package in ("torch", "transformers", "peft", "safetensors", "gguf"):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(ModuleNotFoundError(name=package))


def missing_extra(error: ModuleNotFoundError) -> BswirlError:
    """What to say where a package that local models need is not installed."""
    return BswirlError(f"local models need the package {error.name}", "pip install 'bswirl[train]'")


def check_model_folder(folder: Path) -> None:
    """Raises InputError unless `folder` holds a model that can be loaded without running its code."""
    if any(folder.glob("*.gguf")):
        return
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise InputError(
            f"{folder} holds an adapter, not a model",
            'name it in bswirl.toml: [policies.NAME] path = "MODEL", adapter = "…"',
        )
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            f"{folder} has no weights (safetensors or GGUF)", "give a Hugging Face model folder or a hub id"
        )
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} has no config.json", "give a whole Hugging Face model folder")


def check_adapter_folder(folder: Path) -> None:
    """Raises InputError unless `folder` holds a PEFT adapter in safetensors."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).is_file():
            raise InputError(f"adapter {folder} has no {name}", "give a folder that PEFT saved")


def local_spec(name: str, model: str) -> PolicySpec:
    """A local model as the settings name it, without adapters or examples. Raises InputError."""
    return PolicySpec(name, model if model == EMBEDDED else _checked_model(model, None))


def read_prompt(path: str | None, purpose: Purpose) -> Prompt:
    """The prompt in that file, or the shipped one. Raises InputError where it is for another purpose."""
    where = path or f"{purpose}.toml, which ships with bswirl,"
    prompt = Prompt.parse(prompt_text(Path(path)) if path else shipped_text(purpose), where)
    if prompt.purpose != purpose:
        raise InputError(
            f"{where}: a prompt for a {prompt.purpose}, not for a {purpose}",
            f"`bswirl prompts copy {purpose} FILE` makes one",
        )
    return prompt


def _served_spec(settings: PolicySettings, model: ServedModel) -> PolicySpec:
    files: dict[Purpose, str | None] = {"solution": settings.solution_prompt, "step": settings.step_prompt}
    return PolicySpec(
        settings.name,
        model.model,
        kind="served",
        description=settings.description or f"served by {model.endpoint}",
        served=model,
        prompts={purpose: read_prompt(path, purpose).text for purpose, path in files.items()},
    )


def _from_settings(settings: PolicySettings) -> PolicySpec:
    if settings.served is not None:
        return _served_spec(settings, served_model(settings.served))
    adapters = (settings.adapter,) if settings.adapter else ()
    for adapter in adapters:
        check_adapter_folder(Path(adapter))
    model = settings.path if settings.path == EMBEDDED else _checked_model(settings.path, None)
    few_shot = model == EMBEDDED and not adapters
    return PolicySpec(settings.name, model, adapters, few_shot=few_shot, description=settings.description)


def _checked_model(name: str, project: Project | None) -> str:
    path = Path(name).expanduser()
    if name and path.is_dir():
        check_model_folder(path)
        return str(path.resolve())
    if path.is_file() and path.suffix == ".gguf":
        return str(path.resolve())
    if name.startswith((".", "/", "~")):
        raise InputError(f"{name}: no such model folder", "give a Hugging Face model folder or a hub id")
    if _HUB_ID.fullmatch(name):
        return name
    raise UsageError(f"unknown policy {name}", _known_words(name, project))


def _known_words(name: str, project: Project | None) -> str:
    """Which policies there are, and which of them was perhaps meant."""
    names, trained = policy_names(project), trained_names(project)
    folded = {known.lower(): known for known in (*trained, *names)}
    meant = difflib.get_close_matches(name.lower(), folded, 1)
    words = f"did you mean {folded[meant[0]]}? " if meant else ""
    words += f"known: {', '.join(names)}{_trained_words(trained)}"
    return f"{words}; or a model folder or a hub id (org/name)"


def _trained_words(trained: Sequence[str]) -> str:
    more = [f"and {len(trained) - _NAMED_TRAINED} more"] if len(trained) > _NAMED_TRAINED else []
    return f"; trained here: {', '.join([*trained[:_NAMED_TRAINED], *more])}" if trained else ""


def trained_names(project: Project | None) -> list[str]:
    """What training runs of the project made, as policies are named, newest first; and their best steps."""
    if project is None:
        return []
    numbers = {int(path.name) for path in project.runs_folder.glob("[0-9]*") if path.name.isdecimal()}
    found = []
    for number in sorted(numbers, reverse=True):
        folder = project.run_folder(number)
        kept = [end for name, end in (("adapter", ""), ("best", "/best")) if (folder / name).is_dir()]
        for base in _trained_bases(folder) if kept else ():
            found += [f"{base}@{number}{end}" for end in kept]
    return found


def _trained_bases(folder: Path) -> list[str]:
    """The policies that a run's config says it trained; none where it does not say."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return [str(name) for name in config["policies"]] if config["kind"] == "train" else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _with_run(base: str, run: str, project: Project | None) -> PolicySpec:
    """`base` with the adapter of training run `run` (`7`), or of its best step (`7/best`), on top."""
    spec = resolve_policy(base, project)
    number, slash, which = run.partition("/")
    if not number.isdecimal() or (slash and which != "best"):
        raise UsageError(
            f"{base}@{run}: {run!r} is no run number", "write NAME@RUN or NAME@RUN/best, as in demo@7"
        )
    if project is None:
        raise UsageError(f"{base}@{run} needs a project", "name one with -p DIR")
    folder = project.run_folder(int(number))
    trained = _trained_spec(folder, {spec.name, base}, number, project)
    if (trained.model, len(trained.adapters)) != (spec.model, len(spec.adapters)):
        raise InputError(
            f"run {number} trained another {base} than the one of today ({trained.model}, not {spec.model})",
            "name the policy as it was in bswirl.toml",
        )
    adapter = folder / (which or "adapter")
    if not adapter.is_dir():
        raise _no_adapter(number, which)
    check_adapter_folder(adapter)
    return replace(
        spec,
        name=f"{trained.name}@{run}",
        adapters=(*spec.adapters, str(adapter)),
        few_shot=False,
        description=f"{trained.name} with the adapter of run {number}" + (", best step" if which else ""),
    )


def _no_adapter(run: str, which: str) -> InputError:
    if which:
        return InputError(
            f"run {run} has kept no best step",
            f"NAME@{run} is its last; a best step needs a probe or validations, and --best-by",
        )
    return InputError(
        f"run {run} has no adapter yet", f"see `bswirl runs show {run}`; resume it if it ended early"
    )


def _trained_spec(folder: Path, names: set[str], run: str, project: Project) -> PolicySpec:
    """The policy that training run `run` started from, which must have one of those names."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        remedy = f"see `bswirl runs list`{_trained_words(trained_names(project))}"
        raise InputError(f"there is no run {run} in this project", remedy) from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder / 'config.json'} cannot be read: {error}", "the run's folder is damaged"
        ) from error
    if config.get("kind") != "train":
        raise InputError(f"run {run} is no training run but {config.get('kind')}", "see `bswirl runs list`")
    policies = config.get("policies") or {}
    known = next((name for name in policies if name in names), None)
    if known is None:
        raise InputError(
            f"run {run} did not train {min(names, key=len)} but {', '.join(policies) or 'nothing'}",
            "name that policy",
        )
    return replace(PolicySpec.from_json(policies[known]), name=known)
