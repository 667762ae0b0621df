"""Model text into steps: the actions of a trajectory, verbatim.

A step that begins with a marker (`Step 2:`, `**Step 2:**`, `2.`, a heading) runs until the next line that
begins a step or an answer; a line without a marker is a step of its own. Blank lines between steps belong to
none. The answer line is the last step; what a model writes after it is kept apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LEAD = re.compile(r"[\s>*_`~\-•#]*")
_WORD_MARKER = re.compile(r"step\s{0,3}\d{1,3}(?:\*\*|[*_\s]{0,8}(?:[:.)–—]|-\s|$))", re.IGNORECASE)
_NUMBER_MARKER = re.compile(r"\(?\d{1,2}[.)][*_]{0,4}(?:\s|$)")
_MARKER_LABEL = re.compile(r"(?:step\s{0,3}\d{1,3}[*_\s]{0,8}[:.)–—-]?|\(?\d{1,2}[.)])[*_\s]*", re.IGNORECASE)
_ANSWER_LABEL = re.compile(
    r"(?:(?:so|thus|hence|therefore),?\s{1,3})?(?:the\s{1,3})?(?:(?:final|correct)\s{1,3})?"
    r"answer[*_]{0,4}\s{0,3}(?:[:=][*_\s]*|[*_#\s]*$)",
    re.IGNORECASE,
)
_ANSWER_PHRASE = re.compile(
    r"\bthe\s{1,3}(?:(?:final|correct)\s{1,3})?answer\s{1,3}is\b(?:[^.\n]{0,80}?\d|[\s:*_]*$)", re.IGNORECASE
)
_HASHES = re.compile(r"\s*####\s*(?:\\?[$€£]\s*)?[-−+]?\.?\d")
_HEADING_NUMBER = re.compile(r"\s*####\s*\d{1,2}[.)]\s+\S")
_BOXED = re.compile(r"\\boxed\s{0,2}\{")
_DIGITS = re.compile(r"[0-9]{1,3}")
_NOT_CONTENT = " \t\r\f\v*_`:#="


@dataclass(frozen=True, slots=True)
class Step:
    """One action's text. `start` and `end` are its place in the text that was parsed."""

    text: str
    is_answer: bool
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class ParsedSolution:
    """A solution's steps; `unparsed` is an unfinished last step, `trailing` what stood after the answer."""

    steps: tuple[Step, ...]
    unparsed: str | None = None
    trailing: str | None = None

    @property
    def answer(self) -> Step | None:
        """The answer action, where the solution came to one."""
        return self.steps[-1] if self.steps and self.steps[-1].is_answer else None


def parse_solution(text: str, complete: bool = True) -> ParsedSolution:
    """The steps of a whole solution, in order, up to and with its answer.

    With `complete=False` (the sampler ran out of tokens) a last step that more text could have changed goes
    to `unparsed`. Every non-blank character of `text` is in a step, in `unparsed` or in `trailing`.
    """
    steps: list[Step] = []
    position = 0
    while (step := _next_step(text, position, final=complete)) is not None:
        steps.append(step)
        position = step.end
        if step.is_answer:
            return ParsedSolution(tuple(steps), trailing=_verbatim(text[position:]))
    return ParsedSolution(tuple(steps), unparsed=_verbatim(text[position:]))


def first_step(text: str) -> Step | None:
    """The first step of a text that is still being written; None while more text could change it."""
    return _next_step(text, 0, final=False)


def is_answer_text(text: str) -> bool:
    """Whether an action's text is a final answer: `Answer: 24`, `#### 24`, `The answer is 24`, a box."""
    return any(step.is_answer for step in _steps(text))


def step_number(text: str) -> int | None:
    """The number that a step's marker says: 2 for `**Step 2:** …` and for `2. …`; None without a marker."""
    line = text.split("\n", 1)[0]
    if not any(_markers(line)):
        return None
    label = _MARKER_LABEL.match(line, _lead(line))
    digits = _DIGITS.search(label.group()) if label else None
    return int(digits.group()) if digits else None


def strip_marker(text: str) -> str:
    """A step's text without its leading `Step 2:` or `2.`."""
    if not any(_markers(text.split("\n", 1)[0])):
        return text
    label = _MARKER_LABEL.match(text, _lead(text))
    return text[label.end() :] if label else text


