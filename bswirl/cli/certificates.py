"""`bswirl audit certify` and `certificates`: judges held against human step labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.counting import counted
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note, number, print_facts, print_json, print_table, warn
from bswirl.errors import InputError, UsageError
from bswirl.records import to_json

if TYPE_CHECKING:
    from bswirl.certificates import Certificate, DepthRates, Estimate, Rates
    from bswirl.formats.lines import Reject
    from bswirl.formats.processbench import Benchmark
    from bswirl.judging.catalogue import JudgeSpec

FILE = click.Path(path_type=Path)
NAMED_REJECTS = 100  # so many bad rows of a file are named
INTERVALS = (
    "95% intervals, with all solutions to a question as one cluster: Wilson's of the effective number for "
    "rates, a cluster bootstrap's for F1 and kappa"
)
ABOUT = (
    "certified is `correct`, not the reward, which is correct and progress: no human label says what makes "
    "progress"
)


@click.command()
@click.option("--judge", "judge_name", metavar="JUDGE", required=True, help="Who is certified.")
@click.option(
    "--on",
    "benchmark",
    type=click.Choice(["processbench"]),
    default="processbench",
    show_default=True,
    help="Whose format FILE has.",
)
@click.option(
    "--solutions",
    metavar="FILE",
    type=FILE,
    multiple=True,
    help="GSM8K file with gold solutions, matched by question; may be given several times.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    help="A trial: N solutions of FILE, drawn at random, always the same. Nothing is corrected by it.",
)
@click.option(
    "--prompt",
    metavar="FILE",
    type=FILE,
    help="Prompt file in place of the judge's own, of a judge that is a model; it is another judge then.",
)
@click.option("--votes", metavar="N", type=int, help="Votes on a step, odd, of a judge that is a model.")
@click.argument("file", metavar="FILE", type=FILE)
@json_option
@pass_invocation
def certify(
    invocation: Invocation,
    judge_name: str,
    benchmark: str,
    solutions: tuple[Path, ...],
    limit: int | None,
    prompt: Path | None,
    votes: int | None,
    file: Path,
    as_json: bool,
) -> None:
    """Measures a judge against human step labels.

    Steps before the first wrong one are correct, that one is wrong, later ones are left out. Reports
    ProcessBench's F1 and how often the judge's `correct` agrees with people, by step. In a project the
    certificate is kept; `bswirl train --judge-rates certificate` corrects rewards by it.
    """
    from bswirl.judging.catalogue import resolve_judge
    from bswirl.judging.certify import certify as certified
    from bswirl.judging.stepwise import step_judge

    project = invocation.project_if_any()
    spec = _with_votes(resolve_judge(judge_name, project, prompt), votes)
    judge = step_judge(spec)
    read = _read(file)
    gold = _shown(_gold(solutions), spec)
    with _keeping(invocation, project) as keep:
        with counted("steps") as told:
            made = certified(
                spec, judge, read, name=benchmark, file=file.name, gold=gold, limit=limit, told=told
            )
        made = keep(made)
    if as_json:
        rejects = [{"line": reject.line, "reason": reject.reason} for reject in read.rejects]
        print_json({**certificate_json(made), "rejected": len(rejects), "rejects": rejects})
    else:
        _print(made)
    if made.is_part:
        note(f"a trial: {_solutions(made)} were judged; nothing is corrected by this certificate")
    note(ABOUT)
    note(INTERVALS)
    note(
        "no project here: the certificate was not kept"
        if project is None
        else f"kept as certificate {made.certificate_id}"
    )


@click.command()
@json_option
@pass_invocation
def certificates(invocation: Invocation, as_json: bool) -> None:
    """Lists the judges' certificates, newest first; the newest of a judge that is of a whole file counts."""
    with invocation.connect() as client:
        found = client.certificates()
    if as_json:
        print_json({"certificates": [certificate_json(one) for one in found]})
        return
    print_table(
        (
            "number",
            "judge",
            "model",
            "prompt",
            "on",
            "solutions",
            "gold",
            "F1",
            "TPR",
            "TNR",
            "kappa",
            "when",
        ),
        (
            (
                one.certificate_id,
                one.judge,
                one.model,
                one.prompt_sha[:12],
                f"{one.benchmark} {one.file}",
                f"{one.solutions}/{one.file_solutions}" if one.is_part else one.solutions,
                one.with_gold,
                one.f1.value,
                one.overall.steps.tpr.value,
                one.overall.steps.tnr.value,
                one.kappa.value,
                one.created_at[:19],
            )
            for one in found
        ),
        right=("number", "solutions", "gold", "F1", "TPR", "TNR", "kappa"),
    )


