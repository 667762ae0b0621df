"""Run folders of a tiny policy, and what their journals say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from bswirl.policies.catalogue import PolicySpec
from bswirl.records import to_json
from bswirl.runs.context import RunContext
from bswirl.runs.folder import RunFolder
from bswirl.training import work
from tests.tiny import small_tree

LIVE = ((1.0, 0.0, 1.0), (0.0, 1.0))
QUICK: dict[str, Any] = {
    "objective": "bswirl",
    "policy": "tiny",
    "device": "cpu",
    "base_dtype": "float32",
    "batch": 2,
    "epochs": 3,
    "learning_rate": 5e-3,
    "lora_r": 2,
    "lora_dropout": 0.1,
    "pack_tokens": 400,
    "probe_every": 2,
    "checkpoint_every": 2,
}
VALIDATED: dict[str, Any] = {"validation_every": 2, "validation_tokens": 12}
TIMED = {"tokens_per_second", "row_tokens_per_second"}  # the metrics that time decides


def make_run(path: Path, policy: Path, *, questions: int = 5, **settings: Any) -> RunFolder:
    """A run that trains the policy in folder `policy` on small trees, every fourth of which is held out."""
    trees = [small_tree(number, LIVE, probe=number % 4 == 0) for number in range(1, questions + 1)]
    return RunFolder.create(
        path,
        kind="train",
        name="test",
        run_uid="uid",
        run_id=1,
        rows=[to_json(tree) for tree in trees],
        settings=QUICK | settings,
        policies={"tiny": PolicySpec("tiny", str(policy)).to_json()},
    )


def train(folder: RunFolder, attempt: int = 1) -> dict[str, Any]:
    """One attempt, in this process; returns the summary."""
    with RunContext(folder, attempt) as context:
        return work.run(context)


def journal(folder: RunFolder, kind: str) -> list[dict[str, Any]]:
    """Rows of one kind that are in force: those of earlier attempts behind a resume's step are void."""
    rows: list[dict[str, Any]] = []
    for line in folder.journal_file.read_text().splitlines():
        row = json.loads(line)
        if row["t"] == "resume":
            rows = [old for old in rows if old.get("step", 0) <= row["from_step"]]
        if row["t"] == kind:
            rows.append(row)
    return rows


def curves(folder: RunFolder) -> list[tuple[int, str, float]]:
    """Every metric of every step but those that time decides."""
    return [
        (row["step"], name, value)
        for row in journal(folder, "metrics")
        for name, value in row["values"].items()
        if name not in TIMED
    ]


def metric(folder: RunFolder, name: str) -> dict[int, float]:
    """One metric by step."""
    return {step: value for step, found, value in curves(folder) if found == name}


def same_weights(one: Path, other: Path) -> bool:
    """Whether two adapter folders hold the same weights to the last bit."""
    a, b = (load_file(folder / "adapter_model.safetensors") for folder in (one, other))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
