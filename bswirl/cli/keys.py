"""`bswirl keys`: what the keys of the app do, with the project's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from bswirl_tui.actions import ActionSpec


@click.command()
@json_option
@pass_invocation
def keys(invocation: Invocation, as_json: bool) -> None:
    """Lists the keys of the app by action.

    A project maps them in bswirl.toml by the action's name: a table [keys] with lines such as
    "label.good" = "x" or "label.good" = ["x", "f2"].
    """
    specs = _specs(invocation)
    if as_json:
        print_json({"actions": [_entry(spec) for spec in specs]})
        return
    rows = ((spec.all_keys_display, spec.id, spec.description) for spec in specs)
    print_table(("keys", "action", "does"), rows)


def _specs(invocation: Invocation) -> tuple[ActionSpec, ...]:
    """The actions with the keys of the project; where there is none and none was named, the usual ones."""
    from bswirl.project import load_settings
    from bswirl_tui.keymap import mapped

    project = invocation.project_if_any()
    return mapped(load_settings(project).keys if project else {})


def _entry(spec: ActionSpec) -> dict[str, object]:
    return {
        "action": spec.id,
        "keys": [_shown(key) for key in spec.keys],
        "label": spec.label,
        "description": spec.description,
        "group": spec.group,
        "where": list(spec.contexts),
    }


def _shown(key: str) -> str:
    from bswirl_tui.actions import display_key

    return display_key(key)