# Reading and keeping -------------------------------------------------------------------------------


def _read(path: Path) -> Benchmark:
    from bswirl.formats.processbench import read_processbench

    read = read_processbench(path)
    _name(path, read.rejects)
    if not read.solutions:
        raise InputError(f"no solution could be read from {path}", "give ProcessBench's JSON file")
    return read


def _gold(paths: Iterable[Path]) -> dict[str, str]:
    from bswirl.formats.gsm8k import read_gsm8k
    from bswirl.judging.certify import gold_solutions

    questions = []
    for path in paths:
        found, rejects = read_gsm8k(path)
        _name(path, rejects)
        if not found:
            raise InputError(f"no solution could be read from {path}", "give a GSM8K file: train.jsonl")
        questions += found
    return gold_solutions(questions)


def _shown(gold: dict[str, str], spec: JudgeSpec) -> dict[str, str]:
    """The gold solutions that the judge gets to see: none where its prompt does not show them."""
    from bswirl.prompts import Prompt

    if not gold or spec.prompt is None or "solution" in Prompt.parse(spec.prompt, "its prompt").placeholders:
        return gold
    note(f"the prompt of {spec.name} does not show {{solution}}: it is judged without gold solutions")
    return {}


def _with_votes(spec: JudgeSpec, votes: int | None) -> JudgeSpec:
    if votes is None:
        return spec
    if spec.kind == "rules":
        raise UsageError(f"judge {spec.name} goes by rules, and would always vote alike", "leave out --votes")
    if votes < 1 or votes % 2 == 0:
        raise UsageError(f"--votes {votes} could end in a tie", "give an odd number: 1, 3, 5, …")
    return replace(spec, votes=votes)


def _name(path: Path, rejects: list[Reject]) -> None:
    for reject in rejects[:NAMED_REJECTS]:
        warn(str(reject))
    if len(rejects) > NAMED_REJECTS:
        warn(f"{path}: {len(rejects) - NAMED_REJECTS} more rows that cannot be used")


@contextmanager
def _keeping(invocation: Invocation, project: Any) -> Iterator[Callable[[Certificate], Certificate]]:
    """A way to keep the certificate, reached before the judge is asked; without a project it does nothing."""
    if project is None:
        yield lambda certificate: certificate
        return
    with invocation.connect(project) as client:
        yield client.add_certificate


# Showing -------------------------------------------------------------------------------------------


def certificate_json(certificate: Certificate) -> dict[str, Any]:
    """A certificate with every rate spelled out, and the rates that training would correct with."""
    from bswirl.certificates import certified_rates

    steps = certificate.overall
    return {
        **to_json(certificate),
        "is_part": certificate.is_part,
        "labelled": certificate.labelled,
        "judged_share": 1 - steps.unjudged / certificate.labelled if certificate.labelled else None,
        "overall": _depth_json(steps),
        "depths": [_depth_json(at) for at in certificate.depths],
        "correction": [
            {"depth": rates.depth, "fpr": rates.fpr, "fnr": rates.fnr}
            for rates in certified_rates(certificate)
        ],
    }


def _depth_json(at: DepthRates) -> dict[str, Any]:
    return {
        "depth": at.depth,
        "unjudged": at.unjudged,
        "steps": _rates_json(at.steps),
        "progress": _rates_json(at.progress),
    }


