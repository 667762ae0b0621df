"""Drawing problem sets whose splits share nothing, whatever the seed and the sizes."""

from __future__ import annotations

import hashlib
from random import Random

from bswirl.errors import UsageError
from bswirl.problems.buying import BUYING
from bswirl.problems.producing import PRODUCING
from bswirl.problems.sharing import SHARING
from bswirl.problems.template import Problem, Template, choose, draw_problem
from bswirl.problems.travelling import TRAVELLING
from bswirl.records import NewQuestion

TEMPLATES: tuple[Template, ...] = (*BUYING, *PRODUCING, *SHARING, *TRAVELLING)
DATASET = "templates"
_TRIES = 2000


def make_problems(seed: int, train: int, validation: int, test: int) -> list[NewQuestion]:
    """`train`, `validation` and `test` problems of dataset `templates`, the same for the same seed.

    A family's numbers belong to one split by a hash of them, so that no two splits share a problem, not even
    those of different seeds, and a larger set begins with the smaller one. Raises UsageError where a split is
    asked for more problems than there are.
    """
    questions: list[NewQuestion] = []
    for split, count in (("train", train), ("validation", validation), ("test", test)):
        for number, problem in enumerate(_draw_split(seed, split, count), start=1):
            questions.append(
                NewQuestion(
                    DATASET, split, f"{split}-{number:04d}", problem.text, problem.gold, problem.solution
                )
            )
    return questions


def _draw_split(seed: int, split: str, count: int) -> list[Problem]:
    random = Random(_number(f"{seed}/{split}"))
    drawn: dict[tuple[str, tuple[int, ...]], Problem] = {}
    misses = 0
    while len(drawn) < count:
        problem = draw_problem(choose(random, TEMPLATES), random)
        if problem is None or _split_of(problem) != split or (problem.template, problem.numbers) in drawn:
            misses += 1
            if misses > _TRIES:
                raise UsageError(
                    f"there are not {count} different {split} problems", f"ask for {len(drawn)} or fewer"
                )
            continue
        misses = 0
        drawn[problem.template, problem.numbers] = problem
    return list(drawn.values())


def _split_of(problem: Problem) -> str:
    """8 of 10 sets of numbers are for training, 1 for validation, 1 for testing."""
    place = _number(f"{problem.template}/{problem.numbers}") % 10
    return {0: "test", 1: "validation"}.get(place, "train")


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
