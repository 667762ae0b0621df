"""Points of curves: kept in bounded memory, thinned so that no extreme is lost, smoothed, cut to a window."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

MOST_POINTS = 6144  # of a curve; where there are more, neighbours are merged
Point = tuple[int, float]


class Series:
    """A curve that grows at its end. Beyond MOST_POINTS each stretch keeps its lowest and highest points."""

    __slots__ = ("steps", "thinned", "values", "version")

    def __init__(self, points: Iterable[tuple[int, float | None]] = ()) -> None:
        self.steps = array("q")
        self.values = array("d")
        self.thinned = False
        self.version = 0
        self.extend(points)

    def __len__(self) -> int:
        return len(self.steps)

    def extend(self, points: Iterable[tuple[int, float | None]]) -> None:
        """Adds points beyond the last one; others are there already and are left out."""
        last = self.steps[-1] if self.steps else None
        for step, value in points:
            if last is None or step > last:
                self.steps.append(step)
                self.values.append(math.nan if value is None else value)
                last = step
        self.version += 1
        if len(self.steps) > MOST_POINTS:
            self._thin()

    def _thin(self) -> None:
        kept = thin(self.steps, self.values, MOST_POINTS // 2)
        self.steps = array("q", (self.steps[index] for index in kept))
        self.values = array("d", (self.values[index] for index in kept))
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
        begin, end = bisect_left(self.steps, first), bisect_right(self.steps, last)
        return [self.steps[i] for i in range(begin, end) if not math.isfinite(self.values[i])]

    def window(self, first: int, last: int) -> Iterator[tuple[float, float]]:
        """The points between two steps; where the curve goes on beyond them, a point in between on each edge.

        What is no finite number is NaN.
        """
        begin, end = bisect_left(self.steps, first), bisect_right(self.steps, last)
        yield from self._edge(begin, first)
        for index in range(begin, end):
            value = self.values[index]
            yield self.steps[index], value if math.isfinite(value) else math.nan
        yield from self._edge(end, last)

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

    Steps count, not points, so that thinning changes little. What is no finite number is left as it is.
    """
    result = Series()
    result.steps = series.steps
    total = weight = 0.0
    before: int | None = None
    for step, value in zip(series.steps, series.values, strict=True):
        if not math.isfinite(value):
            result.values.append(value)
            continue
        if before is not None:
            kept = 0.5 ** ((step - before) / half_life)
            total, weight = total * kept, weight * kept
        total, weight, before = total + value, weight + 1.0, step
        result.values.append(total / weight)
    return result


@dataclass(slots=True)
class RunCurves:
    """All curves of a run."""

    run_id: int
    name: str = ""
    live: bool = False
    newest: int = -1  # the last step with a point
    series: dict[str, Series] = field(default_factory=dict)

    def extend(self, metrics: Mapping[str, Iterable[tuple[int, float | None]]]) -> set[str]:
        """Takes in new points; the names of curves that were not there before."""
        new = metrics.keys() - self.series.keys()
        for name, points in metrics.items():
            curve = self.series.setdefault(name, Series())
            curve.extend(points)
            if len(curve):
                self.newest = max(self.newest, curve.steps[-1])
        return set(new)

    def clear(self) -> None:
        """Forgets every point: another attempt has begun."""
        self.series.clear()
        self.newest = -1
