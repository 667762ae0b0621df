"""`bswirl export`: samples and trained policies out to files."""

from __future__ import annotations

from pathlib import Path

import click

from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note, print_json
from bswirl.errors import InputError
from bswirl.runs.folder import RunFolder

PATH = click.Path(path_type=Path)


@click.group()
def export() -> None:
    """Writes the project's samples, or what a run trained, to files that other programs read."""


@export.command("branched")
@click.argument("file", metavar="FILE", type=PATH)
@click.option("--dataset", metavar="NAME", help="Only this dataset.")
@json_option
@pass_invocation
def export_branched(invocation: Invocation, file: Path, dataset: str | None, as_json: bool) -> None:
    """Exports every sample with its reward and label, one a line. FILE `-` is stdout."""
    from bswirl.formats.branched import encode_row, write_branched

    with invocation.connect() as client:
        rows = client.export_samples(dataset)
        if str(file) == "-":
            for row in rows:
                click.echo(encode_row(row))
            return
        count = write_branched(file, rows)
    if as_json:
        print_json({"format": "branched", "file": str(file), "samples": count})
    else:
        note(f"{file}: {count} samples")


@export.command("adapter")
@click.argument("run", metavar="RUN")
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--merged", is_flag=True, help="The whole model, with the adapter in its weights.")
@click.option("--best", is_flag=True, help="The best adapter on held-out questions, not the last.")
@click.option(
    "--dtype",
    type=click.Choice(["bfloat16", "float32"]),
    help="Of the weights; else as the adapter was saved, or the base trained on.",
)
@json_option
@pass_invocation
def export_adapter(
    invocation: Invocation,
    run: str,
    folder: Path,
    merged: bool,
    best: bool,
    dtype: str | None,
    as_json: bool,
) -> None:
    """Exports what a training run made.

    That is an adapter for PEFT or, merged, a model that transformers loads and vLLM serves. RUN is the run's
    number, or its folder, which needs no project. DIR is made and must not hold anything.
    """
    from bswirl.exporting.export import export_trained
    from bswirl.exporting.trained import read_trained

    trained = read_trained(_run_folder(invocation, run), best=best)
    made = export_trained(trained, folder, merged=merged, dtype=dtype, log=note)
    if as_json:
        print_json(made)
        return
    for line in made["notes"]:
        note(f"note: {line}")
    what = "model" if merged else "adapter"
    note(f"{folder}: the {what} of {made['run']}, {sum(made['files'].values()) / 1e6:.1f} MB")


def _run_folder(invocation: Invocation, run: str) -> RunFolder:
    """The folder that RUN names."""
    if not run.isdecimal():
        return RunFolder(Path(run).expanduser())
    folder = RunFolder(invocation.project().run_folder(int(run)))
    if not folder.path.is_dir():
        raise InputError(f"there is no run {run} in this project", "see `bswirl runs list`")
    return folder
