"""The operations that a gold solution's annotations take, as forms to compare a trajectory's with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction

from bswirl.answers import parse_number
from bswirl.judging.equations import find_equations, parse_expression
from bswirl.judging.expressions import Expression, Number, Sum, is_calculation
from bswirl.judging.forms import Forms, forms, literal_forms, operations, substituted
from bswirl.problems import calculations, unannotated

_MOST_CALCULATIONS = 40
_MOST_SOURCES = 4

Calculated = tuple[Expression, Fraction | None]
Result = tuple[Fraction, str]
Sources = dict[Fraction, list[Expression]]


class GoldPlan:
    """The useful operations of an annotated solution, in terms of the question's numbers.

    `<<48/2=24>>` and `<<48+24=72>>` make half of the first number useful and then the first number plus its
    half, whatever value a trajectory found for the half. `forms` counts how often each may be done; `results`
    are the values that the solution comes to, each with the kind of operation. Without annotations both are
    empty.
    """

    def __init__(self, solution: str | None) -> None:
        self.results: set[Result] = set()
        self._own: Counter[int] = Counter()
        self._derived: set[int] = set()
        self._sources: Sources = {}
        if calculations(solution or ""):
            budget = _MOST_CALCULATIONS
            for line in (solution or "").splitlines():
                budget -= self._add_line(line, budget)
        self.forms: Counter[int] = self._own | Counter(dict.fromkeys(self._derived, 1))

    def __bool__(self) -> bool:
        """Whether the solution had annotations that say anything."""
        return bool(self.forms)

    def _add_line(self, line: str, budget: int) -> int:
        """Takes a line's calculations, as its annotations and as its words have them; how many there were."""
        before = self._sources
        readings = []
        for found in (list(_annotated(line))[:budget], list(_written(line))[:budget]):
            self._sources = {value: list(sources) for value, sources in before.items()}
            counts: Counter[int] = Counter()
            for expression, value in found:
                counts += self._own_forms(expression)
                self._add(expression, value)
            readings.append((len(found), counts, self._sources))
        (annotated, counts, self._sources), (written, other_counts, other_sources) = readings
        self._own += counts | other_counts
        for value, sources in other_sources.items():
            self._sources.setdefault(value, sources)
        return max(annotated, written)

    def _own_forms(self, expression: Expression) -> Counter[int]:
        """The forms of an expression's own operations, numbers read as given or as earlier results."""
        own = {form for _, found in operations(expression, self._reading) for form in found}
        return Counter(dict.fromkeys(own, 1))

    def _add(self, expression: Expression, value: Fraction | None) -> None:
        variants = substituted(
            expression, lambda number: self._sources.get(number.value, ())[-_MOST_SOURCES:]
        )
        for variant in variants:
            for _, found in operations(variant, literal_forms):
                self._derived |= found
        if value is not None:
            self.results.add((value, kind_of(expression)))
            sources = self._sources.setdefault(value, [])
            sources += [variant for variant in variants[:_MOST_SOURCES] if variant not in sources]

    def _reading(self, number: Number) -> Forms:
        found = set(literal_forms(number))
        for source in self._sources.get(number.value, ())[-_MOST_SOURCES:]:
            found |= forms(source, literal_forms)
        return frozenset(found)


def kind_of(expression: Expression) -> str:
    """Whether an expression adds or multiplies, as its outermost operation does."""
    return "sum" if isinstance(expression, Sum) else "product"


def _annotated(line: str) -> Iterator[Calculated]:
    for calculation in calculations(line):
        expression = parse_expression(calculation.expression)
        if expression is not None and is_calculation(expression):
            yield expression, parse_number(calculation.result)


def _written(line: str) -> Iterable[Calculated]:
    for equation in find_equations(unannotated(line)):
        if equation.is_true:
            yield equation.left, equation.right.value if isinstance(equation.right, Number) else None
