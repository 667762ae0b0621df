"""Scales: from values to places on an axis, with limits and ticks that are round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

LABEL = 7  # cells of a tick's label
_MOST = 1e306  # beyond it, differences of two values would overflow
_LEAST = 1e-290  # of a span: what is nearer to each other is one value
_ROUND_ENDS = (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high`, with its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, value: float) -> float:
        """Where on the axis a value lies, 0 to 1; values beyond an end lie on it."""
        if self.log:
            if value <= 0:
                return 0.0
            low, high, at = math.log10(self.low), math.log10(self.high), math.log10(value)
        else:
            low, high, at = self.low, self.high, value
        return min(1.0, max(0.0, (at - low) / (high - low)))


def linear(values: Iterable[float], ticks: int) -> Scale:
    """A scale around finite values, of about as many ticks; its ends are round and seldom move."""
    known = [min(_MOST, max(-_MOST, value)) for value in values] or [0.0]
    low, high = min(known), max(known)
    if high - low <= max(_LEAST, 1e-12 * max(abs(low), abs(high))):
        margin = abs(high) / 10 if abs(high) > _LEAST else 1.0
        low, high = low - margin, high + margin
    step = round_step((high - low) / max(1, ticks))
    half = step / 2
    first, last = math.floor(low / half + 1e-9), math.ceil(high / half - 1e-9)
    marks = tuple(index * half for index in range(first, last + 1) if index % 2 == 0)
    return Scale(first * half, last * half, marks)


def logarithmic(values: Iterable[float], ticks: int) -> Scale | None:
    """A scale around the values above 0; None where there are none."""
    known = [min(_MOST, value) for value in values if value > 0]
    if not known:
        return None
    low, high = _one_two_five(min(known), up=False), _one_two_five(max(known), up=True)
    if low == high:
        low, high = low / 10, high * 10
    marks = [
        digit * 10.0**power
        for power in range(math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9) + 1)
        for digit in (1, 2, 5)
    ]
    marks = [mark for mark in marks if low * 0.999 <= mark <= high * 1.001]
    if len(marks) > ticks:
        marks = [mark for mark in marks if abs(math.log10(mark) - round(math.log10(mark))) < 1e-6]
    every = math.ceil(len(marks) / max(1, ticks)) or 1
    return Scale(low, high, tuple(marks[::every]), log=True)


def _one_two_five(value: float, *, up: bool) -> float:
    """The nearest 1, 2 or 5 times a power of ten above or below a value, or itself."""
    power = max(-307, min(307, math.floor(math.log10(value) + 1e-12)))
    ladder = [digit * 10.0**power for digit in (1, 2, 5, 10)]
    if up:
        return next((mark for mark in ladder if mark >= value * (1 - 1e-9)), ladder[-1])
    return next((mark for mark in reversed(ladder) if mark <= value * (1 + 1e-9)), ladder[0])


def round_step(least: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is at least this large."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(digit * power for digit in (1, 2, 2.5, 5, 10, 20) if digit * power >= least * (1 - 1e-9))


def round_end(step: int) -> int:
    """The end of an axis for a run that is at `step` and goes on: it stays put for many steps."""
    if step < 10:
        return 10
    power = int(10 ** (len(str(step)) - 1))
    return math.ceil(next(digit * power for digit in _ROUND_ENDS if digit * power >= step))


def steps(first: int, last: int, ticks: int) -> list[int]:
    """Round steps between two, about as many."""
    size = max(1, math.ceil(round_step(max(1, last - first) / max(1, ticks))))
    return list(range(math.ceil(first / size) * size, last + 1, size))


def tick_label(value: float, scale: Scale) -> str:
    """A tick in the cells of a label, with as many decimals as tell it from the next."""
    gap = abs(value) if scale.log or len(scale.ticks) < 2 else scale.ticks[1] - scale.ticks[0]
    largest = abs(value) if scale.log else max(abs(scale.low), abs(scale.high))
    if value == 0 or abs(value) < gap / 1e6:
        return "0"
    if largest >= 1e6 or gap < 1e-4:
        return _fitting(f"{value:.2g}", f"{value:.1g}")
    decimals = max(0, min(4, -math.floor(math.log10(gap) + 1e-9)))
    if decimals < 4 and abs(round(gap, decimals) - gap) > gap * 1e-6:
        decimals += 1  # steps of 0.25 and the like
    return _fitting(*(f"{value:.{digits}f}" for digits in range(decimals, -1, -1)))


def _fitting(*texts: str) -> str:
    """The first that fits into the cells of a label."""
    return next((text for text in texts if len(text) <= LABEL), texts[-1])


def shown(value: float, *, signed: bool = False, digits: int = 4) -> str:
    """A value to read out: so many digits that say something."""
    size, sign = abs(value), "+" if signed and value != 0 else ""
    if math.isfinite(value) and size != 0 and (size >= 1e5 or size < 1e-3):
        return f"{value:{sign}.{max(1, digits - 2)}e}"
    if digits < 4 and size >= 10**digits:
        return f"{value:{sign}.0f}"
    return f"{value:{sign}.{digits}g}"
