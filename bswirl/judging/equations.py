"""Equations found in a step's text: `16 - 3 - 4 = 9`, `3 boxes * $4/box = $12`, `20% of 50 is 10`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from bswirl.judging.expressions import (
    Expression,
    Number,
    Power,
    Product,
    Sum,
    agrees,
    evaluate,
    is_calculation,
    is_ratio,
    show,
)
from bswirl.judging.tokens import Token, tokenize

_DEEPEST = 12
_LONGEST_UNIT = 8
_UNIT_LETTERS = "ghlmsck"
_ARTICLES = frozenset(
    {"the", "his", "her", "their", "its", "my", "another", "other", "extra", "additional", "those"}
)


@dataclass(frozen=True, slots=True)
class Equation:
    """`left = right`, where `left` is a calculation. `roughly` marks an ≈."""

    left: Expression
    right: Expression
    roughly: bool = False

    @property
    def text(self) -> str:
        """The equation in plain signs."""
        return f"{show(self.left)} {'≈' if self.roughly else '='} {show(self.right)}"

    @property
    def is_true(self) -> bool:
        """Whether both sides are equal, percent signs taken as hundredths or as a mere unit."""
        return any(self._holds(percent) for percent in (True, False))

    def _holds(self, percent: bool) -> bool:
        left, right = evaluate(self.left, percent=percent), evaluate(self.right, percent=percent)
        if left is None or right is None:
            return False
        if isinstance(self.right, Number):
            return agrees(left, self.right, right, roughly=self.roughly)
        return left == right


def find_equations(text: str) -> tuple[Equation, ...]:
    """The equations of a step, in order. What holds an unknown such as `2x + 10 = 30` is none."""
    tokens = tokenize(text)
    found: list[Equation] = []
    position = 0
    while position < len(tokens):
        position = _read_chain(tokens, position, found)
    return tuple(found)


def parse_expression(text: str) -> Expression | None:
    """A whole text such as `(3+4)*2` as one expression; None where it is anything else."""
    tokens = tokenize(text, step=False)
    reader = _Reader(tokens, 0)
    expression = reader.sum(0)
    return expression if expression is not None and reader.position == len(tokens) else None


class _Certainty(IntEnum):
    """How sure it is that a side holds numbers only."""

    UNKNOWNS = 0  # a letter stands for a number, or a part was not read
    UNITS = 1  # a single letter that may be a unit: 5m
    NUMBERS = 2


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a chain of equals signs."""

    expression: Expression
    certainty: _Certainty


def _read_chain(tokens: Sequence[Token], start: int, found: list[Equation]) -> int:
    """Reads `a = b = c` from `start` on, adds its equations, and says where to go on.

    A number at the head may belong to words, as in `8 doses = 8 * 56 = 448`: differing, it claims nothing.
    """
    if tokens[start].kind not in ("number", "open") and not _is_sign(tokens, start):
        return start + 1
    left, position = _read_side(tokens, start)
    if left is None:
        return start + 1
    if _follows_operator(tokens, start):
        left = _Side(left.expression, _Certainty.UNKNOWNS)
    first = True
    while _says_equal(tokens, position):
        right, after = _read_side(tokens, position + 1)
        if right is None:
            return position + 1
        equation = _equation(left, right, roughly=tokens[position].kind == "roughly")
        if equation is not None and _is_claim(tokens, position, left, right):
            described = tokens[position - 1].kind == "word" or _says_equal(tokens, after)
            heading = first and described and not is_calculation(left.expression)
            found += [equation] if equation.is_true or not heading else []
        left, position, first = right, after, False
    return position


def _says_equal(tokens: Sequence[Token], position: int) -> bool:
    return position < len(tokens) and tokens[position].kind in ("equals", "roughly", "says")


def _is_claim(tokens: Sequence[Token], position: int, left: _Side, right: _Side) -> bool:
    """Whether the sign at `position` says that both sides are equal; `is` often says something else."""
    if tokens[position].kind != "says":
        return True
    if not is_calculation(left.expression) or not isinstance(right.expression, Number):
        return False
    return not (is_ratio(left.expression) and tokens[position - 1].kind == "word")


