"""Training runs with curves of every sort, for the screens that show them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from bswirl.client import Client
from bswirl.records import FrozenTree, Run, to_json
from bswirl.runs.folder import RunFolder
from bswirl.runs.journal import JournalWriter
from tests.tui import content

PROBE_EVERY = 10
STARTED = {
    "t": "start",
    "attempt": 1,
    "pid": 1,
    "host": "box",
    "at": content.MADE_AT,
    "code_version": "0.1.0",
}
ENDED = {"t": "end", "status": "done", "error": None, "exit_code": 0, "summary": {"steps": 1}}


def step_rows(step: int, number: int = 1, actions: list[int] | None = None) -> list[dict[str, Any]]:
    """What a training run writes about a step; every tenth has a probe of these actions."""
    wave = math.sin(step * 1.7) / 20
    values = {
        "loss": 0.8 * math.exp(-step / (20 * number)) - 0.1 + wave,
        "policy_loss": 0.7 * math.exp(-step / (20 * number)) + wave,
        "kl": 0.002 * step * number + (1.0 if step == 50 else 0.0),
        "reward": 0.5 + 0.002 * step,
        "grad_norm": 1.0 + 10 * abs(wave),
        "tokens_per_second": 4000 + 900 * wave,
        "learning_rate": 2e-4 * (1 - step / 200),
        "entropy": 1 - step / 400,
    }
    rows: list[dict[str, Any]] = [{"t": "metrics", "step": step, "values": values}]
    if step % PROBE_EVERY == 0:
        probe = {"positive": 0.02 * step, "negative": -0.01 * step * number, "margin": 0.03 * step}
        probe = {f"shift/{name}": value for name, value in probe.items()}
        probe["validation/accuracy"] = 0.3 + step / 500
        ends = {f"{n}_low": v - 0.1 for n, v in probe.items()} | {
            f"{n}_high": v + 0.1 for n, v in probe.items()
        }
        rows.append({"t": "metrics", "step": step, "values": probe | ends})
        shifts = [[a, float(a % 2), 0.1 * step * (1 if a % 2 else -1) * a / 4, 9] for a in actions or ()]
        if shifts:
            rows.append({"t": "shifts", "step": step, "rows": shifts})
    return rows


def trained(
    client: Client, folder: Path, number: int = 1, *, steps: int = 120, name: str = "", ended: bool = True
) -> Run:
    """Brings in a training run with a probe on every action of the first two questions."""
    rows, _ = client.questions(filter="sampled", limit=2)
    trees = [client.tree(row.question_id) for row in rows]
    actions = sorted(action.action_id for tree in trees for action in tree.actions)
    run = RunFolder.create(
        folder,
        kind="train",
        name=name or f"bswirl {number}",
        run_uid=f"6b1f0b6e-0000-4000-8000-0000000002{number:02}",
        rows=[to_json(FrozenTree(tree, tuple(a.action_id for a in tree.actions))) for tree in trees],
        settings={"objective": "bswirl"},
        created_by="carol",
    )
    journal: list[dict[str, Any]] = [STARTED]
    for step in range(1, steps + 1):
        journal += step_rows(step, number, actions)
    append(run.journal_file, *journal, *([ENDED] if ended else []))
    run.log_file.write_text("done\n")
    return client.attach_run(folder)


def append(journal: Path, *rows: dict[str, Any]) -> None:
    """Writes rows at the end of a journal."""
    writer = JournalWriter(journal)
    writer.append(json.loads(json.dumps(rows)))
    writer.close()
