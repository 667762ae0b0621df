"""A small project whose every number is known, and hostile texts to put into one."""

from __future__ import annotations

import json
import math
import time
from base64 import b64encode
from pathlib import Path

from bswirl.certificates import Certificate, Rates
from bswirl.client import Client
from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.project import Project
from bswirl.prompts import shipped
from bswirl.records import FrozenTree, NewQuestion, Run, to_json
from bswirl.runs.folder import RunFolder
from bswirl.runs.journal import JournalWriter
from bswirl.tokens import StepTokens
from tests.certified import a_certificate

MADE_AT = "2026-01-02T03:04:05.000Z"

HOSTILE = (
    "[/foo] [link=https://x]a[/link] [bold red]b[/] \x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J "
    "\u202edesrever\u2066 \u200bzero\u00ad 漢字 a\u0301\u0302 e\ufe0f\u20e3 "
    "\U0001f468\u200d\U0001f469 \r\n\t[/]"
)


def question(number: int, *, split: str = "train", dataset: str = "shop") -> NewQuestion:
    """A question whose solution has two steps."""
    boxes, each = number + 2, number + 3
    return NewQuestion(
        dataset,
        split,
        f"q{number:02}",
        f"A shop has {boxes} boxes with {each} pens in each, and sells 4 pens. How many pens are left?",
        str(boxes * each - 4),
        f"{boxes}*{each}=<<{boxes}*{each}={boxes * each}>>{boxes * each} pens\n"
        f"{boxes * each}-4=<<{boxes * each}-4={boxes * each - 4}>>{boxes * each - 4} are left\n"
        f"#### {boxes * each - 4}",
    )


def placed(number: int, **about: str) -> PlacedQuestion:
    """Its tree: a live first group (rewards 1 0 0), a dead second one (1 1), and the answer."""
    asked = question(number, **about)
    boxes, each = number + 2, number + 3
    total = boxes * each
    first = f"Step 1: There are {boxes}*{each}={total} pens."
    second = f"Step 2: After the sale {total}-4={total - 4} pens are left."
    steps = [
        (1, (), [(first, 1.0), (f"Step 1: There are {boxes}+{each}={boxes + each} pens.", 0.0)]),
        (1, (), [(first, 1.0), ("Step 1: Let us think about pens.", 0.0)]),
        (2, (first,), [(second, 1.0), (f"Step 2: {total}-4={total - 4}.", 1.0)]),
        (3, (first, second), [(f"Answer: {total - 4}", 1.0)]),
    ]
    samples = []
    for place, (step, prefix, candidates) in enumerate(steps):
        for branch, (text, reward) in enumerate(candidates):
            trajectory = f"t{number}-{2 if place == 1 else 1}"
            samples.append(
                PlacedSample(
                    trajectory,
                    step,
                    branch,
                    branch == 0,
                    prefix,
                    text,
                    step == 3,
                    reward,
                    "answer-check" if step == 3 else "reference",
                    "the operation is that of the gold solution"
                    if reward
                    else "no step of the gold solution",
                    logprob=-1.5 * (branch + 1),
                    n_tokens=9 + branch,
                )
            )
    return PlacedQuestion(asked, tuple(samples))


def hostile_question() -> PlacedQuestion:
    """A question with hostile text in every field, and a step of 100 kB."""
    asked = NewQuestion("evil" + HOSTILE[:6], "train", "h\x1b[1m1", HOSTILE, HOSTILE[:40], HOSTILE)
    texts = [f"Step 1: {HOSTILE}", "漢" * 50_000, "x" * 100_000, "a\u0301" * 40_000]
    samples = tuple(
        PlacedSample(
            "t\x1b[2J", 1, branch, branch == 0, (), text, False, float(branch % 2), "reference", HOSTILE * 3
        )
        for branch, text in enumerate(texts)
    )
    return PlacedQuestion(asked, samples)


def fill(client: Client, questions: int = 6) -> None:
    """Two questions without samples, then as many with trees as asked for."""
    client.import_questions([question(90), question(91, split="test")])
    client.import_samples([placed(number) for number in range(questions)], "seed")


def certificate() -> Certificate:
    """Of the judge whose verdicts were imported; a benchmark with a hostile name."""
    at_first = Rates(30, 2, 9, 1, 0.8, 0.98, 0.02, 0.4)
    return a_certificate(model="", prompt_sha="", benchmark="bench\x1b[2J[/x]", depths=(at_first, Rates(5)))


