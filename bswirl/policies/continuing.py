"""One new step out of a chat model's reply, which may also repeat old steps, chat, or write several."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bswirl.steps import Step, parse_solution, step_number, strip_marker

_EMPHASIS = re.compile(r"[*_`~]+")
_REFUSAL = re.compile(
    r"(?:i'm|i am|we're|we are)?\s{0,3}(?:very |so |really )?(?:sorry|unable to|not able to|afraid)\b"
    r"|(?:i|we) (?:can(?:'t|not| not)|won't|will not|must decline)\b|as an ai\b|my apologies\b",
    re.IGNORECASE,
)


def new_step(text: str, earlier: Sequence[str], *, complete: bool = True) -> Step | None:
    """The step in `text` that goes on from the steps in `earlier`, with its place; None where there is none.

    It is the step with the next number. Where no step has that number, it is the first one that is not one
    of `earlier` in other dress. Lines without a marker count only in a reply that has no marked line. With
    `complete=False` (tokens ran out) a last step that more text could have changed does not count.
    """
    known = {_bare(step) for step in earlier}
    steps = [step for step in parse_solution(text, complete).steps if _bare(step.text)]
    marked = [step for step in steps if step.is_answer or step_number(step.text) is not None]
    fresh = [step for step in marked or _without_lead_in(steps) if _bare(step.text) not in known]
    number = next_number(earlier)
    for step in fresh:
        if step_number(step.text) == number:
            return step
    return fresh[0] if fresh else None


def next_number(earlier: Sequence[str]) -> int:
    """The number that the step after `earlier` carries, going by the last one that says its own."""
    for back, step in enumerate(reversed(earlier), start=1):
        number = step_number(step)
        if number is not None:
            return number + back
    return len(earlier) + 1


def _bare(step: str) -> str:
    """A step's words without marker, emphasis and spacing."""
    return " ".join(_EMPHASIS.sub("", strip_marker(step)).casefold().split())


def _without_lead_in(steps: list[Step]) -> list[Step]:
    """Unmarked lines without one like "The next step is:" in front of others."""
    return steps[1:] if len(steps) > 1 and steps[0].text.endswith(":") else steps


def is_refusal(text: str) -> bool:
    """Whether a reply is words of refusal and no solution: no marked line, no number, an apology in front."""
    plain = text.replace("’", "'").strip()
    if not _REFUSAL.match(plain) or any(letter.isdigit() for letter in plain):
        return False
    return all(step_number(step.text) is None for step in parse_solution(plain).steps)
