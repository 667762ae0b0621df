"""The trees that are measured: templated problems, tokenised as in training, in a wanted shape."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from bswirl.errors import UsageError
from bswirl.problems import make_problems, solution_steps
from bswirl.records import Action, FrozenTree, NewQuestion, Question, QuestionTree, State

_LEAD_INS = (
    "Now we take the next numbers from the story.",
    "Let us look at what comes after that.",
    "The story says enough for one more calculation.",
    "From what is given above we can go on.",
    "Another part of the question is worked out here.",
    "Reading on, there is one more thing to compute.",
    "Before the next question this has to be found.",
    "With the numbers of the text this follows.",
)
_RESULT = re.compile(r"(= \$?)(\d+)(?!.*= \$?\d)")
_SENTENCE = re.compile(r"[^.?!]+[.!](?=\s|$)")
_STORIES_A_QUESTION = 8
_SPARES_TRIED = 40
_SEED = 5

TokenCount = Callable[[str], int]


def bench_trees(
    questions: int, steps: int, actions: int, prompt_tokens: int, count: TokenCount
) -> list[FrozenTree]:
    """`questions` judged trees with `steps` states in a row and `actions` distinct actions at each.

    A question joins as many stories as its steps need, and sentences of further ones until it has close to
    `prompt_tokens` tokens as `count` counts them; it may have more. Of a state's actions every other one has
    a slip in its result and reward 0. Raises UsageError for more questions than there are problems.
    """
    stories = make_problems(_SEED, questions * _STORIES_A_QUESTION + _SPARES_TRIED, 0, 0)
    spare = [sentence for story in stories[-_SPARES_TRIED:] for sentence in _sentences(story.text)]
    pool = iter(stories[:-_SPARES_TRIED])
    trees = []
    for number in range(1, questions + 1):
        chosen = list(_until(pool, steps))
        text = _padded("\n".join(story.text for story in chosen), spare, prompt_tokens, count)
        lines = [line for story in chosen for line in _lines(story)][:steps]
        trees.append(_tree(Question(number, "bench", "train", f"b{number}", text), lines, actions))
    return trees


def _until(pool: Iterator[NewQuestion], steps: int) -> Iterator[NewQuestion]:
    """Stories whose solutions have `steps` lines together."""
    found = 0
    for story in pool:
        yield story
        found += len(_lines(story))
        if found >= steps:
            return
    raise UsageError("there are not enough problems for so many steps", "ask for fewer steps or questions")


def _lines(story: NewQuestion) -> list[str]:
    """The solution's steps without their numbers, the answer left out."""
    *steps, _ = solution_steps(story.solution or "", story.gold or "")
    return [step.partition(": ")[2] for step in steps]


def _sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in _SENTENCE.findall(text)]


def _padded(text: str, spare: Iterable[str], tokens: int, count: TokenCount) -> str:
    """`text` behind those spare sentences that still fit into `tokens`."""
    for sentence in spare:
        longer = f"{sentence} {text}"
        if sentence not in text and count(longer) <= tokens:
            text = longer
    return text


def _tree(question: Question, lines: list[str], group: int) -> FrozenTree:
    states: list[State] = []
    actions: list[Action] = []
    for depth, line in enumerate(lines):
        via = actions[-group].action_id if actions else None
        state = State(question.question_id * 1000 + depth, question.question_id, depth, _last(states), via)
        states.append(state)
        for index in range(group):
            slip = index % 2 == 1
            actions.append(
                Action(
                    action_id=state.state_id * 100 + index,
                    state_id=state.state_id,
                    depth=depth + 1,
                    is_answer=False,
                    text=_step(depth, index, _slipped(line, index) if slip else line),
                    samples=1,
                    backbone=int(index == 0),
                    reward=0.0 if slip else 1.0,
                )
            )
    tree = QuestionTree(question, tuple(states), tuple(actions))
    return FrozenTree(tree, tuple(action.action_id for action in actions))


def _last(states: list[State]) -> int | None:
    return states[-1].state_id if states else None


def _step(depth: int, index: int, line: str) -> str:
    """The step in words of its own: a state's actions part right behind the step's number."""
    return f"Step {depth + 1}: {_LEAD_INS[(depth + index) % len(_LEAD_INS)]} {line}"


def _slipped(line: str, by: int) -> str:
    """The line with another number as its result."""
    return _RESULT.sub(lambda found: f"{found[1]}{int(found[2]) + by}", line)
