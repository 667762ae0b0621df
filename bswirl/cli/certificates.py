"""`bswirl audit certify` and `certificates`: judges held against human step labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.certificate_views import (
    certificate_json,
    print_certificate,
    print_certificates,
    solution_words,
)
from bswirl.cli.counting import counted
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note, print_json, warn
from bswirl.cli.trusting import ask_trust
from bswirl.cli.work import run_options
from bswirl.errors import CancelledError, InputError, UsageError

if TYPE_CHECKING:
    from bswirl.certificates import Certificate
    from bswirl.formats.lines import Reject
    from bswirl.formats.processbench import Benchmark
    from bswirl.judging.catalogue import JudgeSpec
    from bswirl.judging.stepwise import Asking
    from bswirl.project import Project

FILE = click.Path(path_type=Path)
_ASKING = ("max_cost", "batch_size", "load_in_4bit", "device")
MODEL_OPTIONS = ("prompt", "votes", *_ASKING)  # those of `bswirl judge` that a judge is certified with
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
@run_options("judge", only=MODEL_OPTIONS)
@click.argument("file", metavar="FILE", type=FILE)
@json_option
@pass_invocation
def certify(
    invocation: Invocation,
    /,
    judge_name: str,
    benchmark: str,
    solutions: tuple[Path, ...],
    limit: int | None,
    file: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Measures a judge against human step labels.

    Steps before the first wrong one are correct, that one is wrong, later ones are left out. Reports
    ProcessBench's F1 and how often the judge's `correct` agrees with people, by step. In a project the
    certificate is kept; `bswirl train --judge-rates certificate` corrects rewards by it.
    """
    from bswirl.judging.certify import certify as certified
    from bswirl.judging.stepwise import step_judge

    project = invocation.project_if_any()
    spec = _judge(project, judge_name, options)
    read = _read(file)
    gold = _seen(_gold(solutions), spec)
    asking = _asking(project, spec, read, options)
    judge = step_judge(spec, asking)
    with _keeping(invocation, project) as keep:
        with _going_on(asking), counted("steps") as told:
            made = certified(
                spec, judge, read, name=benchmark, file=file.name, gold=gold, limit=limit, told=told
            )
        made = keep(made)
    if as_json:
        rejects = [{"line": reject.line, "reason": reject.reason} for reject in read.rejects]
        print_json({**certificate_json(made), "rejected": len(rejects), "rejects": rejects})
    else:
        print_certificate(made)
    if made.is_part:
        note(f"a trial: {solution_words(made)} were judged; nothing is corrected by this certificate")
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
    print_certificates(found)


# Who is asked, and how ------------------------------------------------------------------------------


def _judge(project: Project | None, name: str, options: dict[str, Any]) -> JudgeSpec:
    """Who is certified. The key of a served judge is looked for here, before anything is spent."""
    from bswirl import launch
    from bswirl.launch.keys import check_keys

    request = launch.judge_request(project, judge=name, **options)
    check_keys(request.served, ask_trust)
    if request.judge is None:
        raise UsageError(f"{name} is no judge", "`bswirl judges list` names those there are")
    return request.judge


def _asking(
    project: Project | None, spec: JudgeSpec, read: Benchmark, options: dict[str, Any]
) -> Asking | None:
    """How a model is asked; None for a judge by rules."""
    from bswirl.judging.stepwise import Asking

    if project is None or spec.kind == "rules":
        return None
    chosen = {name: options[name] for name in _ASKING if options[name] is not None}
    return Asking(project.certificates_folder / spec.name / read.sha256[:16], log=note, **chosen)


@contextmanager
def _going_on(asking: Asking | None) -> Iterator[None]:
    """Says what a model's calls came to and, after Ctrl-C, how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if asking is None:
            raise
        raise CancelledError(
            "cancelled", "the same command goes on from here: what the judge said is kept"
        ) from None
    finally:
        if asking is not None and asking.spending:
            calls, cost = asking.spending["calls"], asking.spending["cost"]
            note(f"{calls} calls for ${cost:.4f}, over all attempts")


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


def _seen(gold: dict[str, str], spec: JudgeSpec) -> dict[str, str]:
    """The gold solutions that the judge gets to see: none where its prompt does not show them."""
    from bswirl.prompts import Prompt

    if not gold or spec.prompt is None or "solution" in Prompt.parse(spec.prompt, "its prompt").placeholders:
        return gold
    note(f"the prompt of {spec.name} does not show {{solution}}: it judges without gold solutions")
    return {}


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
