"""The reference judge (docs/method.md, judging): arithmetic, operands and the gold solution, no model.

Correct: every equation of the step is true and computes with known numbers. Progress: an operation of the
step is one of the gold solution's, with the trajectory's own values put in, and was not done before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from bswirl.judging.equations import Equation, find_equations
from bswirl.judging.expressions import (
    Expression,
    Number,
    Product,
    Sum,
    evaluate,
    leaves,
    show,
    show_value,
)
from bswirl.judging.forms import Forms, forms, literal_forms, operations
from bswirl.judging.judgement import Judgement
from bswirl.judging.operands import constants_for, converted, numbers_in
from bswirl.judging.plan import GoldPlan, kind_of

VERSION = "reference 1"
_MOST_EQUATIONS = 40
_NO_PLAN = "the solution has no annotations, so only arithmetic and operands were checked"


class ReferenceJudge:
    """Judges steps of one question. Make one a question: it reads the question and the gold solution once."""

    def __init__(self, question: str, solution: str | None) -> None:
        numbers = numbers_in(question)
        self._numbers = numbers | converted(numbers, question) | constants_for(question)
        self._plan = GoldPlan(solution)
        self._equations: dict[str, tuple[Equation, ...]] = {}

    def judge(self, prefix: Sequence[str], action: str) -> Judgement:
        """What the last step is worth, the steps before it (`prefix`) taken as they are."""
        past = _Past(self._numbers | constants_for(action))
        for step in prefix:
            for equation in self._read(step):
                past.add(equation)
            past.known |= numbers_in(step)
        equations = self._read(action)
        if not equations:
            return Judgement(True, False, "There is no calculation here: the step makes no progress.")
        fault, useful, repeated = "", None, None
        for equation in equations:
            fault = fault or past.fault(equation)
            if past.is_new(equation, self._plan):
                useful = useful or equation
            elif past.is_done(equation):
                repeated = repeated or equation
            past.add(equation)
        return Judgement(not fault, useful is not None, fault or self._why(equations, useful, repeated))

    def _read(self, step: str) -> tuple[Equation, ...]:
        if step not in self._equations:
            self._equations[step] = find_equations(step)[:_MOST_EQUATIONS]
        return self._equations[step]

    def _why(self, equations: Sequence[Equation], useful: Equation | None, repeated: Equation | None) -> str:
        if useful is not None:
            if self._plan:
                return f"{useful.text} is right and is a step of the gold solution."
            return f"{useful.text} is right; {_NO_PLAN}."
        if repeated is not None:
            return f"{show(repeated.left)} was computed before: the step makes no progress."
        return (
            f"{equations[0].text} is right, but the gold solution does not compute {show(equations[0].left)}."
        )


class _Past:
    """What a trajectory has so far: the numbers it may use, where each came from, and what it computed."""

    def __init__(self, known: set[Fraction]) -> None:
        self.known = known
        self._sources: dict[Fraction, set[int]] = {}
        self._done: Counter[int] = Counter()
        self._results: set[Fraction] = set()

    def fault(self, equation: Equation) -> str:
        """The first thing that is wrong with an equation, in a sentence; empty where nothing is."""
        for number in leaves(equation.left):
            if not self._knows(number, equation.left):
                shown = f"{show(number)} in {equation.text}"
                return f"{shown} is neither in the question nor in an earlier step."
        if equation.is_true:
            return ""
        value = evaluate(equation.left, percent=True)
        if value is None:
            return f"{equation.text} divides by zero."
        return f"{equation.text} is wrong: {show(equation.left)} is {show_value(value)}."

    def is_new(self, equation: Equation, plan: GoldPlan) -> bool:
        """Whether an equation computes something useful that was not computed before."""
        found = self._forms(equation.left)
        if not plan:
            return not self.is_done(equation)
        if any(self._done[form] < plan.forms[form] for form in found if form in plan.forms):
            return True
        result = _stated(equation)
        fresh = equation.is_true and not self.is_done(equation) and not result & self._results
        return fresh and any((value, kind_of(equation.left)) in plan.results for value in result)

    def is_done(self, equation: Equation) -> bool:
        """Whether the same was computed, rightly, before."""
        return any(form in self._done for form in self._forms(equation.left))

    def add(self, equation: Equation) -> None:
        """Takes an equation's results as the trajectory's own, right or wrong."""
        found = self._forms(equation.left)
        computed = set(found)
        for part, part_forms in operations(equation.left, self._reading):
            computed |= part_forms
            value = evaluate(part, percent=True)
            if value is not None:
                self._sources.setdefault(value, set()).update(part_forms)
        if equation.is_true:
            self._done.update(computed)
        for value in _stated(equation):
            self._sources.setdefault(value, set()).update(found)
            self._results.add(value)
            self.known.add(value)
        self.known |= {number.value for number in leaves(equation.right)}

    def _forms(self, expression: Expression) -> Forms:
        return forms(expression, self._reading)

    def _reading(self, number: Number) -> Forms:
        return literal_forms(number) | frozenset(sorted(self._sources.get(number.value, ()))[:8])

    def _knows(self, number: Number, side: Expression) -> bool:
        values = {number.value, number.value / 100} if number.percent else {number.value}
        return bool(values & self.known) or _counts_terms(number, side)


def _stated(equation: Equation) -> set[Fraction]:
    """The result that an equation states, a percent also as a share."""
    right = equation.right
    if isinstance(right, Number):
        return {right.value, right.value / 100} if right.percent else {right.value}
    value = evaluate(right, percent=True)
    return set() if value is None else {value}


def _counts_terms(number: Number, side: Expression) -> bool:
    """Whether a sum is divided by how many terms it has, as for an average."""
    if not isinstance(side, Product):
        return False
    sums = [len(factor.terms) for inverse, factor in side.factors if isinstance(factor, Sum) and not inverse]
    return any(inverse and factor is number for inverse, factor in side.factors) and number.value in sums
