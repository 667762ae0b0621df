"""`bswirl init`: makes a project."""

from __future__ import annotations

from pathlib import Path

import click

from bswirl.cli.output import note


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--demo", is_flag=True, help="Fill it with the demo data: sampled, judged and trained on.")
def init(folder: Path, demo: bool) -> None:
    """Makes a project in the folder DIR, which must not hold one yet."""
    if demo:
        from bswirl.demo import create_demo

        create_demo(folder)
        note(f"made the demo project {folder} — open it with `bswirl -p {folder}`")
        return
    from bswirl.project import Project

    Project.create(folder)
    note(f"made the project {folder} — next: `bswirl -p {folder} import gsm8k FILE`")
