"""A model behind an endpoint as judge: votes, each a call, until more of them could change nothing.

`correct` and `progress` are decided apart, each by the majority of the votes that could be read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from bswirl.errors import InputError
from bswirl.judging.catalogue import JudgeSpec
from bswirl.judging.judgement import Judgement, Outcome, StepToJudge
from bswirl.judging.verdict_reader import ReadVerdict, read_verdict
from bswirl.prompts import Prompt
from bswirl.serving.calls import Call, Caller, ChatMessage, Failure, Reply

ATTEMPTS = 3  # how often one vote is asked for while it cannot be read
AGAIN_TEMPERATURE = 0.7  # of votes and attempts that would repeat the first one's words at temperature 0
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "rationale": {"type": "string"},
            "correct": {"type": "boolean"},
            "progress": {"type": "boolean"},
        },
        "required": ["rationale", "correct", "progress"],
        "additionalProperties": False,
    }
)
_NAMES = ("correct", "progress")
_LENGTH = "length"


def prompt_of(spec: JudgeSpec) -> Prompt:
    """The judge's prompt. Raises InputError where its spec has none that can be read."""
    if spec.prompt is None:
        raise InputError(f"judge {spec.name} has no prompt", "start a new run")
    return Prompt.parse(spec.prompt, f"the prompt of judge {spec.name}")


def messages_for(prompt: Prompt, step: StepToJudge) -> tuple[ChatMessage, ...]:
    """What a judge is told of one step. The gold solution is told only where the prompt asks for it."""
    return prompt.messages(
        question=step.question, steps="\n".join(step.prefix), step=step.action, solution=step.solution
    )


@dataclass(slots=True)
class _Vote:
    """One vote: the replies that it took, and what the last of them says. Void where that is nothing."""

    read: ReadVerdict | None = None
    replies: list[Reply] = field(default_factory=list)
    failure: Failure | None = None

    @property
    def text(self) -> str:
        """The last reply."""
        return self.replies[-1].choices[0].text if self.replies else ""

    @property
    def calls(self) -> int:
        return len(self.replies) + (self.failure is not None)


