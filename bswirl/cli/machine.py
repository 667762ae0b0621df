"""Commands about this machine: weights, workers, the owner process, shell completion."""

from __future__ import annotations

from pathlib import Path

import click

from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note, print_facts, print_json

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("model", type=click.Choice(["smollm2"]))
@click.option(
    "--into",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Also copy it into the new folder DIR, for a server to load: it samples there.",
)
@json_option
def fetch(model: str, into: Path | None, as_json: bool) -> None:  # noqa: ARG001  (there is one to fetch)
    """Fetches the embedded model's weights into the user's cache, checked against their SHA-256."""
    from bswirl.launch.checks import SAMPLING_PACKAGES, check_packages
    from bswirl.policies.smollm2 import copy_for_serving, ensure_smollm2

    check_packages((*SAMPLING_PACKAGES, "gguf"), "converting the embedded model")
    folder = ensure_smollm2(log=note)
    if into is not None:
        copy_for_serving(into, log=note)
        folder = into
    if as_json:
        print_json({"model": "smollm2", "folder": str(folder)})
    else:
        note(f"smollm2 is in {folder}")


@click.command()
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.pass_context
def worker(context: click.Context, folder: Path) -> None:
    """Works on the run folder FOLDER in the foreground, without a project or an owner."""
    from bswirl.worker import main

    context.exit(main(str(folder)))


@click.group()
def owner() -> None:
    """The process that holds the project's store open; it starts and ends by itself."""


@owner.command("status")
@json_option
@pass_invocation
def owner_status(invocation: Invocation, as_json: bool) -> None:
    """Says whether the owner runs."""
    from bswirl.runs.locks import lock_holder

    project = invocation.project()
    holder = lock_holder(project.owner_lock)
    facts = {"project": str(project.root), "running": holder is not None, **(holder or {})}
    if as_json:
        print_json(facts)
    else:
        print_facts(facts.items())


@owner.command("stop")
@pass_invocation
def owner_stop(invocation: Invocation) -> None:
    """Ends the owner; the next command starts a new one. Runs go on."""
    from bswirl.client import stop_owner

    note("the owner has ended" if stop_owner(invocation.project()) else "no owner was running")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Prints the completion script for SHELL: `eval "$(bswirl completion bash)"`."""
    from click.shell_completion import get_completion_class

    from bswirl.cli.root import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(cli, {}, "bswirl", "_BSWIRL_COMPLETE").source())
