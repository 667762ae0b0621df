"""Points of curves: kept in bounded memory, thinned so that no extreme is lost, smoothed, cut to a window."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise

MOST_POINTS = 6144  # of a curve; where there are more, neighbours are merged
COARSE = 5  # a thinned look is too coarse for a window that is smaller by this factor
Point = tuple[int, float]
# A point with the number and the mean of the finite points that it stands for.
Shared = tuple[int, float | None, int, float | None]
Given = tuple[int, float | None] | Shared
_versions = count(1)


class Series:
    """A curve that grows at its end. Beyond MOST_POINTS each stretch keeps its lowest and highest points.

    A point stands for itself and those left out since the one before: it has the number and the sum of what
    is finite among them.
    """

    __slots__ = ("counts", "steps", "sums", "thinned", "values", "version")

    def __init__(self, points: Iterable[Given] = ()) -> None:
        self.steps = array("q")
        self.values = array("d")
        self.counts = array("q")
        self.sums = array("d")
        self.thinned = False  # whether points that the store has may be missing
        self.version = 0  # no two states of any series have the same
        self.extend(points)

    def __len__(self) -> int:
        return len(self.steps)

    def extend(self, points: Iterable[Given]) -> None:
        """Adds points beyond the last one; others are there already and are left out."""
        last = self.steps[-1] if self.steps else None
        for point in points:
            step, value = point[0], math.nan if point[1] is None else point[1]
            if last is None or step > last:
                number, mean = point[2:] if len(point) == 4 else (int(math.isfinite(value)), value)
                self.steps.append(step)
                self.values.append(value)
                self.counts.append(number)
                self.sums.append(number * mean if number and mean is not None else 0.0)
                last = step
        self.version = next(_versions)
        if len(self.steps) > MOST_POINTS:
            self._thin()

    def _thin(self) -> None:
        kept = thin(self.steps, self.values, MOST_POINTS // 2)
        shares = [range(before + 1, index + 1) for before, index in pairwise([-1, *kept])]
        self.steps = array("q", (self.steps[index] for index in kept))
        self.values = array("d", (self.values[index] for index in kept))
        self.counts = array("q", (sum(self.counts[index] for index in share) for share in shares))
        self.sums = array("d", (sum(self.sums[index] for index in share) for share in shares))
        self.thinned = True

    def at(self, step: int | None) -> Point | None:
        """The point at a step, or the last before it; the newest where no step is said."""
        place = len(self.steps) if step is None else bisect_right(self.steps, step)
        return (self.steps[place - 1], self.values[place - 1]) if place else None

    def after(self, step: int) -> int | None:
        """The first step with a point from `step` on."""
        place = bisect_left(self.steps, step)
        return self.steps[place] if place < len(self.steps) else None

    def not_finite(self, first: int, last: int) -> list[int]:
        """The steps between two whose value is no finite number."""
        return [self.steps[i] for i in self._places(first, last) if not math.isfinite(self.values[i])]

    def not_above_zero(self, first: int, last: int) -> int:
        """How many finite values between two steps a log scale leaves out."""
        return sum(-math.inf < self.values[i] <= 0 for i in self._places(first, last))

    def _places(self, first: int, last: int) -> range:
        return range(bisect_left(self.steps, first), bisect_right(self.steps, last))

    def window(self, first: int, last: int) -> Iterator[tuple[float, float]]:
        """The points between two steps; where the curve goes on beyond them, a point in between on each edge.

        What is no finite number is NaN.
        """
        places = self._places(first, last)
        yield from self._edge(places.start, first)
        for index in places:
            value = self.values[index]
            yield self.steps[index], value if math.isfinite(value) else math.nan
        yield from self._edge(places.stop, last)

    def between(self, step: float) -> float | None:
        """The value at a step, on a straight line between points; None beyond the ends and beside gaps."""
        place = bisect_right(self.steps, step)
        if place == 0 or (place == len(self.steps) and step > self.steps[-1]):
            return None
        x0, y0 = self.steps[place - 1], self.values[place - 1]
        if step == x0:
            return y0 if math.isfinite(y0) else None
        x1, y1 = self.steps[place], self.values[place]
        share = (step - x0) / (x1 - x0)
        value = y0 * (1 - share) + y1 * share
        return value if math.isfinite(value) else None

    def _edge(self, place: int, step: int) -> Iterator[tuple[float, float]]:
        """The curve's place at a step between points `place - 1` and `place`."""
        if not 0 < place < len(self.steps) or step in (self.steps[place - 1], self.steps[place]):
            return
        value = self.between(step)
        if value is not None:
            yield step, value