def finished_training(project: Project, client: Client, folder: Path, steps: int = 24) -> Run:
    """A training run that ended well, with its curves, brought in from elsewhere."""
    trained, _ = client.questions(filter="sampled", limit=2)
    trees = [client.tree(row.question_id) for row in trained]
    run = RunFolder.create(
        folder,
        kind="train",
        name="bswirl demo",
        run_uid="6b1f0b6e-0000-4000-8000-000000000001",
        rows=[
            to_json(FrozenTree(tree, tuple(action.action_id for action in tree.actions))) for tree in trees
        ],
        settings={"objective": "bswirl", "policy": "demo", "learning_rate": 2e-4, "beta": 0.05, "epochs": 2},
        created_by="carol",
    )
    rows: list[dict[str, object]] = [
        {"t": "start", "attempt": 1, "pid": 1, "host": "box", "at": MADE_AT, "code_version": "0.1.0"}
    ]
    for step in range(1, steps + 1):
        values = {
            "loss": 0.8 * math.exp(-step / 9) - 0.1,
            "kl": 0.002 * step,
            "shift/positive": 0.05 * step,
            "shift/negative": -0.03 * step,
            "shift/margin": 0.08 * step,
            "shift/margin_low": 0.06 * step,
            "shift/margin_high": 0.1 * step,
        }
        rows.append({"t": "metrics", "step": step, "values": values})
        rows.append({"t": "progress", "done": step, "total": steps, "unit": "steps", "rate": 2.0})
    measured = [
        [action.action_id, action.reward, 0.25 if action.reward else -0.5, 10]
        for action in trees[1].actions[:3]
    ]
    rows.append({"t": "shifts", "step": steps, "rows": measured})
    summary = {"steps": steps, "margin": 1.92}
    rows.append({"t": "end", "status": "done", "error": None, "exit_code": 0, "summary": summary})
    _write(run, rows, [f"{MADE_AT} step {step} of {steps}" for step in range(1, steps + 1)])
    return client.attach_run(folder)


def finished_evaluation(project: Project, client: Client, folder: Path) -> Run:
    """An evaluation of three questions, two of them right; one answer is hostile."""
    rows, _ = client.questions(filter="sampled", limit=3)
    run = RunFolder.create(
        folder,
        kind="evaluate",
        name="demo",
        run_uid="6b1f0b6e-0000-4000-8000-000000000002",
        rows=[to_json(client.tree(row.question_id).question) for row in rows],
        settings={"policy": "demo", "split": "train", "max_tokens": 512},
        created_by="carol",
    )
    journal: list[dict[str, object]] = [
        {"t": "start", "attempt": 1, "pid": 1, "host": "box", "at": MADE_AT, "code_version": "0.1.0"}
    ]
    for place, row in enumerate(rows):
        journal.append(
            {
                "t": "answer",
                "question_id": row.question_id,
                "text": HOSTILE if place == 2 else f"Step 1: it is {place}.\nAnswer: {place}",
                "strict": None if place == 2 else str(place),
                "flexible": str(place),
                "is_correct": place < 2,
                "n_tokens": 12,
            }
        )
    journal.append(
        {"t": "end", "status": "done", "error": None, "exit_code": 0, "summary": {"accuracy": 2 / 3}}
    )
    _write(run, journal, [f"{MADE_AT} {HOSTILE}"])
    return client.attach_run(folder)


def _write(run: RunFolder, rows: list[dict[str, object]], log: list[str]) -> None:
    writer = JournalWriter(run.journal_file)
    writer.append(json.loads(json.dumps(rows)))
    writer.close()
    run.log_file.write_text("".join(f"{text}\n" for text in log), encoding="utf-8")


def voted(project: Project, client: Client, folder: Path, address: str, judge: str = "panel") -> Run:
    """A judge's verdicts with votes on a question's first group, its prompt kept; it decides."""
    prompt = shipped("judge")
    tree = client.tree(address)
    group = tree.by_state()[tree.states[0].state_id]
    run = RunFolder.create(
        folder,
        kind="judge",
        name=judge,
        run_uid="6b1f0b6e-0000-4000-8000-000000000004",
        rows=[to_json(FrozenTree(tree, tuple(action.action_id for action in group)))],
        settings={"judge": judge},
        created_by="carol",
    )
    journal: list[dict[str, object]] = [
        {"t": "start", "attempt": 1, "pid": 1, "host": "box", "at": MADE_AT, "code_version": "0.1.0"},
        {"t": "prompt", "sha": prompt.sha, "purpose": "judge", "text": prompt.text},
    ]
    for place, action in enumerate(group):
        good = place == 0
        ending = f"Correct: {'yes' if good else 'no'}\nProgress: yes"
        journal.append(
            {
                "t": "verdict",
                "action_id": action.action_id,
                "judge": judge,
                "model": "big-model",
                "prompt_sha": prompt.sha,
                "status": "judged",
                "correct": good,
                "progress": True,
                "reward": float(good),
                "rationale": f"Because of {place}. {HOSTILE}",
                "raw": f"I reason about {place}. {HOSTILE}\n{ending}",
                "votes": {"correct": [2, 1] if good else [0, 3], "progress": [3, 0], "asked": 4},
                "latency_ms": 5.0,
            }
        )
    journal.append({"t": "end", "status": "done", "error": None, "exit_code": 0, "summary": {}})
    _write(run, journal, [f"{MADE_AT} judged"])
    attached = client.attach_run(folder)
    end = time.monotonic() + 20
    while client.run(attached.run_id).status != "done":
        assert time.monotonic() < end
        time.sleep(0.05)
    client.rank_judge(judge, 1)
    return attached