@dataclass(slots=True)
class _Ballot:
    """The votes on one step so far."""

    votes: list[_Vote] = field(default_factory=list)

    def said(self, name: str) -> list[bool]:
        return [getattr(vote.read, name) for vote in self.votes if vote.read is not None]

    def split(self, name: str) -> tuple[int, int]:
        """Votes for yes and for no."""
        said = self.said(name)
        return sum(said), len(said) - sum(said)

    def majority(self, name: str) -> bool | None:
        yes, no = self.split(name)
        return None if yes == no else yes > no

    def needed(self, most: int) -> int:
        """How many more votes, of `most` in all, could decide what is open; 0 once none can change it."""
        left = most - len(self.votes)
        leads = [abs(yes - no) for yes, no in map(self.split, _NAMES)]
        return max((left - lead) // 2 + 1 if lead <= left else 0 for lead in leads) if left > 0 else 0


class ServedJudge:
    """Asks one judge about steps, as many at a time as its caller lets it."""

    def __init__(self, spec: JudgeSpec, caller: Caller) -> None:
        """Raises InputError where the judge's prompt cannot be read."""
        self.spec = spec
        self._caller = caller
        self._prompt = prompt_of(spec)

    async def judge(
        self, step: StepToJudge, *, reference: bool | None = None, extra_votes: int = 0
    ) -> Outcome:
        """What the judge says of a step.

        Where it disagrees on `correct` with `reference`, the reference judge's word, up to `extra_votes` more
        are asked for; if they leave a tie, what was decided before stands. Raises as `Caller.call`.
        """
        messages = messages_for(self._prompt, step)
        ballot = _Ballot()
        await self._fill(ballot, messages, self.spec.votes)
        decided = [ballot.majority(name) for name in _NAMES]
        if extra_votes and None not in (reference, decided[0]) and decided[0] != reference:
            await self._fill(ballot, messages, self.spec.votes + extra_votes)
            more = [ballot.majority(name) for name in _NAMES]
            decided = [old if new is None else new for old, new in zip(decided, more, strict=True)]
        return _outcome(ballot, *decided)

    async def _fill(self, ballot: _Ballot, messages: Sequence[ChatMessage], most: int) -> None:
        while needed := ballot.needed(most):
            first = len(ballot.votes)
            numbers = range(first, first + needed)
            ballot.votes += await _together([self._vote(messages, number) for number in numbers])
            if any(vote.failure is not None and vote.failure.kind == "too-long" for vote in ballot.votes):
                return  # so are all the others

    async def _vote(self, messages: Sequence[ChatMessage], number: int) -> _Vote:
        vote = _Vote()
        for attempt in range(ATTEMPTS):
            call = self._call(messages, number, attempt)
            reply = await self._caller.call(call)
            if isinstance(reply, Failure):
                vote.failure = reply
                return vote
            vote.replies.append(reply)
            vote.read = read_verdict(vote.text, json_first=call.schema is not None)
            if vote.read is not None:
                return vote
        return vote

    def _call(self, messages: Sequence[ChatMessage], number: int, attempt: int) -> Call:
        first = number == attempt == 0
        temperature = self.spec.temperature if first else self.spec.temperature or AGAIN_TEMPERATURE
        return Call(
            messages=tuple(messages),
            max_tokens=self.spec.max_tokens,
            temperature=temperature,
            seed=number * ATTEMPTS + attempt if temperature else None,
            # A model that cannot keep to the schema is asked once more without.
            schema=SCHEMA if attempt < ATTEMPTS - 1 else None,
            tag=f"vote {number + 1}/attempt {attempt + 1}",
        )


async def _together(votes: Sequence[Coroutine[Any, Any, _Vote]]) -> list[_Vote]:
    """All votes; the first error ends the others and is raised."""
    if len(votes) == 1:
        return [await votes[0]]
    tasks = [asyncio.ensure_future(vote) for vote in votes]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _outcome(ballot: _Ballot, correct: bool | None, progress: bool | None) -> Outcome:
    replies = [reply for vote in ballot.votes for reply in vote.replies]
    void = sum(vote.read is None for vote in ballot.votes)
    judgement, raw, reason = _decision(ballot, correct, progress)
    return Outcome(
        judgement,
        raw=raw,
        votes={
            **{name: list(ballot.split(name)) for name in _NAMES},
            "asked": sum(vote.calls for vote in ballot.votes),
            **({"void": void} if void else {}),
        },
        cost=sum(reply.cost for reply in replies),
        prompt_tokens=sum(reply.prompt_tokens for reply in replies),
        completion_tokens=sum(reply.completion_tokens for reply in replies),
        seconds=sum(reply.latency for reply in replies),
        reason=reason,
    )


def _decision(
    ballot: _Ballot, correct: bool | None, progress: bool | None
) -> tuple[Judgement, str | None, str | None]:
    """The judgement with its deciding reply, or why there is none, in a word."""
    read = [vote for vote in ballot.votes if vote.read is not None]
    if not read:
        why, reason = _void(ballot.votes)
        return Judgement(None, None, why), ballot.votes[-1].text or None, reason
    if correct is None or progress is None:
        open_ones = " and ".join(name for name in _NAMES if ballot.majority(name) is None)
        words = f"The votes are tied on {open_ones}."
        return Judgement(None, None, words), read[-1].text, "tied votes"
    deciding = _deciding(read, correct, progress)
    rationale = "\n\n".join(vote.read.rationale for vote in deciding if vote.read is not None)
    return Judgement(correct, progress, rationale), "\n\n".join(vote.text for vote in deciding), None


def _deciding(votes: Sequence[_Vote], correct: bool, progress: bool) -> list[_Vote]:
    """The first vote that says both, else the first that says each."""
    both = [
        vote for vote in votes if vote.read and (vote.read.correct, vote.read.progress) == (correct, progress)
    ]
    if both:
        return both[:1]
    one = next(vote for vote in votes if vote.read and vote.read.correct == correct)
    other = next(vote for vote in votes if vote.read and vote.read.progress == progress)
    return [one, other]


def _void(votes: Sequence[_Vote]) -> tuple[str, str]:
    """Why no vote could be read: a sentence, and a word to count by."""
    failures = [vote.failure for vote in votes if vote.failure is not None]
    if failures:
        return f"The server gave no reply: {failures[-1].message}", failures[-1].kind
    count = sum(len(vote.replies) for vote in votes)
    if votes[-1].replies[-1].choices[0].finish == _LENGTH:
        return f"No verdict could be read in {count} replies; the last was cut off for its length.", "cut off"
    return f"No verdict could be read in {count} replies.", "unreadable"
