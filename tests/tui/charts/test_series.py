"""Points of curves: bounded, thinned without losing extremes, smoothed, cut."""

from __future__ import annotations

import math
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl_tui.charts.series import MOST_POINTS, RunCurves, Series, smoothed, thin


class TestGrowing:
    """New points are appended."""

    def test_known_steps_are_left_out(self) -> None:
        """The same answer twice, or one that overlaps, doubles nothing."""
        series = Series([(1, 0.5), (2, 0.25)])
        series.extend([(2, 9.0), (3, None), (3, 1.0)])
        assert list(series.steps) == [1, 2, 3]
        assert series.values[:2].tolist() == [0.5, 0.25]
        assert math.isnan(series.values[2])

    def test_long_run_stays_small_and_quick(self) -> None:
        """28,800 points one by one: bounded memory, the spike and the ends kept."""
        series, begin = Series(), time.process_time()
        for step in range(28_800):
            series.extend([(step, 100.0 if step == 777 else -7.0 if step == 9_001 else step / 28_800)])
        assert time.process_time() - begin < 5
        assert len(series) <= MOST_POINTS
        assert sys.getsizeof(series.steps) + sys.getsizeof(series.values) < 40 * MOST_POINTS
        assert {(777, 100.0), (9_001, -7.0)} <= set(zip(series.steps, series.values, strict=True))
        assert (series.steps[0], series.steps[-1]) == (0, 28_799)
        assert series.thinned

    def test_run_s_newest_step(self) -> None:
        run = RunCurves(1)
        run.extend({"a": [(3, 1.0)], "b": [(1, 1.0)], "c": []})
        assert run.newest == 3
        run.clear()
        assert (run.newest, run.series) == (-1, {})


class TestThinning:
    """Equal stretches keep their extremes."""

    @given(st.lists(st.floats(), min_size=1, max_size=400), st.integers(2, 60))
    def test_extremes_gaps_and_ends_stay(self, values: list[float], most: int) -> None:
        kept = thin(range(len(values)), values, most)
        assert kept == sorted(set(kept))
        assert {0, len(values) - 1} <= set(kept)
        finite = [value for value in values if math.isfinite(value)]
        if finite:
            shown = [values[place] for place in kept if math.isfinite(values[place])]
            assert (min(shown), max(shown)) == (min(finite), max(finite))
        if len(finite) < len(values):
            assert any(not math.isfinite(values[place]) for place in kept)
        assert len(kept) <= max(most * 3 // 2 + 4, 8) or len(values) <= most


class TestSmoothing:
    """A mean in which a point weighs half after so many steps."""

    def test_weights(self) -> None:
        """By hand: 0 and, two steps of half-life 2 later, 1."""
        assert smoothed(Series([(0, 0.0), (2, 1.0)]), 2).values[1] == pytest.approx(1 / 1.5)

    def test_constant_stays_and_gaps_stay(self) -> None:
        series = smoothed(Series([(0, 3.0), (1, math.nan), (5, 3.0), (900, 3.0)]), 10)
        assert [series.values[place] for place in (0, 2, 3)] == pytest.approx([3.0] * 3)
        assert math.isnan(series.values[1])

    def test_steps_count_not_points(self) -> None:
        """A curve with every other point left out is smoothed to nearly the same."""
        whole = Series((step, math.sin(step / 40)) for step in range(400))
        half = Series((step, math.sin(step / 40)) for step in range(0, 400, 2))
        assert smoothed(whole, 30).at(398) == pytest.approx(smoothed(half, 30).at(398), abs=0.02)


class TestLooking:
    """Single points and windows."""

    def test_point_at_or_before(self) -> None:
        series = Series([(10, 1.0), (20, 2.0)])
        assert [series.at(step) for step in (9, 10, 19, 99, None)] == [
            None, (10, 1.0), (10, 1.0), (20, 2.0), (20, 2.0),
        ]  # fmt: skip
        assert [series.after(step) for step in (0, 11, 21)] == [10, 20, None]

    def test_window_between_points_shows_the_line_that_crosses_it(self) -> None:
        """A probe every fifty steps, looked at closely."""
        series = Series([(0, 0.0), (50, 5.0), (100, 0.0)])
        assert list(series.window(10, 20)) == [(10, pytest.approx(1.0)), (20, pytest.approx(2.0))]
        assert list(series.window(40, 100)) == [(40, pytest.approx(4.0)), (50, 5.0), (100, 0.0)]
        assert list(series.window(200, 300)) == []

    def test_no_line_into_a_gap(self) -> None:
        series = Series([(0, 0.0), (50, math.inf), (100, 0.0)])
        assert list(series.window(10, 40)) == []
        assert series.not_finite(0, 100) == [50]
        assert series.between(25) is None