TOKENS_OF_FIRST = ("Step", " ", "1", ":", " There", " are", " ", "2", "*", "3", "=", "6", " pens", ".", "\n")
FIRST = "".join(TOKENS_OF_FIRST[:-1])
LOGPROBS_OF_FIRST = (
    *(-0.01, 0.0, 0.0, -0.02, -0.7, -0.1, -0.05),
    *(-1.2, -0.3, -0.4, 0.0, -4.9, -2.2, -0.6, -0.01),
)


def sampled_tokens(client: Client, folder: Path) -> Run:
    """Further samples of the first question's first step, with tokens and without, and a hostile one."""
    question = client.tree("shop:q00").question
    run = RunFolder.create(
        folder,
        kind="generate",
        name="fresh",
        run_uid="6b1f0b6e-0000-4000-8000-000000000005",
        rows=[to_json(question)],
        settings={"policy": "fresh", "branches": 4},
        created_by="carol",
    )
    sizes = tuple(len(token) for token in TOKENS_OF_FIRST)
    hostile = f"Step 1: {HOSTILE.strip()}"
    wild = len(hostile.encode()) + 10
    tokens = {
        "own": StepTokens(sizes, LOGPROBS_OF_FIRST, "", "\n"),
        "whole": StepTokens((len(FIRST),), (-9.25,)),
        "wild": StepTokens((2,) * (wild // 2) + (wild % 2,), (-0.5,) * (wild // 2 + 1), "", "<|im_end|>"),
    }
    samples = [(FIRST, "own"), (FIRST, "whole"), (FIRST, ""), (hostile, "wild")]
    steps = [_sampled(text, tokens.get(name), branch) for branch, (text, name) in enumerate(samples)]
    about = {"question_id": question.question_id, "number": 1, "seed": 0, "temperature": 1.0}
    journal: list[dict[str, object]] = [
        {"t": "start", "attempt": 1, "pid": 1, "host": "box", "at": MADE_AT, "code_version": "0.1.0"},
        {"t": "trajectory", **about, "policy": "fresh", "steps": steps[:1]},
        {"t": "branches", **about, "step": 1, "samples": steps[1:], "unparsed": []},
        {"t": "end", "status": "done", "error": None, "exit_code": 0, "summary": {}},
    ]
    _write(run, journal, [f"{MADE_AT} sampled"])
    attached = client.attach_run(folder)
    end = time.monotonic() + 20
    while client.run(attached.run_id).status != "done":
        assert time.monotonic() < end
        time.sleep(0.05)
    return attached


def _sampled(text: str, tokens: StepTokens | None, branch: int) -> dict[str, object]:
    known = {} if tokens is None else {"tokens": b64encode(tokens.pack()).decode()}
    total = -4.5 if tokens is None else sum(tokens.logprobs)
    number = 9 if tokens is None else len(tokens.sizes)
    fixed = {"text": text, "is_answer": False, "finish": "stop", "branch_id": branch}
    return {**fixed, "n_tokens": number, "logprob": round(total, 6), **known}


def waiting_run(project: Project, client: Client) -> Run:
    """A run that is registered and whose worker has not started."""
    run_uid = "6b1f0b6e-0000-4000-8000-000000000003"
    rows, _ = client.questions(filter="sampled", limit=1)
    folder = RunFolder.create(
        project.runs_folder / f".new-{run_uid}",
        kind="generate",
        name="demo",
        run_uid=run_uid,
        rows=[to_json(client.tree(rows[0].question_id).question)],
        settings={"policy": "demo"},
    )
    config = folder.read_config()
    return client.register_run(run_uid, "generate", "demo", config, config["input_sha256"])


def audit_all(client: Client) -> None:
    """Every step drawn at random and labelled; where its number is divisible by four, not as the judge."""
    while (item := client.audit_next("random", repeats=0).item) is not None:
        good = client.action(item.detail.action.action_id).action.judge_reward == 1.0
        turned = item.detail.action.action_id % 4 == 0
        client.audit_label(item, "1" if good != turned else "0", seconds=2.0)
