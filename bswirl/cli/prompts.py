"""`bswirl prompts`: what policies and judges behind a chat interface are told, and copies of it to edit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, note, print_facts, print_json, print_table
from bswirl.errors import BswirlError, InputError, UsageError

if TYPE_CHECKING:
    from bswirl.project import Project
    from bswirl.prompts import Prompt

_NAMES = click.Choice(["solution", "step", "judge"])


@click.group()
def prompts() -> None:
    """The prompts of served policies and of judges that are models."""


@prompts.command("list")
@json_option
@pass_invocation
def prompts_list(invocation: Invocation, as_json: bool) -> None:
    """Lists the shipped prompts, and the files that the project's settings name."""
    from bswirl.prompts import PURPOSES, shipped

    rows: list[dict[str, Any]] = [
        {"prompt": purpose, "file": None, "used_by": [], "error": None, **_about(shipped(purpose))}
        for purpose in PURPOSES
    ]
    for path, users in _named_files(invocation.project_if_any()).items():
        row: dict[str, Any] = {"prompt": Path(path).name, "file": path, "used_by": users, "error": None}
        try:
            row |= _about(_read(path))
        except BswirlError as error:
            row["error"] = str(error)
        rows.append(row)
    if as_json:
        print_json({"prompts": rows})
        return
    print_table(
        ("prompt", "purpose", "version", "sha", "used by", ""),
        (
            (
                row["prompt"],
                row.get("purpose"),
                row.get("version") or None,
                str(row.get("sha") or "")[:12] or None,
                ", ".join(row["used_by"]) or ("whoever names no other" if row["file"] is None else None),
                row["error"] or row["file"] or "shipped",
            )
            for row in rows
        ),
    )


@prompts.command("show")
@click.argument("name", type=_NAMES)
@json_option
def prompts_show(name: str, as_json: bool) -> None:
    """Shows the shipped prompt NAME as the messages that are sent."""
    from bswirl.prompts import PURPOSES, shipped

    _print_prompt(shipped(next(purpose for purpose in PURPOSES if purpose == name)), as_json=as_json)


@prompts.command("copy")
@click.argument("name", type=_NAMES)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def prompts_copy(name: str, file: Path) -> None:
    """Writes the shipped prompt NAME to FILE, to be edited. FILE must not be there yet."""
    from bswirl.prompts import PURPOSES, shipped_text

    purpose = next(purpose for purpose in PURPOSES if purpose == name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="") as copy:
            copy.write(shipped_text(purpose))
    except FileExistsError:
        raise UsageError(f"{file} is there already", "give another name: nothing is overwritten") from None
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}", "choose another place") from error
    use = {
        "judge": f"`bswirl judge --judge NAME --prompt {file}`",
        "solution": f'solution_prompt = "{file}" in [policies.NAME] of bswirl.toml',
        "step": f'step_prompt = "{file}" in [policies.NAME] of bswirl.toml',
    }
    note(f"copied to {file}; check it with `bswirl prompts check {file}`, use it with {use[purpose]}")


@prompts.command("check")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@json_option
def prompts_check(file: Path, as_json: bool) -> None:
    """Reads the prompt in FILE and shows the messages that it makes; ends with 3 where it is wrong."""
    _print_prompt(_read(str(file)), as_json=as_json)


def _read(path: str) -> Prompt:
    from bswirl.prompts import Prompt, prompt_text

    return Prompt.parse(prompt_text(Path(path)), path)


def _about(prompt: Prompt) -> dict[str, Any]:
    return {
        "name": prompt.name,
        "purpose": prompt.purpose,
        "version": prompt.version,
        "sha": prompt.sha,
        "examples": len(prompt.examples),
        "placeholders": list(prompt.placeholders),
    }


def _print_prompt(prompt: Prompt, *, as_json: bool) -> None:
    # Every placeholder with itself put in: what is seen is what is sent.
    said = prompt.messages(**{name: f"{{{name}}}" for name in prompt.placeholders})
    if as_json:
        messages = [{"role": role, "content": content} for role, content in said]
        print_json({**_about(prompt), "messages": messages})
        return
    about = _about(prompt)
    print_facts(
        [
            ("prompt", f"{about['name']}, version {about['version'] or 'not given'}"),
            ("purpose", about["purpose"]),
            ("sha", about["sha"]),
            ("examples", about["examples"]),
            ("letters", sum(len(content) for _, content in said)),
        ]
    )
    from bswirl.display import safe_text

    for role, content in said:
        click.echo(f"\n── {role} ──\n{safe_text(content)}")


def _named_files(project: Project | None) -> dict[str, list[str]]:
    """The prompt files that the settings name, and who uses each."""
    from bswirl.project import load_settings

    found: dict[str, list[str]] = {}
    if project is None:
        return found
    settings = load_settings(project)
    for policy in settings.policies.values():
        for path in (policy.solution_prompt, policy.step_prompt):
            if path is not None:
                found.setdefault(path, []).append(f"policy {policy.name}")
    for judge in settings.judges.values():
        if judge.prompt is not None:
            found.setdefault(judge.prompt, []).append(f"judge {judge.name}")
    return found
