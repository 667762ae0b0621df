"""Arithmetic expressions as they stand in a step, and their exact values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

_LARGEST_EXPONENT = 12


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written. `places` counts its decimals; `percent` says that a % stood behind it."""

    value: Fraction
    places: int = 0
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Sum:
    """Terms that are added, or subtracted where the flag is true."""

    terms: tuple[tuple[bool, Expression], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """Factors that are multiplied, or divided by where the flag is true."""

    factors: tuple[tuple[bool, Expression], ...]


@dataclass(frozen=True, slots=True)
class Power:
    """A base raised to a small whole exponent."""

    base: Expression
    exponent: int


Expression: TypeAlias = Number | Sum | Product | Power


def leaves(expression: Expression) -> Iterator[Number]:
    """The numbers of an expression, from left to right."""
    match expression:
        case Number():
            yield expression
        case Sum(terms=parts) | Product(factors=parts):
            for _, part in parts:
                yield from leaves(part)
        case Power():
            yield from leaves(expression.base)


def is_calculation(expression: Expression) -> bool:
    """Whether there is anything to compute; a signed number is none."""
    match expression:
        case Number():
            return False
        case Sum(terms=parts) | Product(factors=parts):
            return len(parts) > 1 or is_calculation(parts[0][1])
        case Power():
            return True


def is_ratio(expression: Expression) -> bool:
    """Whether it is a plain fraction such as `3 / 4`, which may as well be a number."""
    if not isinstance(expression, Product) or len(expression.factors) != 2:
        return False
    (_, top), (inverse, bottom) = expression.factors
    return inverse and isinstance(top, Number) and isinstance(bottom, Number)


def evaluate(expression: Expression, *, percent: bool) -> Fraction | None:
    """The exact value; None where it divides by zero. With `percent`, 20% counts as 0.2, else as 20."""
    try:
        return _evaluate(expression, percent)
    except ZeroDivisionError:
        return None


def _evaluate(expression: Expression, percent: bool) -> Fraction:
    match expression:
        case Number():
            return expression.value / 100 if expression.percent and percent else expression.value
        case Sum():
            total = Fraction(0)
            for minus, term in expression.terms:
                value = _evaluate(term, percent)
                total += -value if minus else value
            return total
        case Product():
            product = Fraction(1)
            for inverse, factor in expression.factors:
                value = _evaluate(factor, percent)
                product = product / value if inverse else product * value
            return product
        case Power():
            if expression.exponent > _LARGEST_EXPONENT:
                raise ZeroDivisionError
            return _evaluate(expression.base, percent) ** expression.exponent


def agrees(value: Fraction, stated: Number, stated_value: Fraction, *, roughly: bool = False) -> bool:
    """Whether `value` is what the number states: exactly, or rounded where it states a rounded decimal.

    `roughly` (an ≈) also lets a whole number be a rounded one.
    """
    if value == stated_value:
        return True
    if not stated.places and not roughly:
        return False
    unit = Fraction(1, 10**stated.places) / (100 if stated_value != stated.value else 1)
    if (value / unit).denominator == 1:
        return False
    repeating = _repeats(value)
    return abs(value - stated_value) < unit if repeating else abs(value - stated_value) * 2 <= unit


def _repeats(value: Fraction) -> bool:
    """Whether no finite decimal says the value."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest != 1


def show(expression: Expression) -> str:
    """The expression in plain signs, for a message."""
    match expression:
        case Number():
            return _show_number(expression)
        case Sum():
            return _joined(expression.terms, " + ", " - ")
        case Product():
            return _joined(expression.factors, " * ", " / ")
        case Power():
            return f"{_inner(expression.base)}^{expression.exponent}"


def show_value(value: Fraction) -> str:
    """A value for a message: whole, as a decimal, or rounded to two places."""
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):.4f}".rstrip("0") if not _repeats(value) else f"about {float(value):.2f}"


def _joined(parts: tuple[tuple[bool, Expression], ...], plus: str, minus: str) -> str:
    shown = []
    for index, (negative, part) in enumerate(parts):
        sign = minus if negative else plus
        shown.append((sign.strip() if negative else "") if index == 0 else sign)
        shown.append(_inner(part))
    return "".join(shown)


def _inner(part: Expression) -> str:
    return f"({show(part)})" if isinstance(part, Sum | Product) and is_calculation(part) else show(part)


def _show_number(number: Number) -> str:
    value = number.value
    if number.places:
        text = f"{value.numerator * 10**number.places // value.denominator:0{number.places + 1}d}"
        text = f"{text[: -number.places]}.{text[-number.places :]}"
    elif value.denominator == 1:
        text = str(value.numerator)
    else:
        text = f"{value.numerator}/{value.denominator}"
    return text + ("%" if number.percent else "")
