"""The generated pages of the documentation: `python -m bswirl.cli.reference [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

DOCS = Path(__file__).resolve().parents[2] / "docs"
_MADE = "<!-- Made by `make docs` from the code. -->"
_KEYS = """Give an action other keys in `bswirl.toml`; footer, help, palette and `bswirl keys` follow:

```toml
[keys]
"label.good" = "x"
"question.search" = ["/", "ctrl+f"]
```

Keys are written as here: a character, `space`, `enter`, `f2`, `ctrl+x` or `^x`. An action that is not there,
a key that terminals do not send (such as `ctrl+1`), and one that would mean two things in one place, is an
error that names the line; until it is mended, the app has its usual keys."""


def pages() -> dict[str, str]:
    """The generated pages, by file name."""
    return {"commands.md": commands_page(), "keys.md": keys_page()}


def commands_page() -> str:
    """Every command with its help, in the order in which `bswirl --help` shows them."""
    from bswirl.cli.root import cli

    lines = ["# Commands", "", _MADE]
    for path, command, context in _walk(cli, "bswirl", None):
        help_text = command.get_help(context).rstrip()
        lines += ["", f"## {path}", "", "```text", *(line.rstrip() for line in help_text.splitlines()), "```"]
    return "\n".join(lines) + "\n"


def _walk(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    context.terminal_width = context.max_content_width = 100
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from _walk(found, child, context)


def keys_page() -> str:
    """Every key of the app, by the groups of its help screen."""
    from bswirl_tui.actions import DEFAULTS as ACTIONS

    lines = ["# Keys", "", _MADE, "", _KEYS]
    for group in dict.fromkeys(action.group for action in ACTIONS):
        lines += ["", f"## {group}", "", "| key | does | where | action |", "| --- | --- | --- | --- |"]
        for action in (action for action in ACTIONS if action.group == group):
            keys = " ".join(f"`{key}`" for key in action.all_keys_display.split())
            where = ", ".join(action.contexts)
            lines.append(f"| {keys} | {action.description} | {where} | `{action.id}` |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Writes the pages, or with `--check` says which ones are not as the code has them."""
    if arguments not in ([], ["--check"]):
        click.echo("usage: python -m bswirl.cli.reference [--check]", err=True)
        return 2
    stale = []
    for name, text in pages().items():
        path = DOCS / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not arguments:
            path.write_text(text, encoding="utf-8")
    if not arguments:
        click.echo(f"wrote {', '.join(stale)}" if stale else "nothing to write", err=True)
        return 0
    for name in stale:
        click.echo(f"docs/{name} is not what the code says — run `make docs`", err=True)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
