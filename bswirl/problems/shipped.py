"""The problem sets behind the data that ships, and fresh ones that share no problem with them."""

from __future__ import annotations

from collections import Counter

from bswirl.problems.making import make_problems
from bswirl.records import NewQuestion

DEMO_SEED = 1
DEMO_TRAIN, DEMO_VALIDATION, DEMO_TEST = 160, 40, 100
_WARM_SEED = 2
_WARM_PROBLEMS = 1000


def demo_problems() -> list[NewQuestion]:
    """The questions of the demo project."""
    return make_problems(DEMO_SEED, DEMO_TRAIN, DEMO_VALIDATION, DEMO_TEST)


def warm_start_problems() -> list[NewQuestion]:
    """The questions whose solutions the policy `demo` was warm-started on; none is of the demo project."""
    taken = {problem.text for problem in demo_problems()}
    problems = make_problems(_WARM_SEED, _WARM_PROBLEMS + DEMO_TRAIN, 0, 0)
    return [problem for problem in problems if problem.text not in taken][:_WARM_PROBLEMS]


def fresh_problems(seed: int, train: int, validation: int, test: int) -> list[NewQuestion]:
    """Problems whose texts are neither in the warm start's nor in the demo's set, and differ from each other.

    Raises UsageError where a split is asked for more problems than there are.
    """
    shipped = (*demo_problems(), *warm_start_problems())
    taken = {problem.text for problem in shipped}
    spare = Counter(problem.split for problem in shipped)  # so many of a split may be known
    wanted = {"train": train, "validation": validation, "test": test}
    drawn = make_problems(seed, *(count + spare[split] if count else 0 for split, count in wanted.items()))
    chosen: list[NewQuestion] = []
    for problem in drawn:
        if problem.text not in taken and wanted[problem.split]:
            wanted[problem.split] -= 1
            taken.add(problem.text)
            chosen.append(problem)
    return chosen
