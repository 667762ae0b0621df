"""The ledger: written whole, read back by key, counted over all attempts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.serving.calls import Choice, Failure, Reply
from bswirl.serving.ledger import BROKEN_OFF, LEDGER, Ledger, failure_row, outcome_of, reply_row

REPLY = Reply((Choice("yes\n\x1b[2J", "stop", 3),), 100, 3, 0.25, 0.5, 2)


def key_of(number: int) -> str:
    return f"{number:064x}"


def write(path: Path, *rows: dict[str, object]) -> None:
    ledger = Ledger(path)
    for row in rows:
        ledger.append(row)
    ledger.close()


def test_comes_back_by_key(tmp_path: Path) -> None:
    path = tmp_path / LEDGER
    write(path, *(reply_row(key_of(number), "m", replace(REPLY, attempts=number)) for number in range(1, 50)))
    ledger = Ledger(path)
    assert ledger.find(key_of(7)) == replace(REPLY, attempts=7, recorded=True)
    assert ledger.find(key_of(99)) is None
    assert ledger.spending.calls == 49
    assert ledger.spending.requests == sum(range(1, 50))
    assert ledger.spending.cost == pytest.approx(49 * 0.25)


def test_the_newest_of_a_key_counts(tmp_path: Path) -> None:
    path = tmp_path / LEDGER
    write(path, reply_row(key_of(1), "m", REPLY), reply_row(key_of(1), "m", replace(REPLY, attempts=9)))
    found = Ledger(path).find(key_of(1))
    assert isinstance(found, Reply)
    assert found.attempts == 9


@pytest.mark.parametrize(
    ("kind", "is_final"),
    [("refused", True), ("too-long", True), ("gave-up", False), ("malformed", False), (BROKEN_OFF, False)],
)
def test_failures_that_may_pass_are_asked_again(kind: str, is_final: bool, tmp_path: Path) -> None:
    write(tmp_path / LEDGER, failure_row(key_of(1), "m", kind, "said no", 3, uncertain=0.5))
    ledger = Ledger(tmp_path / LEDGER)
    found = ledger.find(key_of(1))
    if is_final:
        assert isinstance(found, Failure)
        assert (found.kind, found.message, found.attempts) == (kind, "said no", 3)
    else:
        assert found is None
    assert ledger.spending.failures == (kind != BROKEN_OFF)
    assert (ledger.spending.requests, ledger.spending.uncertain) == (3, 0.5)


def test_a_torn_last_line_is_cut(tmp_path: Path) -> None:
    """At every byte: what was whole stays, and the next row begins on a line of its own."""
    path = tmp_path / LEDGER
    write(path, reply_row(key_of(1), "m", REPLY), reply_row(key_of(2), "m", REPLY))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole), 7):
        path.write_bytes(whole[:cut])
        write(path, reply_row(key_of(3), "m", REPLY))
        ledger = Ledger(path)
        assert [ledger.find(key_of(number)) is not None for number in (1, 2, 3)] == [True, False, True]
        assert len(path.read_bytes().splitlines()) == 2


def test_lines_that_somebody_broke_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / LEDGER
    good = json.dumps(reply_row(key_of(1), "m", REPLY))
    broken = ["nonsense", "[]", "5", "null", '{"key": 5}', '{"key": "zz"}', '{"cost": "much"}', "", "\x00"]
    half = json.dumps({**reply_row(key_of(2), "m", REPLY), "choices": [{"text": "t"}]})
    path.write_text("\n".join([*broken, good, half, ""]))
    ledger = Ledger(path)
    assert ledger.find(key_of(1)) == replace(REPLY, recorded=True)
    assert ledger.find(key_of(2)) is None
    write(path, reply_row(key_of(3), "m", REPLY))
    assert Ledger(path).find(key_of(3)) is not None


def test_another_ledger_serves_and_is_copied(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new.jsonl"
    old.mkdir()
    failed = failure_row(key_of(2), "m", "refused", "no", 1)
    write(old / LEDGER, reply_row(key_of(1), "m", REPLY, part=True), failed)
    ledger = Ledger(new, [old, tmp_path / "missing", new])
    assert ledger.has_parts_elsewhere
    assert not ledger.has_parts
    assert ledger.holds(key_of(1))
    assert ledger.find(key_of(1)) == replace(REPLY, recorded=True, cost=0.0)
    assert ledger.find(key_of(2)) is None  # another server may take what that one refused
    assert (ledger.spending.cost, ledger.spending.calls) == (0.0, 0)
    ledger.close()
    again = Ledger(new)
    assert again.find(key_of(1)) == replace(REPLY, recorded=True, cost=0.0)
    assert (again.spending.cost, again.spending.recorded) == (0.0, 1)
    assert not again.has_parts


def test_thoughts_are_kept_and_are_no_text(tmp_path: Path) -> None:
    row = reply_row(key_of(1), "m", REPLY, ["so it is"])
    assert row["choices"][0]["reasoning"] == "so it is"
    assert outcome_of(row) == replace(REPLY, recorded=True)


finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=0)
choices = st.builds(
    lambda text, finish, pairs: Choice(
        text, finish, len(pairs) or None, sum(p for _, p in pairs) if pairs else None,
        tuple(t for t, _ in pairs), tuple(p for _, p in pairs),
    ),
    st.text(st.characters(exclude_categories=())), st.text(max_size=10),
    st.lists(st.tuples(st.text(max_size=5), finite), max_size=5),
)  # fmt: skip


@given(st.lists(choices, max_size=4), st.integers(0, 10**9), st.integers(0, 10**9))
def test_any_reply_survives_a_line_of_json(found: list[Choice], prompt: int, completion: int) -> None:
    reply = Reply(tuple(found), prompt, completion, 0.5, 1.25, 3)
    line = json.dumps(reply_row(key_of(1), "m", reply))
    assert "\n" not in line
    assert outcome_of(json.loads(line)) == replace(reply, recorded=True)
