"""`bswirl import` and `problems`: files in, and problems to import."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note, print_json, warn
from bswirl.errors import InputError
from bswirl.records import SPLITS

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.formats.lines import Reject
    from bswirl.interchange import PlacedQuestion
    from bswirl.records import NewQuestion

NAMED_REJECTS = 5  # so many bad lines are named; the file has all
FILE = click.Path(path_type=Path)


@dataclass
class _Read:
    """What one file held."""

    path: Path
    questions: list[NewQuestion] = field(default_factory=list)
    samples: list[PlacedQuestion] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    raw: dict[int, str] = field(default_factory=dict)  # lines by number


@click.command("import")
@click.argument("form", metavar="FORMAT", type=click.Choice(["gsm8k", "branched"]))
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=FILE)
@click.option("--dataset", metavar="NAME", help="The dataset's name, where the file does not say it.")
@click.option("--split", type=click.Choice(SPLITS), help="The split; else the one in the file's name.")
@json_option
@pass_invocation
def import_(
    invocation: Invocation,
    form: str,
    files: tuple[Path, ...],
    dataset: str | None,
    split: str | None,
    as_json: bool,
) -> None:
    """Imports questions (gsm8k) or samples (branched); what is there already is not added again.

    A line that cannot be used stops no other: it is named on stderr and kept in the project's rejects folder.
    """
    project = invocation.project()
    read = [(_read_gsm8k if form == "gsm8k" else _read_branched)(path, dataset, split) for path in files]
    with invocation.connect(project) as client:
        results = [_take_in(client, found, project.rejects_folder) for found in read]
    totals = {key: sum(result[key] for result in results) for key in ("new", "known", "rejected")}
    if as_json:
        print_json({"format": form, **totals, "files": results})
    for result in [] if as_json else results:
        counts = ", ".join(f"{result[key]} {key}" for key in totals)
        note(f"{result['file']}: {counts}")
    if not totals["new"] + totals["known"]:
        raise InputError(
            "no line could be imported", "the lines above say why; check the format and the file"
        )


def _read_gsm8k(path: Path, dataset: str | None, split: str | None) -> _Read:
    from bswirl.formats.gsm8k import read_gsm8k

    questions, rejects = read_gsm8k(path, dataset=dataset or "gsm8k", split=split)
    return _Read(path, questions=questions, rejects=rejects)


def _read_branched(path: Path, dataset: str | None, split: str | None) -> _Read:
    from bswirl.formats.branched import read_branched
    from bswirl.formats.lines import split_of
    from bswirl.formats.placing import place

    rows, rejects = read_branched(path)
    samples, misplaced = place(str(path), rows, dataset=dataset or path.stem, split=split_of(path, split))
    raw = {row.line: row.raw for row in rows}
    return _Read(path, samples=samples, rejects=[*rejects, *misplaced], raw=raw)


def _take_in(client: Client, read: _Read, rejects_folder: Path) -> dict[str, Any]:
    """Imports what one file held and reports what it did not take."""
    from bswirl.formats.lines import Reject, write_rejects

    rejects = list(read.rejects)
    if read.samples:
        outcome = client.import_samples(read.samples, read.path.name)
        for conflict in outcome["conflicts"]:
            line, reason = conflict["line"], conflict["reason"]
            rejects.append(Reject(str(read.path), line, reason, read.raw.get(line, "")))
    else:
        outcome = client.import_questions(read.questions)
        for address in outcome["changed"][:NAMED_REJECTS]:
            warn(f"{address} is in the project with other content; left as it is")
    rejects.sort(key=lambda reject: reject.line)
    kept = write_rejects(rejects_folder, read.path, rejects) if rejects else None
    _report(read.path, rejects, kept)
    return {
        "file": str(read.path),
        "new": outcome["new"],
        "known": outcome["known"],
        "changed": outcome.get("changed", []),
        "rejected": len(rejects),
        "rejects_file": str(kept) if kept else None,
    }


def _report(path: Path, rejects: list[Reject], kept: Path | None) -> None:
    for reject in rejects[:NAMED_REJECTS]:
        warn(str(reject))
    if kept is not None:
        more = f" ({len(rejects) - NAMED_REJECTS} more)" if len(rejects) > NAMED_REJECTS else ""
        warn(f"{path}: {len(rejects)} lines rejected{more}; they are kept in {kept}")


@click.command()
@click.argument("file", metavar="FILE", type=FILE)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--split", type=click.Choice(SPLITS), default="train", show_default=True)
@click.option("--count", type=click.IntRange(min=1), default=200, show_default=True)
def problems(file: Path, seed: int, split: str, count: int) -> None:
    """Writes templated word problems with annotated solutions as GSM8K-style JSONL.

    Splits share no problem, whatever the seed; `bswirl import gsm8k FILE --dataset NAME` takes them in.
    """
    from bswirl.formats.lines import write_atomically
    from bswirl.problems import make_problems

    wanted = {name: count if name == split else 0 for name in SPLITS}
    made = make_problems(seed, **wanted)
    lines = (json.dumps({"question": problem.text, "answer": problem.solution}) for problem in made)
    note(f"{file}: {write_atomically(file, lines)} {split} problems")