def _equation(left: _Side, right: _Side, *, roughly: bool) -> Equation | None:
    """The equation of two sides; None where nothing is computed or a side may hold an unknown."""
    if is_calculation(left.expression):
        equation = Equation(left.expression, right.expression, roughly)
    elif is_calculation(right.expression):
        equation = Equation(right.expression, left.expression, roughly)
    else:
        return None
    certainty = min(left.certainty, right.certainty)
    if certainty < (_Certainty.UNITS if equation.is_true else _Certainty.NUMBERS):
        return None
    return equation if equation.is_true else _run_on(left, right) or equation


def _run_on(left: _Side, right: _Side) -> Equation | None:
    """`3 + 4 = 7` where `3 + 4 = 7 * 2 = 14` runs on and that much of it is true."""
    if not is_calculation(left.expression) or not is_calculation(right.expression):
        return None
    operand = _first_operand(right.expression)
    equation = None if operand is None else Equation(left.expression, operand)
    return equation if equation is not None and equation.is_true else None


def _first_operand(expression: Expression) -> Number | None:
    while isinstance(expression, Sum | Product):
        parts = expression.terms if isinstance(expression, Sum) else expression.factors
        if parts[0][0]:
            return None
        expression = parts[0][1]
    return expression if isinstance(expression, Number) else None


def _read_side(tokens: Sequence[Token], start: int) -> tuple[_Side | None, int]:
    """An expression with its unit words, if what follows it lets it end there."""
    reader = _Reader(tokens, start)
    expression = reader.sum(0)
    if expression is None:
        return None, start
    position = reader.position
    certainty = min(reader.certainty, _letter(tokens, position))
    if position < len(tokens) and tokens[position].kind == "operator":
        dash = tokens[position].text == "-" and isinstance(expression, Number)
        certainty = certainty if dash else _Certainty.UNKNOWNS
    return _Side(expression, certainty), position


def _is_sign(tokens: Sequence[Token], index: int) -> bool:
    """Whether a minus sign belongs to the number behind it."""
    if tokens[index].text != "-" or tokens[index].kind != "operator" or index + 1 >= len(tokens):
        return False
    return tokens[index + 1].kind == "number" and not tokens[index + 1].spaced and tokens[index].spaced


def _follows_operator(tokens: Sequence[Token], start: int) -> bool:
    """Whether something before, in words, is part of the expression that begins here: `the total + 20`."""
    index = start - 1
    while index >= max(0, start - 4) and tokens[index].kind == "word":
        index -= 1
    if index < 0 or tokens[index].kind != "operator":
        return False
    return index == start - 1 or tokens[index].text != "-"


def _letter(tokens: Sequence[Token], position: int) -> _Certainty:
    """What a single letter at this place means: an unknown, a unit, or nothing."""
    if position >= len(tokens) or tokens[position].kind != "word" or len(tokens[position].text) != 1:
        return _Certainty.NUMBERS
    token = tokens[position]
    if token.spaced and token.text in "ai":
        return _Certainty.NUMBERS
    return _Certainty.UNITS if token.text in _UNIT_LETTERS else _Certainty.UNKNOWNS


