"""What an operation computes in terms of the question's numbers, whatever values a trajectory got.

Two operations are the same if they are the same rational function of the question's numbers. Each number
stands for a fixed point of a prime field and an operation for the value there, its fingerprint; different
functions agree at a point only by a chance of about 2**-60 (Schwartz and Zippel).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, islice, product

from bswirl.judging.expressions import Expression, Number, Power, Product, Sum

PRIME = 2**61 - 1
_MOST_READINGS = 24
_MOST_PARTS = 7

Forms = frozenset[int]
Reading = Callable[[Number], Forms]


@lru_cache(maxsize=4096)
def literal_forms(number: Number) -> Forms:
    """The fingerprints of a number as the question's own. `0.2`, `20%` and `1/5` share some of theirs."""
    value = number.value
    found = {_ratio(value)}
    if number.percent:
        found.add(_point(value) * _inverse(100) % PRIME if value.denominator == 1 else _ratio(value / 100))
    if value.denominator != 1:
        found.add(_ratio(value * 100) * _inverse(100) % PRIME)
        for places in (1, 2, 3):
            if (value * 10**places).denominator == 1:
                found.add(_point(value * 10**places) * _inverse(10**places) % PRIME)
                break
    return frozenset(found)


def forms(expression: Expression, reading: Reading) -> Forms:
    """The fingerprints of an expression whose numbers may each be read in several ways."""
    match expression:
        case Number():
            return reading(expression)
        case Sum():
            return _combined([(minus, forms(term, reading)) for minus, term in expression.terms], _add)
        case Product():
            return _combined(
                [(inverse, forms(factor, reading)) for inverse, factor in expression.factors], _multiply
            )
        case Power():
            return frozenset(
                pow(base, expression.exponent, PRIME) for base in forms(expression.base, reading)
            )


def operations(expression: Expression, reading: Reading) -> Iterator[tuple[Expression, Forms]]:
    """Every operation that takes part in an expression: each bracket, and each part of a long sum or product.

    `16 - 3 - 4` has `16 - 3`, `16 - 4` and `3 + 4` in it besides itself.
    """
    if not isinstance(expression, Sum | Product):
        if isinstance(expression, Power):
            yield expression, forms(expression, reading)
            yield from operations(expression.base, reading)
        return
    flat = _flat(expression)
    parts = flat.terms if isinstance(flat, Sum) else flat.factors
    for part in parts:
        yield from operations(part[1], reading)
    sizes: Iterable[int] = range(2, len(parts) + 1) if len(parts) <= _MOST_PARTS else (2, len(parts))
    for size in sizes:
        for chosen in islice(combinations(parts, size), 64):
            turned = all(flag for flag, _ in chosen)
            kept = tuple((flag and not turned, part) for flag, part in chosen)
            part_of = Sum(kept) if isinstance(flat, Sum) else Product(kept)
            yield part_of, forms(part_of, reading)


def substituted(
    expression: Expression, results: Callable[[Number], Iterable[Expression]]
) -> list[Expression]:
    """The expression with each number as it is or as the calculation that gave it, in every combination."""
    match expression:
        case Number():
            return [expression, *results(expression)]
        case Sum(terms=parts) | Product(factors=parts):
            choices = [substituted(part, results) for _, part in parts]
            signs = [sign for sign, _ in parts]
            make = Sum if isinstance(expression, Sum) else Product
            return [
                make(tuple(zip(signs, chosen, strict=True)))
                for chosen in islice(product(*choices), _MOST_READINGS)
            ]
        case Power():
            return [Power(base, expression.exponent) for base in substituted(expression.base, results)]


def _flat(expression: Sum | Product) -> Sum | Product:
    """Sums inside a sum and products inside a product opened."""
    parts = expression.terms if isinstance(expression, Sum) else expression.factors
    opened: list[tuple[bool, Expression]] = []
    for flag, part in parts:
        if type(part) is type(expression):
            inner = _flat(part)
            inner_parts = inner.terms if isinstance(inner, Sum) else inner.factors
            opened += [(flag != inner_flag, inner_part) for inner_flag, inner_part in inner_parts]
        else:
            opened.append((flag, part))
    return Sum(tuple(opened)) if isinstance(expression, Sum) else Product(tuple(opened))


def _combined(parts: list[tuple[bool, Forms]], step: Callable[[int, int, bool], int]) -> Forms:
    results = (
        set(parts[0][1]) if not parts[0][0] else {step(_NEUTRAL[step], form, True) for form in parts[0][1]}
    )
    for flag, choices in parts[1:]:
        pairs = islice(product(sorted(results), sorted(choices)), _MOST_READINGS * _MOST_READINGS)
        results = set(islice((step(left, right, flag) for left, right in pairs), _MOST_READINGS))
    return frozenset(results)


def _add(left: int, right: int, minus: bool) -> int:
    return (left - right if minus else left + right) % PRIME


def _multiply(left: int, right: int, inverse: bool) -> int:
    return left * (_inverse(right) if inverse else right) % PRIME


_NEUTRAL: dict[Callable[[int, int, bool], int], int] = {_add: 0, _multiply: 1}


def _inverse(value: int) -> int:
    return pow(value, PRIME - 2, PRIME)


def _ratio(value: Fraction) -> int:
    return _point(Fraction(value.numerator)) * _inverse(_point(Fraction(value.denominator))) % PRIME


@lru_cache(maxsize=4096)
def _point(value: Fraction) -> int:
    """The point that a whole number stands for. Powers of ten stand for themselves: decimals agree."""
    if value < 0:
        return PRIME - _point(-value)
    if str(value.numerator).strip("0") in ("", "1"):
        return value.numerator % PRIME
    return int.from_bytes(hashlib.sha256(str(value).encode()).digest()[:8], "big") % PRIME