def _lead(line: str) -> int:
    """How much of a line's beginning is spaces, bullets and emphasis."""
    lead = _LEAD.match(line)
    return lead.end() if lead else 0


def _markers(line: str) -> tuple[bool, bool]:
    """Whether a line begins with a step's word or heading marker, and whether with a plain number."""
    line = line.rstrip()
    lead = _lead(line)
    number = bool(_NUMBER_MARKER.match(line, lead))
    return bool(_WORD_MARKER.match(line, lead)) or (number and "#" in line[:lead]), number


def _steps(text: str) -> Iterator[Step]:
    position = 0
    while (step := _next_step(text, position, final=True)) is not None:
        yield step
        position = step.end


def _verbatim(text: str) -> str | None:
    return text.strip() or None


def _next_step(text: str, position: int, *, final: bool) -> Step | None:
    """The step that begins at the first non-blank line from `position` on.

    None where there is none or, unless `final`, where more text could still change it.
    """
    start, line_end, closed = _next_line(text, position)
    if start == line_end or not (closed or final):
        return None
    first = text[start:line_end]
    if _is_answer_line(first):
        return _answer_step(text, start, line_end, final=final)
    word, number = _markers(first)
    if not (word or number):
        return _step(text, start, line_end, is_answer=False)
    end = line_end
    while True:
        line_start, line_end, closed = _next_line(text, end)
        if line_start == line_end:
            return _step(text, start, end, is_answer=False) if final else None
        if _begins_step(text[line_start:line_end], inside_word_step=word, whole=closed or final):
            return _step(text, start, end, is_answer=False)
        if not (closed or final):
            return None
        end = line_end


def _answer_step(text: str, start: int, end: int, *, final: bool) -> Step | None:
    """An answer line, with the next line where the answer's label stands alone (`**Answer:**`, then `24`)."""
    if _has_content(text[start:end]):
        return _step(text, start, end, is_answer=True)
    next_start, next_end, closed = _next_line(text, end)
    following = text[next_start:next_end]
    if following and _is_marker(following, whole=closed or final):
        return _step(text, start, end, is_answer=False)
    if not (closed or final):
        return None
    if not following:
        return _step(text, start, end, is_answer=False)
    return _step(text, start, next_end, is_answer=True)


def _step(text: str, start: int, end: int, *, is_answer: bool) -> Step:
    kept = text[start:end].rstrip()
    return Step(kept, is_answer, start, start + len(kept))


def _next_line(text: str, position: int) -> tuple[int, int, bool]:
    """Start and end of the next non-blank line, and whether its newline is there; empty at the text's end."""
    while position < len(text):
        newline = text.find("\n", position)
        end = len(text) if newline < 0 else newline
        if not text[position:end].isspace() and end > position:
            return position, end, newline >= 0
        position = end + 1
    return len(text), len(text), False


def _whole(line: str, whole: bool) -> str:
    # A letter behind an unfinished line keeps patterns that need the line's end from matching too early.
    return line if whole else line + "x"


def _is_marker(line: str, *, whole: bool) -> bool:
    return any(_markers(_whole(line, whole)))


def _begins_step(line: str, *, inside_word_step: bool, whole: bool) -> bool:
    """Whether a line ends the marked step before it. A list `1.` inside a `Step 1:` belongs to that step."""
    seen = _whole(line, whole)
    word, number = _markers(seen)
    return word or (number and not inside_word_step) or bool(_HASHES.match(seen)) or _is_answer_line(seen)


def _is_answer_line(line: str) -> bool:
    if _HEADING_NUMBER.match(line):
        return False
    if _HASHES.match(line) or _BOXED.search(line) or _ANSWER_PHRASE.search(line):
        return True
    return any(_ANSWER_LABEL.match(shown, _lead(shown)) for shown in (line, strip_marker(line)))


def _has_content(line: str) -> bool:
    """Whether an answer line says an answer, not only that one follows."""
    if _HASHES.match(line) or _BOXED.search(line):
        return True
    if (phrase := _ANSWER_PHRASE.search(line)) and phrase.group()[-1].isdigit():
        return True
    for shown in (line, strip_marker(line)):
        if label := _ANSWER_LABEL.match(shown, _lead(shown)):
            return bool(shown[label.end() :].strip(_NOT_CONTENT))
    return False
