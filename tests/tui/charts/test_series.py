"""Points of curves: bounded, thinned without losing extremes, smoothed, cut."""

from __future__ import annotations

import math
import sys
import time
from itertools import pairwise
from statistics import NormalDist, fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl_tui.charts.series import MOST_POINTS, RunCurves, Series, Stretch, smoothed, spliced, thin
from bswirl_tui.charts.view import View
from bswirl_tui.screens.closer import wishes_for


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


class TestCloserLooks:
    """Exact points in place of thinned ones."""

    @pytest.fixture
    def run(self) -> RunCurves:
        """Of 10,000 points every hundredth is known."""
        run = RunCurves(1)
        run.extend({"loss": [(step, 1.0 * step) for step in range(0, 10_001, 100)]}, asked=200)
        return run

    @staticmethod
    def look(first: int, last: int) -> Stretch:
        return Stretch(first, last, {"loss": Series((step, 1.0 * step) for step in range(first, last + 1))})

    def test_only_curves_that_may_lack_points_are_thinned(self) -> None:
        """Fewer points than half of what was asked for are all there are."""
        run = RunCurves(1)
        run.extend({"long": [(step, 0.0) for step in range(100)], "short": [(1, 0.0)]}, asked=200)
        assert {name: curve.thinned for name, curve in run.series.items()} == {"long": True, "short": False}
        assert [wish.names for wish in wishes_for(run, {"long", "short"}, View(cursor=50))] == [["long"]]

    def test_stretch_is_spliced_in(self, run: RunCurves) -> None:
        """Drawn and read out where it was looked at; elsewhere as before."""
        run.close = self.look(4_000, 4_300)
        curve = run.curve("loss")
        assert curve is not None
        assert list(curve.steps) == [
            *range(0, 4_000, 100), *range(4_000, 4_301), *range(4_400, 10_001, 100)
        ]  # fmt: skip
        assert run.curve("loss") is curve
        assert run.at("loss", 4_123) == (4_123, 4_123.0)
        assert run.at("loss", 5_123) == (5_100, 5_100.0)
        run.extend({"loss": [(10_001, 7.0)]})
        assert run.at("loss", None) == (10_001, 7.0)
        assert run.at("loss", 4_123) == (4_123, 4_123.0)

    def test_cursor_reads_the_stored_point(self, run: RunCurves) -> None:
        """As soon as what lies between it and the known point before was read."""
        view = View(cursor=5_123)
        (wish,) = wishes_for(run, {"loss"}, view)
        assert (wish.first, wish.last, wish.at_cursor) == (5_100, 5_123, True)
        run.near = self.look(wish.first, wish.last)
        assert run.at("loss", 5_123) == (5_123, 5_123.0)
        assert wishes_for(run, {"loss"}, view) == []
        run.clear()
        assert (run.near, run.at("loss", 5_123)) == (None, None)

    def test_zoom_wishes_for_what_is_in_sight_with_a_margin(self, run: RunCurves) -> None:
        """Moving within the margin wishes for nothing; far closer than a thinned look does."""
        view = View(window=(3_000, 5_000))
        (wish,) = wishes_for(run, {"loss"}, view)
        assert (wish.first, wish.last) == (2_000, 6_000)
        run.close = self.look(wish.first, wish.last)
        view.window = (3_900, 5_900)
        assert wishes_for(run, {"loss"}, view) == []
        view.window = (4_500, 6_500)
        assert wishes_for(run, {"loss"}, view)
        run.close.series["loss"].thinned = True
        view.window = (3_000, 4_000)
        assert wishes_for(run, {"loss"}, view) == []
        view.window = (3_000, 3_200)
        assert wishes_for(run, {"loss"}, view)


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

    @pytest.fixture
    def skewed(self) -> list[tuple[int, float]]:
        """10,000 points with rare high ones and a few that are no number, the same at each run."""
        normal = NormalDist(-1, 1)
        shares = [(step * 0.618033988749895 + 1e-4) % 1 for step in range(10_000)]
        values = [
            math.nan if step % 997 == 5 else math.exp(normal.inv_cdf(x)) for step, x in enumerate(shares)
        ]
        return list(enumerate(values))

    @staticmethod
    def plainly(points: list[tuple[int, float]], half_life: int) -> dict[int, float]:
        """The mean over every point, at each finite one."""
        found, total, weight, before = {}, 0.0, 0.0, 0
        for step, value in points:
            if math.isfinite(value):
                kept = 0.5 ** ((step - before) / half_life)
                total, weight, before = total * kept + value, weight * kept + 1, step
                found[step] = total / weight
        return found

    @classmethod
    def furthest(cls, series: Series, points: list[tuple[int, float]], half_life: int) -> float:
        """How far the smoothed curve is from the mean over every point, as a share of it, at most."""
        plain, drawn = cls.plainly(points, half_life), smoothed(series, half_life)
        shown = [(s, v) for s, v in zip(drawn.steps, drawn.values, strict=True) if math.isfinite(v)]
        assert len(shown) > 1000
        return max(abs(value / plain[step] - 1) for step, value in shown)

    @pytest.mark.parametrize(("half_life", "tolerance"), [(30, 0.02), (100, 0.005), (1000, 0.001)])
    def test_a_thinned_curve_is_smoothed_over_all_points(
        self, skewed: list[tuple[int, float]], half_life: int, tolerance: float
    ) -> None:
        """Not over the extremes that are kept, also where it is looked at closer."""
        grown = Series(skewed)
        assert grown.thinned
        assert len(grown) < len(skewed) / 3
        assert self.furthest(grown, skewed, half_life) < tolerance
        closer = spliced(grown, Series(skewed[4003:5008]))
        assert sum(closer.counts) == sum(math.isfinite(value) for _, value in skewed)
        assert self.furthest(closer, skewed, half_life) < tolerance

    def test_an_unthinned_curve_is_smoothed_exactly(self, skewed: list[tuple[int, float]]) -> None:
        assert self.furthest(Series(skewed[:6000]), skewed, 30) < 1e-9

    @given(st.integers(0, 190), st.integers(1, 60), st.lists(st.floats(-9, 9), min_size=200, max_size=200))
    def test_a_closer_look_stands_for_no_point_twice(
        self, first: int, length: int, values: list[float]
    ) -> None:
        """Wherever it begins and ends between the points that are kept."""
        points = list(enumerate(values))
        kept = thin(range(200), values, 20)
        shares = [points[before + 1 : index + 1] for before, index in pairwise([-1, *kept])]
        series = Series((*share[-1], len(share), fmean(value for _, value in share)) for share in shares)
        made = spliced(series, Series(points[first : first + length]))
        assert sum(made.counts) == 200
        assert sum(made.sums) == pytest.approx(sum(values), abs=1e-6)
        assert min(made.counts) >= 1


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
