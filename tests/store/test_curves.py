"""Curves thinned without losing extremes, and the held-out actions that moved most."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bswirl.errors import InputError
from bswirl.store.curves import read_metrics, read_moved
from tests.store.kit import Kit, trajectory


class TestThinning:
    """A long curve in few points."""

    def test_spike_gap_and_ends_survive(self, kit: Kit) -> None:
        """Of 5,000 points 100 are asked for."""
        run = kit.run("train")
        odd = {0: 0.25, 777: 9.0, 3210: -4.0, 4321: math.nan, 4999: 0.75}
        kit.feed(
            run,
            *(
                {"t": "metrics", "step": step, "values": {"loss": odd.get(step, 0.5), "few": 1.0 * step}}
                if step < 3
                else {"t": "metrics", "step": step, "values": {"loss": odd.get(step, 0.5)}}
                for step in range(5000)
            ),
        )
        curves = read_metrics(kit.cursor, run, most=100)
        kept = dict(map(tuple, curves["loss"]))  # type: ignore[arg-type]
        assert len(kept) <= 160
        assert list(kept) == sorted(kept)
        assert {step: kept[step] for step in odd if step != 4321} == {
            step: value for step, value in odd.items() if step != 4321
        }
        assert math.isnan(kept[4321])
        assert curves["few"] == [[0, 0.0], [1, 1.0], [2, 2.0]]

    def test_short_curves_come_whole(self, kit: Kit) -> None:
        """The same points as without a limit, also beyond a step."""
        run = kit.run("train")
        kit.feed(run, b'{"t":"metrics","step":1,"values":{"a":NaN,"b":Infinity,"c":null}}\n')
        kit.feed(run, {"t": "metrics", "step": 2, "values": {"b": 3.0}})
        assert read_metrics(kit.cursor, run, after=1, most=2) == {"b": [[2, 3.0]]}
        assert read_metrics(kit.cursor, run, most=2)["b"] == [[1, math.inf], [2, 3.0]]

    def test_what_is_left_out_is_told_by_number_and_mean(self, kit: Kit) -> None:
        """Each finite point is counted with the first kept one from it on; extremes are kept as before."""
        run = kit.run("train")
        odd = {0: math.nan, 777: 1e308, 778: 1e308, 3210: -4.0, 4321: math.inf}
        values = [odd.get(step, float(step % 7)) for step in range(5000)]
        rows = ({"t": "metrics", "step": step, "values": {"a": value}} for step, value in enumerate(values))
        kit.feed(run, *rows)
        kit.feed(run, {"t": "metrics", "step": 5000, "values": {"few": 2.0}})
        found = read_metrics(kit.cursor, run, most=100, shares=True)
        assert found["few"] == [[5000, 2.0, 1, 2.0]]
        plain = read_metrics(kit.cursor, run, most=100)["a"]
        assert [step for step, *_ in found["a"]] == [step for step, _ in plain]
        assert found["a"][0][2:] == [0, None]
        before = -1
        for step, _, number, mean in found["a"]:
            left = [value for value in values[before + 1 : step + 1] if math.isfinite(value)]
            assert number == len(left)
            assert mean is None or mean == pytest.approx(math.fsum(left) / len(left))
            before = step

    def test_a_stretch_of_some_curves(self, kit: Kit) -> None:
        """Between two steps, whole or thinned, and nothing else."""
        run = kit.run("train")
        rows = ({"t": "metrics", "step": n, "values": {"a": 1.0 * n, "b": -1.0 * n}} for n in range(1, 901))
        kit.feed(run, *rows)
        exact = read_metrics(kit.cursor, run, after=99, most=50, until=140, names=["b", "none"])
        assert exact == {"b": [[n, -1.0 * n] for n in range(100, 141)]}
        coarse = read_metrics(kit.cursor, run, after=99, most=50, until=600, names=["a"])["a"]
        assert len(coarse) <= 80
        assert (coarse[0], coarse[-1]) == ([100, 100.0], [600, 600.0])


class TestMoved:
    """From a point of a curve to the actions behind it."""

    @pytest.fixture
    def run(self, kit: Kit) -> int:
        kit.questions(1)
        kit.feed(kit.run("generate"), trajectory(1, 1, "Step 1: a", "Step 2: b", "Answer: 24"))
        run = kit.run("train", 7)
        kit.feed(
            run,
            *(
                {"t": "shifts", "step": step, "rows": [[n, r, s, 9] for n, r, s in rows]}
                for step, rows in {
                    0: [(1, 1.0, 0.0), (2, 0.0, 0.0), (3, 1.0, 0.0)],
                    10: [(1, 1.0, 0.5), (2, 0.0, -2.0), (3, 1.0, 0.1)],
                    20: [(1, 1.0, 3.0), (2, 0.0, -2.1), (3, 1.0, -0.9)],
                }.items()
            ),
        )
        return run

    def _order(self, found: dict[str, Any]) -> list[tuple[int, float]]:
        return [(row["action_id"], round(row["change"], 6)) for row in found["rows"]]

    def test_newest_probe_up_to_a_step(self, kit: Kit, run: int) -> None:
        """Largest change since the probe before first."""
        found = read_moved(kit.cursor, run, until=19)
        assert (found["step"], found["before"], found["actions"]) == (10, 0, 3)
        assert self._order(found) == [(2, -2.0), (1, 0.5), (3, 0.1)]
        newest = read_moved(kit.cursor, run, limit=2)
        assert newest["step"] == 20
        assert self._order(newest) == [(1, 2.5), (3, -1.0)]

    def test_first_probe_has_none_before(self, kit: Kit, run: int) -> None:
        """Its shifts are the change."""
        found = read_moved(kit.cursor, run, until=0)
        assert (found["step"], found["before"]) == (0, None)
        assert {row["before"] for row in found["rows"]} == {None}

    def test_rows_say_where_the_action_is(self, kit: Kit, run: int) -> None:
        """Enough to open it in its tree."""
        row = read_moved(kit.cursor, run, until=10)["rows"][0]
        text, question = kit.cursor.execute(
            "SELECT text, question_id FROM actions WHERE action_id = 2"
        ).fetchall()[0]
        assert (row["text"], row["question_id"], row["reward"], row["shift"]) == (text, question, 0.0, -2.0)
        assert row["address"].count(":") == 1

    def test_what_is_not_finite_comes_last(self, kit: Kit, run: int) -> None:
        """A run that diverged: it has not moved furthest, and nothing that has is pushed off the list."""
        rows = b"[[1,1.0,NaN,9],[2,0.0,-4.5,9],[3,1.0,-Infinity,9]]"
        kit.feed(run, b'{"t":"shifts","step":30,"rows":' + rows + b"}\n")
        found = read_moved(kit.cursor, run)
        assert found["actions"] == 3
        assert [row["action_id"] for row in found["rows"]] == [2, 1, 3]
        assert [row["action_id"] for row in read_moved(kit.cursor, run, limit=1)["rows"]] == [2]

    def test_without_a_probe(self, kit: Kit) -> None:
        """Nothing, and no run is an error."""
        assert read_moved(kit.cursor, kit.run("train", 8)) == {
            "step": None, "before": None, "actions": 0, "rows": [],
        }  # fmt: skip
        with pytest.raises(InputError):
            read_moved(kit.cursor, 99)
