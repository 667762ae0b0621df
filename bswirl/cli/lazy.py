"""A click group whose commands are imported when they are called, shown in sections."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

Sections = Mapping[str, Mapping[str, str]]


class LazyGroup(click.Group):
    """Commands by section: {"Section": {"name": "module:attribute"}}."""

    def __init__(self, *args: object, sections: Sections, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._sections = sections
        self._places = {name: place for section in sections.values() for name, place in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{place} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in self._sections.items():
            rows = []
            for name in commands:
                command = self.get_command(ctx, name)
                if command is not None and not command.hidden:
                    rows.append((name, command.get_short_help_str(limit=100)))
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)
