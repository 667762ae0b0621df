"""Scales: round limits that stay put, ticks that fit, and values of every size."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl_tui.charts.scale import linear, logarithmic, round_end, shown, steps, tick_label

ANY = st.floats(allow_nan=False, allow_infinity=False)


class TestLinear:
    """What lies between the lowest and the highest value."""

    @given(st.lists(ANY, min_size=1, max_size=6), st.integers(1, 9))
    def test_every_value_has_a_place(self, values: list[float], ticks: int) -> None:
        """Between the ends, in order, whatever their size; labels fit."""
        scale = linear(values, ticks)
        places = [scale.place(value) for value in sorted(values)]
        assert all(0 <= place <= 1 for place in places)
        assert places == sorted(places)
        assert scale.low < scale.high
        assert all(len(tick_label(tick, scale)) <= 7 for tick in scale.ticks)

    def test_limits_are_round_and_stay_put(self) -> None:
        """A slightly larger value changes nothing, so nothing is redrawn."""
        assert linear([0.0, 0.93], 5) == linear([0.0, 0.97], 5)
        assert linear([0.0, 0.97], 5).ticks == pytest.approx((0, 0.2, 0.4, 0.6, 0.8, 1.0))

    def test_constant_lies_in_the_middle(self) -> None:
        """Also a large one, and zero."""
        for value in (0.0, 2.0, -1e9, 1e16):
            assert linear([value, value], 4).place(value) == pytest.approx(0.5, abs=0.26)

    def test_values_a_hair_apart_are_one(self) -> None:
        """Down to the smallest float, of which no half can be made."""
        for high in (5e-324, 1e-310, 1e-300):
            scale = linear([0.0, high], 3)
            assert scale.low < 0 < scale.high
            assert all(len(tick_label(tick, scale)) <= 7 for tick in scale.ticks)


class TestLogarithmic:
    """Values above 0 by their logarithm."""

    @given(st.lists(ANY, min_size=1, max_size=6), st.integers(1, 9))
    def test_values_above_zero_have_a_place(self, values: list[float], ticks: int) -> None:
        scale = logarithmic(values, ticks)
        if scale is None:
            assert all(value <= 0 for value in values)
            return
        assert all(0 <= scale.place(value) <= 1 for value in values)
        assert 0 < scale.low < scale.high < math.inf

    def test_decades_are_equally_far(self) -> None:
        scale = logarithmic([0.01, 100.0], 4)
        assert scale is not None
        assert [scale.place(10.0**power) for power in range(-2, 3)] == pytest.approx([0, 0.25, 0.5, 0.75, 1])


class TestSteps:
    """The axis below."""

    def test_end_of_a_growing_run_seldom_moves(self) -> None:
        """Over 28,800 steps fewer than forty times."""
        ends = [round_end(step) for step in range(28_800)]
        assert all(end >= step for step, end in enumerate(ends))
        assert len(set(ends)) < 40
        assert max(ends) == 30_000

    def test_round_steps(self) -> None:
        assert steps(0, 400, 4) == [0, 100, 200, 300, 400]
        assert steps(7, 9, 4) == [7, 8, 9]
        assert steps(5, 5, 4) == [5]


class TestLabels:
    """Numbers in few cells."""

    @pytest.mark.parametrize(
        ("low", "high", "labels"),
        [
            (0, 1, ["0.0", "0.5", "1.0"]),
            (0, 5000, ["0", "2500", "5000"]),
            (-0.0002, 0.0002, ["-0.0002", "0", "0.0002"]),
        ],
    )
    def test_ticks(self, low: float, high: float, labels: list[str]) -> None:
        scale = linear([low, high], 2)
        found = [tick_label(tick, scale) for tick in scale.ticks]
        assert {label.replace("0.0", "0") for label in labels} <= {
            label.replace("0.0", "0") for label in found
        }

    def test_read_out(self) -> None:
        assert [shown(value) for value in (0.0, 0.12345, 1234.5, 1e-7, 2.5e9, math.nan, -math.inf)] == [
            "0", "0.1235", "1234", "1.00e-07", "2.50e+09", "nan", "-inf",
        ]  # fmt: skip
