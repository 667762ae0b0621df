"""Reading back what an experiment's runs left: answers, rewards of sampled steps, probe curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bswirl.client import Client
from bswirl.records import QuestionTree, Run
from bswirl.runs.folder import RunFolder
from bswirl.runs.journal import read_journal

_MANY = 100_000  # more runs than a project has


def foreign_test_reader(client: Client, own: Mapping[str, int]) -> Run | None:
    """A run that reads test questions and is none of the experiment's `own`; None where there is none."""
    for run in client.runs(limit=_MANY):
        select = run.config.get("select") or {}
        split = select.get("split")
        reads = split == "test" or (split is None and run.kind in ("generate", "evaluate"))
        if reads and run.kind != "judge" and run.run_id not in own.values():
            return run
    return None


def answered(client: Client, run: Run) -> tuple[list[str], str]:
    """An evaluation's questions by address, and a 1 or a 0 for each: was its answer right?"""
    rows = client.answers(run.run_id)
    return [row["address"] for row in rows], "".join("1" if row["is_correct"] else "0" for row in rows)


def margin_curve(client: Client, run_id: int) -> list[dict[str, float]]:
    """The probe of a training run: step, margin, and the margin's 95% interval where there is one."""
    curves = client.metrics(run_id)
    low, high = dict(curves.get("shift/margin_low", ())), dict(curves.get("shift/margin_high", ()))
    points = []
    for step, margin in curves.get("shift/margin", ()):
        point: dict[str, float] = {"step": step, "margin": margin}
        if step in low and step in high:
            point |= {"low": low[step], "high": high[step]}
        points.append(point)
    return points


def sampled_rewards(client: Client, run: Run) -> list[dict[str, Any]]:
    """For each solution of a generating run: its question, its reasoning steps' rewards, was it right?

    Steps without a reward (unjudged ones) are left out.
    """
    rows = []
    for row, _ in read_journal(RunFolder(Path(run.folder)).journal_file):
        if row.get("t") != "trajectory":
            continue
        tree = client.tree(row["question_id"])
        rewards = _rewards(tree, [step["text"] for step in row["steps"]])
        rows.append({"question": tree.question.address, "rewards": rewards, "right": bool(row["is_correct"])})
    return rows


def _rewards(tree: QuestionTree, steps: list[str]) -> list[float]:
    """The rewards of a solution's steps, the answer line apart, by walking down the question's tree."""
    groups = tree.by_state()
    next_state = {state.via_action_id: state.state_id for state in tree.states if state.via_action_id}
    state = next((state.state_id for state in tree.states if state.parent_state_id is None), None)
    rewards = []
    for text in steps:
        action = next((found for found in groups.get(state or 0, ()) if found.text == text), None)
        if action is None:
            break
        if not action.is_answer and action.reward is not None:
            rewards.append(action.reward)
        state = next_state.get(action.action_id)
    return rewards
