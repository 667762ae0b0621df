"""Checkpoints of a training run: written whole or not at all, the newest few kept."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bswirl.runs.folder import sync_folder

_NAME = re.compile(r"step-(\d{6,})")


@dataclass(frozen=True, slots=True)
class Best:
    """The best step so far and the value that makes it so."""

    step: int
    value: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run stands after `step` whole steps; the order of questions follows from seed and step."""

    plan: str  # the fingerprint of the run's settings and rows
    step: int
    num_tokens: int  # tokens of all steps so far
    pack_tokens: int  # in one forward pass now: less than the settings say once a GPU's memory ran out
    adapter: dict[str, Tensor]
    optimizer: dict[str, Any]
    rng: dict[str, Tensor]
    best: Best | None = None


def rng_state() -> dict[str, Tensor]:
    """The states of torch's generators: the CPU's, and every GPU's."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda:{i}": torch.cuda.get_rng_state(i) for i in range(torch.cuda.device_count())}
    return states


def restore_rng(states: dict[str, Tensor]) -> None:
    """Put torch's generators back; a GPU that is not there now is passed over."""
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            if f"cuda:{index}" in states:
                torch.cuda.set_rng_state(states[f"cuda:{index}"], index)


def save(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write `folder`/step-NNNNNN through a temporary folder and a rename, and drop all but the newest `keep`.

    Later steps that are there are of an attempt that could not be resumed: they go too.

    Raises OSError (such as no space left) with nothing half-written behind.
    """
    from safetensors.torch import save as safetensors_bytes

    final = folder / f"step-{checkpoint.step:06d}"
    temporary = folder / f".{final.name}.new"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        tensors = {name: weight.detach().cpu().contiguous() for name, weight in checkpoint.adapter.items()}
        (temporary / "adapter.safetensors").write_bytes(safetensors_bytes(tensors))
        torch.save(checkpoint.optimizer, temporary / "optimizer.pt")
        torch.save(checkpoint.rng, temporary / "rng.pt")
        position = {
            "plan": checkpoint.plan,
            "step": checkpoint.step,
            "num_tokens": checkpoint.num_tokens,
            "pack_tokens": checkpoint.pack_tokens,
            "best": asdict(checkpoint.best) if checkpoint.best else None,
        }
        (temporary / "position.json").write_text(json.dumps(position) + "\n")
        for path in temporary.iterdir():
            sync_file(path)
        sync_folder(temporary)
        shutil.rmtree(final, ignore_errors=True)
        temporary.replace(final)
        sync_folder(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    known = list_checkpoints(folder)
    void = [path for step, path in known if step > checkpoint.step]  # of an attempt that was given up
    valid = [path for step, path in known if step <= checkpoint.step]
    for old in (*void, *valid[:-keep]):
        shutil.rmtree(old, ignore_errors=True)
    return final


def list_checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """Step and path of every whole checkpoint in `folder`, oldest first."""
    if not folder.is_dir():
        return []
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return sorted(found)


def load_newest(folder: Path, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint that can be read, or None; a broken one is warned about and passed over."""
    for _, path in reversed(list_checkpoints(folder)):
        try:
            return _load(path)
        except Exception as error:  # noqa: BLE001 - whatever a damaged file raises, an older one may be whole
            warn(f"checkpoint {path.name} cannot be read ({type(error).__name__}); trying an older one")
    return None


def _load(path: Path) -> Checkpoint:
    from safetensors.torch import load_file

    position = json.loads((path / "position.json").read_text())
    best = position.get("best")
    return Checkpoint(
        plan=position.get("plan", ""),
        step=position["step"],
        num_tokens=position["num_tokens"],
        pack_tokens=position["pack_tokens"],
        adapter=load_file(path / "adapter.safetensors"),
        optimizer=torch.load(path / "optimizer.pt", map_location="cpu", weights_only=True),
        rng=torch.load(path / "rng.pt", map_location="cpu", weights_only=True),
        best=Best(**best) if best else None,
    )


def sync_file(path: Path) -> None:
    """Makes a file's content durable."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
