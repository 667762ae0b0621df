"""A story family: wordings, numbers within bounds and the calculations that solve it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import TypeVar

Item = TypeVar("Item")

_LARGEST = 999
_TRIES = 400
_TOKEN = re.compile(r"[a-z]+|\d+|[*/+-]")
_EASY_FACTORS = frozenset({*range(1, 13), 15, 20, 24, 25, 30, 40, 50, 60, 70, 80, 90, 100})


@dataclass(frozen=True, slots=True)
class Line:
    """A solution line: `result` names the value of `expression`; a text shows it by `{eq}` or `{usd}`."""

    result: str
    expression: str  # variables and whole numbers with * / + -, evaluated from left to right
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A story family. Texts are format strings over its numbers, its words and the people in it."""

    name: str
    questions: tuple[str, ...]
    numbers: Mapping[str, tuple[int, int, int]]  # lowest, highest, step
    lines: tuple[Line, ...]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """How many steps the solution takes before its answer."""
        return len(self.lines)


@dataclass(frozen=True, slots=True)
class Problem:
    """A template with its numbers and words put in."""

    template: str
    numbers: tuple[int, ...]
    text: str
    solution: str
    gold: str


_PEOPLE: tuple[tuple[str, str, str], ...] = tuple(
    (name, "she", "her")
    for name in (
        "Ana", "Bella", "Chloe", "Dana", "Emma", "Fatima", "Grace", "Hannah", "Ines", "Julia", "Kira", "Lena",
        "Maya", "Nora", "Olga", "Priya", "Rosa", "Sara", "Tara", "Wendy", "Yuki", "Zoe",
    )
) + tuple(
    (name, "he", "his")
    for name in (
        "Adam", "Ben", "Carlos", "David", "Erik", "Felix", "George", "Hugo", "Ivan", "James", "Kofi", "Liam",
        "Marco", "Noah", "Omar", "Paul", "Ravi", "Sam", "Tom", "Victor", "Will", "Yusuf",
    )
)  # fmt: skip


def line(result: str, expression: str, *texts: str) -> Line:
    """A solution line with one or more wordings."""
    return Line(result, expression, texts)


def choose(random: Random, items: Sequence[Item]) -> Item:
    """One item. Uses `random()` alone, whose sequence Python promises to keep for a seed."""
    return items[int(random.random() * len(items))]


def draw_problem(template: Template, random: Random) -> Problem | None:
    """A problem of this family; None when no numbers that divide and stay small were found."""
    for _ in range(_TRIES):
        numbers = {
            name: choose(random, range(low, high + 1, step))
            for name, (low, high, step) in template.numbers.items()
        }
        equations = _solve(template, numbers)
        if equations is not None:
            return _tell(template, random, numbers, equations)
    return None


def _solve(template: Template, numbers: Mapping[str, int]) -> list[tuple[str, int]] | None:
    """Each line's expression with its numbers put in, and its value; None where a value does not suit."""
    values = dict(numbers)
    equations = []
    for line in template.lines:
        tokens = [
            str(values[token]) if token.isalpha() else token for token in _TOKEN.findall(line.expression)
        ]
        value = _evaluate(tokens)
        if value is None:
            return None
        values[line.result] = value
        equations.append(("".join(tokens), value))
    return equations


def _evaluate(tokens: Sequence[str]) -> int | None:
    """The value of a chain such as `60 * 20 / 100`; None unless whole, from 2 to 999 and easy enough."""
    value = Fraction(int(tokens[0]))
    for operator, token in zip(tokens[1::2], tokens[2::2], strict=True):
        number = int(token)
        if operator == "*":
            if not {int(value), number} & _EASY_FACTORS:
                return None
            value *= number
        elif operator == "/":
            if number not in _EASY_FACTORS or number < 2:
                return None
            value /= number
        elif operator == "+":
            value += number
        else:
            value -= number
    return int(value) if value.denominator == 1 and 2 <= value <= _LARGEST else None


def _tell(
    template: Template, random: Random, numbers: Mapping[str, int], equations: Sequence[tuple[str, int]]
) -> Problem:
    first = choose(random, _PEOPLE)
    second = choose(random, [person for person in _PEOPLE if person[0] != first[0]])
    words: dict[str, object] = dict(numbers)
    words |= {name: choose(random, options) for name, options in template.words.items()}
    words |= {"n": first[0], "he": first[1], "his": first[2], "m": second[0]}
    words |= {"He": first[1].capitalize(), "His": first[2].capitalize()}
    text = choose(random, template.questions).format_map(words)
    lines = []
    for line, (expression, value) in zip(template.lines, equations, strict=True):
        shown = re.sub(r"([*/+-])", r" \1 ", expression)
        words["eq"] = f"{shown} = <<{expression}={value}>>{value}"
        words["usd"] = f"{shown} = $<<{expression}={value}>>{value}"
        lines.append(choose(random, line.texts).format_map(words))
    gold = str(equations[-1][1])
    return Problem(template.name, tuple(numbers.values()), text, "\n".join([*lines, f"#### {gold}"]), gold)
