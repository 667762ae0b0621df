"""Problem sets: right, varied, the same for a seed, and without a problem in two splits."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter

import pytest

from bswirl.errors import UsageError
from bswirl.problems import calculations, make_problems, making, solution_steps
from bswirl.problems.making import TEMPLATES
from bswirl.records import NewQuestion, to_json
from bswirl.steps import parse_solution

PROBLEMS = make_problems(seed=1, train=1500, validation=150, test=150)


def shape(question: NewQuestion) -> tuple[str, ...]:
    """A problem's calculations, which tell its family and its numbers."""
    return tuple(
        f"{calculation.expression}={calculation.result}"
        for calculation in calculations(question.solution or "")
    )


class TestContent:
    """What the problems are like."""

    def test_solutions_are_true(self) -> None:
        """Every calculation is true, positive, whole and small, and the last one gives gold."""
        for question in PROBLEMS:
            found = calculations(question.solution or "")
            for calculation in found:
                assert re.fullmatch(r"\d+([*/+-]\d+){1,2}", calculation.expression)
                assert eval(calculation.expression) == int(calculation.result)
                assert 0 < int(calculation.result) <= 999
            assert found[-1].result == question.gold
            assert (question.solution or "").endswith(f"\n#### {question.gold}")

    def test_texts_are_filled_in(self) -> None:
        """No placeholder is left and every sentence begins with a capital or a number."""
        for question in PROBLEMS:
            assert not set("{}<>") & set(question.text)
            for sentence in re.split(r"(?<=[.?]) ", question.text):
                assert sentence[0].isupper() or sentence[0].isdigit() or sentence[0] == "$"

    def test_variety(self) -> None:
        """At least 14 families, three wordings each, 2 to 5 steps, all four operations."""
        assert len({template.name for template in TEMPLATES}) == len(TEMPLATES) >= 14
        assert all(len(template.questions) >= 3 for template in TEMPLATES)
        depths = Counter(len(calculations(question.solution or "")) for question in PROBLEMS)
        assert set(depths) == {2, 3, 4, 5}
        assert min(depths.values()) > 100
        signs = Counter(
            sign for question in PROBLEMS for sign in re.findall(r"[-+*/]", "".join(shape(question)))
        )
        assert min(signs[sign] for sign in "+-*/") > 500

    def test_every_family_is_drawn(self) -> None:
        """No family is so narrow that its problems run out or never come."""
        wordings = {
            template.name: re.compile("|".join(_pattern(text) for text in template.questions))
            for template in TEMPLATES
        }
        for name, pattern in wordings.items():
            assert sum(bool(pattern.fullmatch(question.text)) for question in PROBLEMS) >= 15, name

    def test_canonical_round_trip(self) -> None:
        """The canonical steps come back from their own text."""
        for question in PROBLEMS:
            steps = solution_steps(question.solution or "", question.gold or "")
            parsed = parse_solution("".join(step + "\n" for step in steps))
            assert tuple(step.text for step in parsed.steps) == steps
            assert [step.is_answer for step in parsed.steps] == [False] * (len(steps) - 1) + [True]


class TestSplits:
    """Which problem is in which split."""

    def test_ids(self) -> None:
        """Problems are numbered in their split."""
        assert [question.external_id for question in make_problems(3, 2, 1, 1)] == [
            "train-0001",
            "train-0002",
            "validation-0001",
            "test-0001",
        ]

    def test_no_problem_twice(self) -> None:
        """No text comes twice."""
        assert len({question.text for question in PROBLEMS}) == len(PROBLEMS)

    def test_nothing_shared_between_splits_of_any_seed(self) -> None:
        """No wording with its numbers, whatever the names, is in two splits, even of two seeds."""
        other = make_problems(seed=2, train=1500, validation=150, test=150)
        splits: dict[tuple[str, ...], set[str]] = {}
        for question in (*PROBLEMS, *other):
            numbers = tuple(re.findall(r"\d+", question.text))
            key = (*shape(question), *numbers, re.sub(r"\W*\d\W*|[A-Z]\w+|\w+s\b", "", question.text))
            splits.setdefault(key, set()).add(question.split)
        assert all(len(found) == 1 for found in splits.values())

    def test_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A split that cannot be filled says how many there are."""
        narrow = next(template for template in TEMPLATES if template.name == "half-as-many")
        monkeypatch.setattr(making, "TEMPLATES", (narrow,))
        with pytest.raises(UsageError, match=r"not 50 different test problems.*for \d+ or fewer"):
            make_problems(1, 0, 0, 50)


class TestDeterminism:
    """The same seed gives the same problems, on every Python."""

    def test_pinned(self) -> None:
        """The problems of seed 1 are these, for good: shipped data and adapters depend on them."""
        text = json.dumps([to_json(question) for question in make_problems(1, 40, 10, 10)])
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == "1ab61f60750c79b9"

    def test_larger_set_begins_with_the_smaller(self) -> None:
        """Asking for more changes none of the first ones."""
        assert make_problems(1, 30, 0, 0) == PROBLEMS[:30]

    def test_seeds_differ(self) -> None:
        """Another seed gives other problems."""
        assert make_problems(1, 20, 0, 0) != make_problems(2, 20, 0, 0)


def _pattern(wording: str) -> str:
    return re.sub(r"\\\{\w+\\\}", r"[\\w ]+", re.escape(wording))