def thin(steps: Sequence[int], values: Sequence[float], most: int) -> list[int]:
    """The places of about `most` points to keep, in order.

    Each of equal stretches keeps its lowest, its highest, and one that is no finite number; the ends stay.
    """
    n = len(steps)
    if n <= most:
        return list(range(n))
    size = math.ceil(2 * n / max(2, most))
    kept = {0, n - 1}
    for start in range(0, n, size):
        stretch = range(start, min(n, start + size))
        finite = [i for i in stretch if math.isfinite(values[i])]
        if finite:
            kept |= {min(finite, key=values.__getitem__), max(finite, key=values.__getitem__)}
        if len(finite) < len(stretch):
            kept.add(next(i for i in stretch if not math.isfinite(values[i])))
    return sorted(kept)


def smoothed(series: Series, half_life: int) -> Series:
    """An exponential mean over the points so far, in which a point weighs half after `half_life` steps.

    The points for which one stands count as their mean, evenly spaced since the one before. What is no finite
    number is left as it is.
    """
    result = Series()
    result.steps, result.thinned = series.steps, series.thinned
    result.counts, result.sums = series.counts, series.sums
    total = weight = 0.0
    before = series.steps[0] if series.steps else 0
    for step, value, number, its_sum in zip(
        series.steps, series.values, series.counts, series.sums, strict=True
    ):
        kept = 0.5 ** ((step - before) / half_life)
        total, weight = total * kept, weight * kept
        is_finite = math.isfinite(value)
        others = number - is_finite
        if others > 0:
            share = _weight(others, (step - before) / (others + 1) / half_life)
            mean = (its_sum - value if is_finite else its_sum) / others
            total, weight = total + share * mean, weight + share
        if is_finite:
            total, weight = total + value, weight + 1.0
        result.values.append(total / weight if is_finite else value)
        before = step
    return result


def _weight(points: int, apart: float) -> float:
    """What points so many half-lives apart weigh together, where the next one would weigh one."""
    each = math.pow(0.5, apart)
    return points * each if each == 1 else each * (1 - math.pow(each, points)) / (1 - each)


def spliced(series: Series, closer: Series) -> Series:
    """A curve with the points of a closer look in place of its own between that look's ends."""
    if not len(closer):
        return series
    begin = bisect_left(series.steps, closer.steps[0])
    end = bisect_right(series.steps, closer.steps[-1])
    result = Series()
    result.steps = series.steps[:begin] + closer.steps + series.steps[end:]
    result.values = series.values[:begin] + closer.values + series.values[end:]
    result.counts = series.counts[:begin] + closer.counts + series.counts[end:]
    result.sums = series.sums[:begin] + closer.sums + series.sums[end:]
    result.thinned, result.version = True, next(_versions)
    _share_at_the_seams(result, series, closer, range(begin, end))
    return result


