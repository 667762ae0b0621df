"""The command line that a form shows says what the form does: the command reads it back."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from copy import copy
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.cli.generating import generate
from bswirl.cli.work import evaluate, judge, train
from bswirl.launch import Option, form_command, form_options, parse_options, split_rule, typed
from bswirl.launch.conducted import ROUND_OPTIONS
from bswirl.selections import SELECTION_FIELDS

COMMANDS: dict[str, click.Command] = {
    "generate": generate,
    "judge": judge,
    "train": train,
    "evaluate": evaluate,
}
KINDS = tuple(COMMANDS)
NAMES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=12).filter(
    str.strip
)


def _bounds(option: Option, *, step: float) -> tuple[float, float]:
    low = option.least if option.least is not None else (option.above or 0.0) + step
    high = (
        option.most if option.most is not None else math.inf if option.below is None else option.below - step
    )
    return low, min(high, 1e9)


def values_of(option: Option) -> st.SearchStrategy[Any]:
    """Values that the option takes, as its own type."""
    if option.kind == "flag":
        return st.booleans()
    if option.kind == "choice":
        return st.sampled_from(option.choices)
    if option.kind == "whole":
        low, high = _bounds(option, step=1)
        return st.integers(int(low), int(high))
    if option.kind == "number":
        low, high = _bounds(option, step=1e-9)
        return st.floats(low, high)
    if option.kind == "range":
        return st.tuples(st.floats(-5, 5), st.floats(-5, 5)).map(lambda ends: (min(ends), max(ends)))
    if option.kind == "list":
        return st.lists(NAMES.filter(lambda name: "," not in name).map(str.strip), min_size=1).map(tuple)
    return NAMES


@st.composite
def filled_in(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """A form of which any field may be filled in, as texts or not."""
    values: dict[str, Any] = {}
    for option in form_options(kind):
        if option.required or draw(st.booleans()):
            value = draw(values_of(option))
            values[option.name] = typed(value) if draw(st.booleans()) else value
    return consistent(kind, values, judge=draw(NAMES))


def consistent(kind: str, values: dict[str, Any], judge: str) -> dict[str, Any]:
    """Without what contradicts itself, which is refused."""
    left_out: set[str] = set()
    if kind == "train" and "selection" in values:
        left_out = set(SELECTION_FIELDS)
    elif kind == "train" and "difficulty" not in values:
        left_out = {"difficulty_by"}
    elif kind == "generate":
        rounds = values.setdefault("until_live", False) in (True, "yes")
        values["until_live"] = rounds
        left_out = set() if rounds else {option.name for option in ROUND_OPTIONS} - {"until_live"}
        if rounds:
            values.setdefault("judge", judge)
    return {name: value for name, value in values.items() if name not in left_out}


def read_back(kind: str, words: str) -> dict[str, Any]:
    """What the command of that kind makes of a shell's line."""
    program, name, *arguments = shlex.split(words)
    assert (program, name) == ("bswirl", kind)
    command = copy(COMMANDS[kind])  # which remembers the context that it was first asked in
    given = command.make_context(name, arguments).params
    known = {option.name for option in form_options(kind)}
    return {name: value for name, value in given.items() if name in known and value is not None}


def meant(kind: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    options, rule = split_rule(values)
    usual = {o.name: o.default for o in form_options(kind)}
    return parse_options(kind, options), {name: v for name, v in rule.items() if v != usual[name]}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_command_reads_back_as_the_form(kind: str, data: st.DataObject) -> None:
    """Whatever is filled in, no option is lost, added or changed."""
    values = data.draw(filled_in(kind))
    assert meant(kind, read_back(kind, form_command(kind, values))) == meant(kind, values)
