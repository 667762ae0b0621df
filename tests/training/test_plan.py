"""The plan's fingerprint changes with what decides a run's outcome, and with nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bswirl.training.plan import fingerprint
from bswirl.training.rows import RowSet, build_rows
from bswirl.training.settings import TrainSettings
from tests.tiny import small_tree, tiny_tokenizer
from tests.training.runs import LIVE, QUICK


def rows(**settings: Any) -> RowSet:
    trees = [small_tree(number, LIVE, probe=number == 4) for number in (1, 2, 4)]
    return build_rows(trees, tiny_tokenizer(), TrainSettings.from_dict(QUICK | settings))


def test_same_plan_same_fingerprint() -> None:
    """Made anew from the same folder, in whatever order its questions come."""
    made, again = rows(), rows()
    again = replace(again, rows=dict(reversed(again.rows.items())))
    assert fingerprint(QUICK, made) == fingerprint(dict(reversed(QUICK.items())), again)


@pytest.mark.parametrize("name", ["device", "checkpoint_every", "keep_checkpoints", "tensorboard"])
def test_where_a_run_works_and_what_it_keeps_is_free(name: str) -> None:
    """A run may be brought to another machine."""
    assert fingerprint(QUICK | {name: "another"}, rows()) == fingerprint(QUICK, rows())


@pytest.mark.parametrize(
    "settings", [{"learning_rate": 1e-3}, {"pack_tokens": 401}, {"seed": 1}, {"lora_r": 3}, {"epochs": 4}]
)
def test_settings_count(settings: dict[str, Any]) -> None:
    """Those that decide the outcome, to the last bit."""
    assert fingerprint(QUICK | settings, rows()) != fingerprint(QUICK, rows())


def test_rows_count() -> None:
    """A token, a reward, a coefficient, a question, the probe."""
    made = rows()
    first = made.rows[1][0]
    others = [
        replace(first, ids=(*first.ids[:-1], 0)),
        replace(first, coefficient=first.coefficient + 1e-12),
        replace(first, samples=first.samples + 1),
        replace(first, action_start=first.action_start - 1),
    ]
    changed = [replace(made, rows={**made.rows, 1: [other, *made.rows[1][1:]]}) for other in others]
    changed.append(replace(made, rows={1: made.rows[1]}))
    changed.append(replace(made, probe=made.probe[1:]))
    changed.append(replace(made, held_out=[]))
    assert len({fingerprint(QUICK, one) for one in (made, *changed)}) == 1 + len(changed)


def test_states_of_fresh_actions_count() -> None:
    """`swirl-onpolicy` has states in place of rows."""
    made = rows(objective="swirl-onpolicy")
    assert made.states
    fewer = replace(made, states={1: made.states[1][:1], 2: made.states[2]})
    assert fingerprint(QUICK, made) != fingerprint(QUICK, fewer)