def _share_at_the_seams(result: Series, series: Series, closer: Series, replaced: range) -> None:
    """Gives each point that was left out at the ends of a closer look to one point and no other."""
    after = 0  # the first place in the closer look that belongs to the point beyond it
    if replaced:
        first, last = replaced[0], replaced[-1]
        up_to = bisect_right(closer.steps, series.steps[first])
        missing = series.counts[first] - sum(closer.counts[:up_to])
        if missing > 0:
            result.counts[first] += missing
            result.sums[first] += series.sums[first] - sum(closer.sums[:up_to])
        after = bisect_right(closer.steps, series.steps[last])
    beyond = replaced.start + len(closer)
    if beyond < len(result):
        value = result.values[beyond]
        left = result.counts[beyond] - sum(closer.counts[after:])
        if left > math.isfinite(value):
            result.counts[beyond] = left
            result.sums[beyond] -= sum(closer.sums[after:])
        else:
            result.counts[beyond] = int(math.isfinite(value))
            result.sums[beyond] = value if math.isfinite(value) else 0.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A closer look at some curves of a run: what the store has between two steps."""

    first: int
    last: int
    series: Mapping[str, Series]

    def shows(self, names: Iterable[str], first: int, last: int) -> bool:
        """Whether it has those curves from one step to another, and as close as one could wish."""
        within = self.first <= first and last <= self.last
        coarse = self.last - self.first > COARSE * (last - first)
        return within and all(name in self.series for name in names) and not (coarse and self.thinned)

    @property
    def thinned(self) -> bool:
        """Whether even here there were too many points."""
        return any(series.thinned for series in self.series.values())


@dataclass(slots=True)
class RunCurves:
    """All curves of a run: thinned where they are long, and closer looks at stretches of them."""

    run_id: int
    name: str = ""
    live: bool = False
    newest: int = -1  # the last step with a point
    series: dict[str, Series] = field(default_factory=dict)
    beginnings: int = 0  # how often it began anew
    close: Stretch | None = None  # around the steps that are zoomed in on
    near: Stretch | None = None  # up to the cursor
    _spliced: dict[str, tuple[int, Stretch, Series]] = field(default_factory=dict)

    def extend(self, metrics: Mapping[str, Iterable[Given]], asked: int | None = None) -> None:
        """Takes in new points. `asked`: beyond about so many points of a curve they were thinned."""
        for name, points in metrics.items():
            curve = self.series.setdefault(name, Series())
            found = list(points)
            curve.extend(found)
            curve.thinned |= were_thinned(len(found), asked)
            if len(curve):
                self.newest = max(self.newest, curve.steps[-1])

    def clear(self) -> None:
        """Forgets every point: another attempt has begun."""
        self.series.clear()
        self._spliced.clear()
        self.close = self.near = None
        self.newest = -1
        self.beginnings += 1

    @property
    def latest(self) -> dict[str, float]:
        """The values at the newest step, by curve."""
        return {
            name: curve.values[-1]
            for name, curve in self.series.items()
            if len(curve) and curve.steps[-1] == self.newest
        }

    def curve(self, name: str) -> Series | None:
        """A curve to draw."""
        series, close = self.series.get(name), self.close
        if series is None or close is None or not series.thinned or name not in close.series:
            return series
        known = self._spliced.get(name)
        if known is None or known[0] != series.version or known[1] is not close:
            known = self._spliced[name] = (series.version, close, spliced(series, close.series[name]))
        return known[2]

    def at(self, name: str, step: int | None) -> Point | None:
        """A stored point of a curve: that at a step, or the last before it; the newest where no step is said.

        Only a thinned curve at which nobody looked closer may have a later one.
        """
        near, curve = self.near, self.curve(name)
        point = curve.at(step) if curve is not None else None
        if step is not None and near is not None and near.first <= step <= near.last and name in near.series:
            closer = near.series[name].at(step)
            if closer is not None and (point is None or closer[0] > point[0]):
                return closer
        return point


def were_thinned(points: int, asked: int | None) -> bool:
    """Whether so many points may be fewer than there are, where `asked` was the most to get."""
    return asked is not None and points >= asked // 2


def still_there(latest: Mapping[str, float], newest: int, found: Mapping[str, Sequence[Given]]) -> bool:
    """Whether the values known of the newest step are among the points found from it on.

    Else the run was resumed from an earlier step: what came after that is void, and may have come anew.
    """
    for name, known in latest.items():
        values = [point[1] for point in found.get(name, ()) if point[0] == newest]
        if not values or not _is_same(known, values[0]):
            return False
    return True


def _is_same(known: float, value: float | None) -> bool:
    return math.isnan(known) if value is None or math.isnan(value) else known == value
