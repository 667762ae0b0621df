"""The experiment's report in Markdown, written from its record alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bswirl.experiment.configurations import OBJECTIVES
from bswirl.experiment.report_parts import conclusion, duration, margin_words, percent, points, table
from bswirl.statistics import wilson_interval

REPORT = "report.md"
Values = dict[str, Any]


def write_report(record: Values, folder: Path, say: Callable[[str], None]) -> None:
    """Writes `report.md`, and its plots where matplotlib is installed, into `folder`."""
    try:
        from bswirl.experiment.plots import write_plots
    except ModuleNotFoundError:
        plots: list[tuple[str, str]] = []
        say("no plots: they need matplotlib — pip install 'bswirl[report]', then the same command draws them")
    else:
        plots = write_plots(record, folder)
    (folder / REPORT).write_text(report(record, plots), encoding="utf-8")


def report(record: Values, plots: Sequence[tuple[str, str]] = ()) -> str:
    """The whole report; `plots` are (caption, path from the report) pairs."""
    sections = (
        _opening,
        _setting,
        _tried,
        _budgets,
        _test,
        _process,
        _margins,
        _times,
    )
    lines = [line for section in sections for line in section(record)]
    if plots:
        lines += ["", "## Plots", ""]
        lines += [f"![{caption}]({path})\n" for caption, path in plots]
    return "\n".join(lines).rstrip() + "\n"


def _opening(record: Values) -> Iterator[str]:
    yield "# Does B-SWiRL teach, and more than SWiRL?"
    yield ""
    yield (
        f"`{record['command']}`, begun {record['started_at']}, ended {record['ended_at']}, "
        f"bswirl {record['bswirl']}. Written by the command from `record.json`."
    )
    yield ""
    words = {True: "**Yes**", False: "**No**", None: "**Not measured**"}
    for aim in record["results"]["aims"]:
        yield f"- Aim: {aim['aim']}. {words[aim['held']]}."
    yield ""
    yield from conclusion(record)


def _base(options: Values) -> str:
    warm = options.get("warm_start", 0)
    if not warm:
        return f"`{options['policy']}`"
    return (
        f"`{options['policy']}` after one pass of `sft` over the own solutions of {warm} other problems "
        "(learning rate 1e-3, two problems a step)"
    )


def _setting(record: Values) -> Iterator[str]:
    options, machine = record["options"], record["machine"]
    gpus = f", {', '.join(machine['gpus'])}" if machine.get("gpus") else ""
    versions = ", ".join(
        f"{name} {machine[name]}" for name in ("python", "torch", "transformers", "peft") if name in machine
    )
    jobs = sorted({session["jobs"] for session in record["sessions"]})
    yield from ("", "## Setting", "")
    yield (
        f"- Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB{gpus}; "
        f"{machine['system']}; {versions}; {' and '.join(map(str, jobs))} run(s) at once."
    )
    yield (
        f"- Problems of {options['train']} train, {options['validation']} validation and {options['test']} "
        f"test questions, drawn with seed {options['problem_seed']}; none is among those that the policy "
        "`demo` was warm-started on or those of the demo project, and the splits share none."
    )
    summaries: dict[str, Values] = {stage["name"]: stage["summary"] for stage in record["stages"]}
    generated, judged = summaries.get("generate", {}), summaries.get("judge", {})
    yield (
        f"- Base policy: {_base(options)}. It sampled {options['trajectories']} solution(s) a "
        f"training question and {options['branches']} alternatives at each state, at temperature 1: "
        f"{generated.get('samples', '?')} samples. The reference judge and the answer check rewarded them: "
        f"mean reward {_number(judged.get('mean_reward'))} over distinct actions."
    )
    yield (
        f"- LoRA r={options['lora_r']} on all linear layers, {options['batch']} questions a step, "
        f"{options['probe_fraction']:.0%} of the training questions held out for the probe (by seed). "
        "Evaluation is greedy and strict (`Answer:`), at most "
        f"{options['max_tokens']} tokens."
    )


def _tried(record: Values) -> Iterator[str]:
    yield from ("", "## What was tried", "")
    base = record["validation_base"]
    yield (
        f"Each configuration was trained with seed 0 and answered the {base['n']} validation questions; "
        f"the base policy gets {_share(base)} of them right. For each objective the best was chosen, the "
        "first of equals, before the test split was read."
    )
    yield ""
    yield from table(
        ("objective", "configuration", "run", "validation accuracy", "last probe margin", ""),
        (_tried_row(record, row) for row in record["tried"]),
    )


def _tried_row(record: Values, row: Values) -> tuple[str, ...]:
    chosen = record["choice"][row["objective"]] == row["number"]
    key = f"{row['objective']} {row['number']}"
    found = f"failed: {row['failure']}" if row["failure"] else _share(row["validation"])
    curve = record["tried_margins"].get(key) or []
    return (
        f"`{row['objective']}`",
        row["label"],
        str(row["run"]),
        found,
        margin_words(curve[-1]) if curve else "–",
        "chosen" if chosen else "",
    )


def _budgets(record: Values) -> Iterator[str]:
    yield from ("", "## Equal budgets", "")
    yield (
        "The objectives train on the same questions with the same number of action tokens, counted over "
        "samples, as the loss counts them; `swirl`, which takes the backbone's actions alone, repeats its "
        "questions until its tokens come nearest to those of `bswirl`. `distinct` counts an action that "
        "was sampled several times once a pass."
    )
    yield ""
    rows = []
    for seed, budgets in record["budgets"].items():
        for objective in OBJECTIVES:
            budget = budgets[objective]
            rows.append(
                (
                    seed,
                    f"`{objective}`",
                    str(budget["questions"]),
                    str(budget["steps"]),
                    f"{budget['action_tokens']:,}",
                    f"{budget['distinct_tokens']:,}",
                )
            )
    yield from table(("seed", "objective", "questions", "steps", "action tokens", "distinct"), rows)


def _test(record: Values) -> Iterator[str]:
    results = record["results"]
    yield from ("", "## Test accuracy", "")
    yield f"{len(record['test']['questions'])} questions, read once by each policy. Intervals: 95%, Wilson."
    for name, reason in record.get("failed_seeds", {}).items():
        yield f"\n`{name}` failed and has no figures: {reason}"
    yield ""
    summaries = record["test"].get("summaries", {})
    yield from table(
        ("policy", "right", "accuracy", "flexible", "unparsed", "tokens"),
        (
            (
                name,
                f"{found['right']}/{found['n']}",
                percent(found["accuracy"], found["low"], found["high"]),
                percent(summaries[name]["flexible_accuracy"]) if name in summaries else "–",
                percent(summaries[name]["unparsed"]) if name in summaries else "–",
                f"{summaries[name]['mean_tokens']:.0f}" if name in summaries else "–",
            )
            for name, found in results["accuracy"].items()
        ),
    )
    yield ""
    yield (
        "Over seeds: intervals are those of the mean over questions of each question's mean over seeds "
        "(clustered by question; the seeds are taken as they are). p: exact two-sided sign-flip test on "
        "the questions' mean differences."
    )
    yield ""
    yield from table(
        ("objective", "seeds", "accuracy"),
        (
            (f"`{name}`", str(found["seeds"]), percent(found["accuracy"], found["low"], found["high"]))
            for name, found in results["objectives"].items()
        ),
    )
    yield ""
    yield from table(
        ("difference", "points", "p"),
        (
            (name, points(found["difference"], found["low"], found["high"]), _p(found["p"]))
            for name, found in results["differences"].items()
        ),
    )
    if results["seeds"]:
        yield ""
        yield "`bswirl` against `swirl`, seed by seed (exact McNemar):"
        yield ""
        yield from table(
            ("seed", "points", "fixed", "broken", "p"),
            (
                (
                    str(found["seed"]),
                    points(found["difference"]),
                    str(found["fixed"]),
                    str(found["broken"]),
                    _p(found["p"]),
                )
                for found in results["seeds"]
            ),
        )


def _process(record: Values) -> Iterator[str]:
    process = record["results"]["process"]
    if not process:
        return
    yield from ("", "## Step rewards of fresh samples", "")
    yield (
        f"One solution sampled at temperature 1 for each of {record['options']['process']} test questions; "
        "the reference judge's mean reward over its reasoning steps (the answer line apart), interval "
        "clustered by question."
    )
    yield ""
    yield from table(
        ("policy", "steps", "mean step reward", "answers right"),
        (
            (
                name,
                str(found["steps"]),
                _mean(found),
                f"{found['right']}/{found['samples']}",
            )
            for name, found in process.items()
        ),
    )


def _margins(record: Values) -> Iterator[str]:
    yield from ("", "## Probe margins", "")
    yield (
        "At the last step: mean log-prob shift of held-out actions with reward 1 minus that of those with "
        "reward 0, in nats an action, 95% interval clustered by question. A margin opens where its "
        "interval lies above 0."
    )
    yield ""
    yield from table(
        ("policy", "step", "margin"),
        (
            (name, str(found.get("step", "–")), margin_words(found))
            for name, found in record["results"]["margins"].items()
        ),
    )


def _times(record: Values) -> Iterator[str]:
    yield from ("", "## Runs and wall time", "")
    yield (
        "The runs are those of the project in this folder. Times are from a run's start to its end, pauses "
        "of interrupted runs included."
    )
    yield ""
    yield from table(
        ("stage", "run", "state", "attempts", "time"),
        (
            (
                stage["name"],
                str(stage["run"]),
                stage["status"],
                str(stage["attempts"]),
                duration(stage["created_at"], stage["ended_at"]),
            )
            for stage in record["stages"]
        ),
    )
    yield ""
    sessions = [
        duration(session["started_at"], session["ended_at"]) if session["ended_at"] else "interrupted"
        for session in record["sessions"]
    ]
    yield f"Sessions of the command: {', '.join(sessions)}."


def _share(summary: Values) -> str:
    low, high = wilson_interval(summary["correct"], summary["n"])
    return f"{summary['correct']}/{summary['n']}, {percent(summary['accuracy'], low, high)}"


def _mean(found: Values) -> str:
    if "mean" not in found:
        return "–"
    return f"{found['mean']:.3f}" + (
        f" [{found['low']:.3f}, {found['high']:.3f}]" if found["low"] is not None else ""
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