class _Reader:
    """Recursive descent over tokens: sums of products of numbers and brackets, unit words in between."""

    def __init__(self, tokens: Sequence[Token], position: int) -> None:
        self.tokens = tokens
        self.position = position
        self.certainty = _Certainty.NUMBERS

    def sum(self, depth: int) -> Expression | None:
        minus = self._at("operator", "-")
        self.position += minus
        first = self._product(depth)
        if first is None:
            return None
        terms = [(minus, first)]
        while self._at("operator", "+") or self._at("operator", "-"):
            before = self.position
            sign = self.tokens[self.position].text
            self.position += 1
            self._skip_articles()
            term = self._product(depth)
            if term is None:
                self.position = before
                break
            terms.append((sign == "-", term))
        return terms[0][1] if len(terms) == 1 and not minus else Sum(tuple(terms))

    def _product(self, depth: int) -> Expression | None:
        first = self._power(depth)
        if first is None:
            return None
        factors = [(False, first)]
        while (sign := self._multiplying_sign(factors)) is not None:
            before = self.position
            self.position += len(sign) > 0
            self._skip_articles()
            factor = self._power(depth)
            if factor is None:
                self.position = before
                break
            factors.append((sign == "/", factor))
        return first if len(factors) == 1 else Product(tuple(factors))

    def _multiplying_sign(self, factors: list[tuple[bool, Expression]]) -> str | None:
        """The sign at this place; empty where a bracket right behind a number multiplies."""
        if self.position >= len(self.tokens):
            return None
        token = self.tokens[self.position]
        if token.kind == "operator" and token.text in "*/":
            return token.text
        before = self.tokens[self.position - 1].kind
        if (
            token.kind == "open"
            and (not token.spaced or before == "number")
            and self._remark(self.position) is None
        ):
            return ""
        if token.kind == "number" and before == "close":
            return ""
        if token.text == "of" and _is_share(factors) and self._number_at(self.position + 1):
            return "of"
        return None

    def _power(self, depth: int) -> Expression | None:
        base = self._operand(depth)
        if base is None or not self._at("operator", "^"):
            return base
        exponent = self.tokens[self.position + 1].number if self._number_at(self.position + 1) else None
        if exponent is None or exponent.value.denominator != 1:
            return base
        self.position += 2
        return Power(base, int(exponent.value))

    def _operand(self, depth: int) -> Expression | None:
        if self.position >= len(self.tokens) or depth > _DEEPEST:
            return None
        token = self.tokens[self.position]
        expression: Expression | None = None
        if token.number is not None:
            expression = token.number
            self.position += 1
        elif _is_sign(self.tokens, self.position) and depth >= 0:
            number = self.tokens[self.position + 1].number
            self.position += 2
            expression = Sum(((True, number),)) if number else None
        elif token.kind == "open":
            before = self.position
            self.position += 1
            expression = self.sum(depth + 1)
            if expression is None or not self._at_kind("close"):
                self.position = before
                return None
            self.position += 1
        if expression is not None:
            self._skip_units()
        return expression

    def _skip_articles(self) -> None:
        """Passes `his` in `25 classmates + his 1 teacher`."""
        if self.position < len(self.tokens) and self.tokens[self.position].text in _ARTICLES:
            self.position += self._number_at(self.position + 1)

    def _skip_units(self) -> None:
        """Passes unit words where an operator, an equals sign or a closing bracket follows them."""
        position, certainty = self.position, self.certainty
        for _ in range(_LONGEST_UNIT):
            if position >= len(self.tokens):
                return
            token = self.tokens[position]
            if token.kind == "word":
                if token.text == "of" and self._number_at(position + 1):
                    break
                certainty = min(certainty, _letter(self.tokens, position))
                position += 1
            elif token.kind == "open" and (after := self._remark(position)) is not None:
                position = after
            else:
                break
        if position == self.position:
            return
        if position < len(self.tokens) and self.tokens[position].kind in (
            "operator", "equals", "roughly", "says", "close",
        ):  # fmt: skip
            self.certainty, self.position = certainty, position

    def _remark(self, position: int) -> int | None:
        """The place behind a bracket that holds words only; None where it holds more."""
        for index in range(position + 1, min(position + 12, len(self.tokens))):
            token = self.tokens[index]
            if token.kind == "close":
                return index + 1
            if token.kind not in ("word", "says"):
                return None
        return None

    def _at(self, kind: str, text: str) -> bool:
        return self._at_kind(kind) and self.tokens[self.position].text == text

    def _at_kind(self, kind: str) -> bool:
        return self.position < len(self.tokens) and self.tokens[self.position].kind == kind

    def _number_at(self, index: int) -> bool:
        return index < len(self.tokens) and self.tokens[index].kind == "number"


def _is_share(factors: list[tuple[bool, Expression]]) -> bool:
    """Whether `of` behind these factors multiplies: `20% of`, `1/2 of`, `half of`."""
    if len(factors) == 2:
        return factors[1][0]
    number = factors[0][1]
    if isinstance(number, Product | Sum):
        return True
    return isinstance(number, Number) and (number.percent or number.value.denominator != 1)
