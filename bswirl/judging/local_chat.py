"""A chat model on this machine as judge: it reasons greedily, and its verdict is read from probabilities.

Behind the reasoning stands `Correct:`, and yes or no, whichever is the likelier next word; then, behind that,
`Progress:`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from bswirl.errors import BswirlError
from bswirl.judging.catalogue import JudgeSpec
from bswirl.judging.judgement import Judgement, Outcome, StepToJudge
from bswirl.judging.served import messages_for, prompt_of
from bswirl.policies.base import Finish
from bswirl.policies.local import LoadedModel, context_length, stop_ids
from bswirl.policies.rendering import Message, encode_chat, fold_system
from bswirl.policies.sampling import Drawing, Generated, Job, Sampler
from bswirl.policies.words import YesOrNo, yes_or_no

_LEAST_MASS = 0.01  # of yes and no together; with less the model meant to say something else
_VERDICT_TOKENS = 32  # more than both labels and words have in any tokenizer
_VERDICT_LINE = re.compile(
    r"^[ \t>*_#`-]*(?:(?:final )?verdict|(?:is )?correct(?:ness)?)[ \t*_`]*[:=]", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class _Reasoned:
    """A step's chat, and what the model wrote of it."""

    messages: tuple[Message, ...]
    reply: str  # verbatim
    rationale: str  # without the verdict that it may have begun
    n_prompt: int
    n_reply: int


class LocalChatJudge:
    """Judges steps with one loaded model, `batch_size` at a time."""

    def __init__(self, spec: JudgeSpec, loaded: LoadedModel, *, batch_size: int) -> None:
        """Raises InputError where the judge's prompt cannot be read."""
        self.spec = spec
        self.batch_size = batch_size
        self._loaded = loaded
        self._prompt = prompt_of(spec)
        self._limit = context_length(loaded.model)
        self._sampler = Sampler(
            loaded.model,
            loaded.tokenizer,
            stop_ids=stop_ids(loaded),
            batch_size=batch_size,
            context_length=self._limit,
        )

    def judge(
        self, steps: Sequence[StepToJudge], check: Callable[[], None] | None = None
    ) -> Iterator[tuple[int, Outcome]]:
        """The outcome of every step with its place in `steps`, a batch at a time.

        `check` is called every few tokens and may raise. Raises BswirlError where the GPU's memory is full.
        """
        for start in range(0, len(steps), self.batch_size):
            began = time.monotonic()
            outcomes = self._batch(steps[start : start + self.batch_size], check)
            seconds = (time.monotonic() - began) / len(outcomes)
            for place, outcome in enumerate(outcomes, start):
                yield place, replace(outcome, seconds=seconds)

    def _batch(self, steps: Sequence[StepToJudge], check: Callable[[], None] | None) -> list[Outcome]:
        reasoned = self._reason(steps, check)
        fitting = [one for one in reasoned if one is not None]
        try:
            correct = self._ask([(one, "Correct:") for one in fitting])
            said = [f"Correct: {'yes' if _says(word) else 'no'}\nProgress:" for word in correct]
            progress = self._ask(list(zip(fitting, said, strict=True)))
        except torch.cuda.OutOfMemoryError as error:
            raise BswirlError("no GPU memory left while judging", "give a smaller --batch-size") from error
        outcomes = map(_outcome, fitting, correct, progress)
        return [_too_long() if one is None else next(outcomes) for one in reasoned]

    def _reason(
        self, steps: Sequence[StepToJudge], check: Callable[[], None] | None
    ) -> list[_Reasoned | None]:
        """What the model writes of each step; None where the step leaves it no room to."""
        tokenizer = self._loaded.tokenizer
        chats = [fold_system(tokenizer, messages_for(self._prompt, step)) for step in steps]
        prompts = [encode_chat(tokenizer, chat, "") for chat in chats]
        room = [self._limit - len(prompt) - _VERDICT_TOKENS for prompt in prompts]
        reasoned: list[_Reasoned | None] = [None for _ in steps]
        lengths = [min(self.spec.max_tokens, left) for left in room]
        for most in sorted({length for length in lengths if length > 0}):  # one alone unless some hardly fit
            places = [place for place, length in enumerate(lengths) if length == most]
            jobs = [Job(prompts[place], (0,), _verdict_begins) for place in places]
            found = self._sampler.run(jobs, drawing=Drawing(greedy=True), max_tokens=most, check=check)
            for place, (generated,) in zip(places, found, strict=True):
                reasoned[place] = self._reasoned(chats[place], len(prompts[place]), generated)
        return reasoned

    def _reasoned(self, chat: tuple[Message, ...], n_prompt: int, generated: Generated) -> _Reasoned:
        ids = generated.ids
        if ids and ids[-1] in self._sampler.stop_ids:
            ids = ids[:-1]
        reply = self._sampler.decode(ids)
        begun = _VERDICT_LINE.search(reply)
        rationale = (reply[: begun.start()] if begun else reply).strip()
        return _Reasoned(chat, reply, rationale, n_prompt, len(generated.ids))

    def _ask(self, asked: Sequence[tuple[_Reasoned, str]]) -> list[YesOrNo]:
        begun = [(one.messages, f"{one.rationale}\n{text}" if one.rationale else text) for one, text in asked]
        return yes_or_no(self._loaded.model, self._loaded.tokenizer, begun, self.batch_size)


def _verdict_begins(text: str) -> Finish | None:
    return "stop" if _VERDICT_LINE.search(text) else None


def _says(word: YesOrNo) -> bool:
    return word.yes >= 0.5


def _outcome(reasoned: _Reasoned, correct: YesOrNo, progress: YesOrNo) -> Outcome:
    if min(correct.mass, progress.mass) < _LEAST_MASS:
        judgement = Judgement(None, None, "The model would say neither yes nor no.")
    else:
        judgement = Judgement(_says(correct), _says(progress), reasoned.rationale)
    return Outcome(
        judgement,
        raw=reasoned.reply,
        votes={
            "correct": round(correct.yes, 6),
            "progress": round(progress.yes, 6),
            "mass": [round(correct.mass, 6), round(progress.mass, 6)],
        },
        prompt_tokens=reasoned.n_prompt,
        completion_tokens=reasoned.n_reply,
        reason="unreadable" if judgement.status == "unjudged" else None,
    )


def _too_long() -> Outcome:
    return Outcome(
        Judgement(None, None, "The step does not fit into the model's context."), reason="too-long"
    )
