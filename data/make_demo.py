"""The recipe of the demo data: remakes `data/demo` from nothing but this code and the embedded model.

    python data/make_demo.py [--work demo-work] [--device auto]

A stage is skipped where the work folder has its result already, and a run that was interrupted goes on: the
script can be started again at any time. It ends by packing everything into `data/demo`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import shutil
import socket
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bswirl import __version__
from bswirl.client import Client, connect, stop_owner
from bswirl.demo import DATA_PLACE, LABELS, MANIFEST, QUESTIONS, RUNS, file_sha
from bswirl.errors import BswirlError
from bswirl.launch.stages import Stage, Stages
from bswirl.policies.catalogue import resolve_policy
from bswirl.problems.shipped import (
    DEMO_SEED,
    DEMO_TRAIN,
    DEMO_VALIDATION,
    demo_problems,
    warm_start_problems,
)
from bswirl.project import Project
from bswirl.records import Action, QuestionTree, Run
from bswirl.resources import data_folder, demo_folder
from bswirl.runs.folder import RunFolder

WARM_START: dict[str, Any] = {
    "objective": "sft",
    "sft_source": "gold",
    "policy": "smollm2",
    "lora_r": 8,
    "lora_alpha": 16.0,
    "adapter_dtype": "bfloat16",
    "learning_rate": 1e-3,
    "epochs": 1,
    "batch": 2,
    "probe_every": 0,
}
GENERATE: dict[str, Any] = {
    "policy": "demo",
    "limit": DEMO_TRAIN + DEMO_VALIDATION,  # the test questions come after these
    "trajectories": 2,
    "branches": 3,
    "temperature": 1.0,
    "max_steps": 10,
    "max_tokens": 256,
}
TRAIN_BOTH: dict[str, Any] = {
    "policy": "demo",
    "lora_r": 4,
    "lora_alpha": 8.0,
    "lora_targets": "q_proj,k_proj,v_proj,o_proj",
    "adapter_dtype": "bfloat16",
    "learning_rate": 5e-4,
    "max_steps": 30,
    "batch": 3,
    "probe_every": 3,
    "probe_actions": 96,
}
EVALUATE: dict[str, Any] = {"split": "test", "max_tokens": 256}

# How many labels of each sort the scripted auditors give.
ANOTHER_WAY, AGREED, UNSURE = 12, 10, 2
AUDITORS = ("auditor-1", "auditor-2")
LABEL_SPACE = uuid.UUID("6f4a1c39-33c4-4a54-9d0e-8f3f6c1f7a52")


def main() -> None:
    """Every stage in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("demo-work"), help="folder of the work projects")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    given = parser.parse_args()
    warm_start(given.work, given.device)
    project = opened(given.work / "project")
    try:
        with connect(project) as client:
            work(client, project, given.device)
            label(client, project)
            pack(client, project)
    finally:
        stop_owner(project)


def warm_start(work_folder: Path, device: str) -> None:
    """Trains `smollm2` on gold solutions; its adapter becomes the policy `demo`."""
    adapter = demo_folder() / "adapter"
    if (adapter / "adapter_config.json").is_file():
        say(f"warm start: {adapter} is there")
        return
    project = opened(work_folder / "warm")
    try:
        with connect(project) as client:
            client.import_questions(warm_start_problems())
            run = ensure_run(client, project, "warm start", "train", {**WARM_START, "device": device})
    finally:
        stop_owner(project)
    adapter.mkdir(parents=True, exist_ok=True)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        shutil.copyfile(RunFolder(Path(run.folder)).adapter / name, adapter / name)


def work(client: Client, project: Project, device: str) -> None:
    """The runs of the demo project, one after the other."""
    client.import_questions(demo_problems())
    resolve_policy("demo", project)
    there = {"device": device}
    ensure_run(client, project, "generate", "generate", {**GENERATE, **there})
    ensure_run(client, project, "judge", "judge", {"judge": "reference"})
    trained = [
        ensure_run(client, project, name, "train", {**TRAIN_BOTH, "objective": name, **there})
        for name in ("swirl", "bswirl")
    ]
    for policy in ("demo", *(f"demo@{run.run_id}" for run in trained)):
        options = {**EVALUATE, "policy": policy, **there}
        ensure_run(client, project, f"evaluate {policy}", "evaluate", options)


def ensure_run(client: Client, project: Project, stage: str, kind: str, options: dict[str, Any]) -> Run:
    """The finished run of a stage: started, waited for or resumed. Raises BswirlError where it fails."""
    record = project.root / "stages.json"
    runs: dict[str, int] = json.loads(record.read_text()) if record.is_file() else {}
    shown = -1

    def show(name: str, now: Run) -> None:
        nonlocal shown
        share = 10 * now.progress.done // now.progress.total if now.progress and now.progress.total else 0
        if share != shown:
            shown = share
            say(f"{name}: {now.status} {now.progress.done if now.progress else 0}")

    stages = Stages(client, project, runs, lambda: save(record, runs), say=say, watch=show)
    (run,) = stages.finish([Stage(stage, kind, options)])
    say(f"{stage}: run {run.run_id} done: {run.summary}")
    return run


def save(record: Path, runs: dict[str, int]) -> None:
    record.write_text(json.dumps(runs))