def _rates_json(rates: Rates) -> dict[str, Any]:
    return {
        "correct": rates.correct,
        "wrong": rates.wrong,
        **{name: getattr(rates, name) for name in _COUNTS},
        **{name: to_json(getattr(rates, name)) for name in ("tpr", "tnr", "fpr", "fnr")},
    }


_COUNTS = ("true_positive", "false_negative", "false_positive", "true_negative")


def _print(certificate: Certificate) -> None:
    rates = certificate.overall.steps
    correct = certificate.solutions - certificate.erroneous
    labelled, unjudged = certificate.labelled, certificate.overall.unjudged
    open_ones = f"; {certificate.undetermined} open for want of a verdict" if certificate.undetermined else ""
    print_facts(
        [
            ("judge", f"{certificate.judge} ({certificate.model}, prompt {certificate.prompt_sha[:12]})"),
            (
                "on",
                f"{certificate.benchmark} {certificate.file}: {_solutions(certificate)} to "
                f"{certificate.questions} questions, {certificate.with_gold} with a gold solution",
            ),
            ("F1", _words(certificate.f1)),
            ("erroneous solutions", f"{_words(certificate.accuracy_erroneous)} of {certificate.erroneous}"),
            ("correct solutions", f"{_words(certificate.accuracy_correct)} of {correct}{open_ones}"),
            ("steps judged", f"{labelled - unjudged} of {labelled}{_by_votes(certificate)}"),
            ("TPR", f"{_words(rates.tpr)} of {rates.correct} correct steps"),
            ("TNR", f"{_words(rates.tnr)} of {rates.wrong} wrong steps"),
            ("FPR", _words(rates.fpr)),
            ("FNR", _words(rates.fnr)),
            ("kappa", _words(certificate.kappa)),
            ("with progress", _progress_words(certificate)),
        ]
    )
    click.echo()
    print_table(
        ("step", "correct", "TPR", "", "wrong", "TNR", " ", "unjudged"),
        (
            (
                at.depth,
                at.steps.correct,
                *_cells(at.steps.tpr),
                at.steps.wrong,
                *_cells(at.steps.tnr),
                at.unjudged,
            )
            for at in certificate.depths
        ),
        right=("step", "correct", "TPR", "wrong", "TNR", "unjudged"),
    )


def _progress_words(certificate: Certificate) -> str:
    """How often the judge errs where it says that a step makes progress, and what training can do with it."""
    from bswirl.certificates import LEAST_STEPS, certified_rates
    from bswirl.training.objectives import LEAST_INFORMED

    rates = certificate.overall.progress
    words = f"FPR {_words(rates.fpr)} of {rates.wrong}, FNR {_words(rates.fnr)} of {rates.correct}"
    if certificate.is_part:
        return f"{words}; a trial, by which nothing is corrected"
    usable = certified_rates(certificate)
    if not usable:
        return f"{words}; too few to correct rewards with (fewer than {LEAST_STEPS} of a kind)"
    informed = min(1 - rate.fpr - rate.fnr for rate in usable)
    if informed < LEAST_INFORMED:
        return f"{words}; 1 - FPR - FNR goes down to {number(informed)}, too little to correct rewards with"
    return f"{words}; rewards can be corrected"


def _solutions(certificate: Certificate) -> str:
    of = f" of {certificate.file_solutions}" if certificate.is_part else ""
    return f"{certificate.solutions}{of} solutions"


def _by_votes(certificate: Certificate) -> str:
    return f", by {certificate.votes} votes each" if certificate.votes > 1 else ""


def _words(estimate: Estimate) -> str:
    value, interval = _cells(estimate)
    return f"{number(value)} ({interval})" if interval else number(value)


def _cells(estimate: Estimate) -> tuple[float | None, str]:
    if estimate.low is None or estimate.high is None:
        return estimate.value, ""
    return estimate.value, f"{estimate.low:.3f} to {estimate.high:.3f}"