def label(client: Client, project: Project) -> None:
    """Labels by scripted auditors: steps that reach the answer in another way than gold's, some at random."""
    dice = random.Random(DEMO_SEED)
    first, second = AUDITORS
    trees = list(sampled_trees(client))
    other_ways = [action for tree in trees for action in another_way(client, tree)]
    dice.shuffle(other_ways)
    for number, action in enumerate(other_ways[:ANOTHER_WAY]):
        set_label(project, first, action, "1", "another way to the same answer")
        if number == 0:
            set_label(project, second, action, "0", "the question does not ask for this")
        elif number == 1:
            set_label(project, second, action, "0", "hard to follow")
            set_label(project, first, action, "1", "right, and it leads to the answer", adjudicates=True)
    judged = [action for tree in trees for action in tree.actions if not action.is_answer]
    for action in dice.sample(judged, AGREED):
        set_label(project, second, action, str(int(action.judge_reward or 0)))
    for action in dice.sample(judged, UNSURE):
        set_label(project, first, action, "unsure", "depends on how one reads the question")
    say(f"labels: {len(client.labels(limit=1000))}")


def sampled_trees(client: Client) -> Iterator[QuestionTree]:
    rows, _ = client.questions(filter="sampled", limit=DEMO_TRAIN + DEMO_VALIDATION)
    for row in rows:
        yield client.tree(row.question_id)


def another_way(client: Client, tree: QuestionTree) -> Iterator[Action]:
    """Correct steps that the judge gave no progress, on a backbone that came to the right answer."""
    groups = tree.by_state()
    next_of = {state.via_action_id: groups[state.state_id] for state in tree.states}
    for action in tree.actions:
        if action.is_answer or action.judge_reward != 0 or not action.backbone:
            continue
        if right_in_the_end(action, next_of) and any(
            verdict.correct and not verdict.progress for verdict in client.action(action.action_id).verdicts
        ):
            yield action


def right_in_the_end(action: Action, next_of: dict[int | None, list[Action]]) -> bool:
    """Whether some backbone through this action ends in an answer with reward 1."""
    if action.is_answer:
        return action.judge_reward == 1
    return any(
        right_in_the_end(after, next_of) for after in next_of.get(action.action_id, ()) if after.backbone
    )


def set_label(
    project: Project,
    auditor: str,
    action: Action,
    value: str,
    reason: str | None = None,
    adjudicates: bool = False,
) -> None:
    """A label with an id made from what it says, so that a second start of this script adds none."""
    uid = str(uuid.uuid5(LABEL_SPACE, f"{action.action_id}/{auditor}/{value}/{adjudicates}"))
    with connect(project, auditor=auditor) as client:
        client.set_label(
            action.action_id, value, reason=reason, blind=True, adjudicates=adjudicates, client_uid=uid
        )


def pack(client: Client, project: Project) -> None:
    """Writes all but the warm-start adapter, which is there, into the demo folder, and its manifest."""
    target = demo_folder()
    shutil.rmtree(target / RUNS, ignore_errors=True)
    questions = b"".join(json.dumps(row).encode() + b"\n" for row in client.select("generate"))
    compress(questions, target / QUESTIONS)
    compress(project.labels_file.read_bytes(), target / LABELS)
    for run in client.runs():
        pack_run(RunFolder(Path(run.folder)), target / RUNS / str(run.run_id), project)
    files = sorted(path for path in target.rglob("*") if path.is_file() and path.name != MANIFEST)
    manifest = {
        "made_with": __version__,
        "recipe": "data/make_demo.py",
        "files": {path.relative_to(target).as_posix(): file_sha(path) for path in files},
    }
    (target / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    say(f"packed {sum(path.stat().st_size for path in files) / 1e6:.1f} MB into {target}")


def pack_run(run: RunFolder, target: Path, project: Project) -> None:
    """One run without its checkpoints and without the names of this machine."""
    target.mkdir(parents=True)
    config = json.dumps({**run.read_config(), "created_by": "demo"}, indent=1)
    (target / "config.json").write_text(anonymous(config, project) + "\n", encoding="utf-8")
    compress(run.input_file.read_bytes(), target / "input.jsonl.gz")
    rows = [json.loads(line) for line in run.journal_file.read_bytes().splitlines()]
    for row in rows:
        if "host" in row:
            row["host"] = "demo"
    journal = b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)
    compress(journal, target / "journal.jsonl.gz")
    log = anonymous(run.log_file.read_text(encoding="utf-8"), project).splitlines(keepends=True)
    own_words = (line for line in log if re.match(r"\d{4}-\d\d-\d\dT", line))  # not those of libraries
    compress("".join(own_words).encode(), target / "log.gz")
    if run.adapter.is_dir():
        shutil.copytree(run.adapter, target / "adapter")


def anonymous(text: str, project: Project) -> str:
    """A config or log without this machine's paths and name."""
    text = text.replace(str(data_folder()), DATA_PLACE).replace(str(project.root), "demo-project")
    return re.sub(rf"\b{re.escape(socket.gethostname())}\b", "demo", text)


def compress(data: bytes, path: Path) -> None:
    """Writes a gzip file whose bytes depend on the data alone."""
    path.write_bytes(gzip.compress(data, mtime=0))


def opened(folder: Path) -> Project:
    """The work project in `folder`, made where it is not there yet."""
    return Project.open(folder) if (folder / "bswirl.toml").is_file() else Project.create(folder)


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    try:
        main()
    except BswirlError as error:
        sys.exit(str(error))
