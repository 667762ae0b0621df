"""The one interface of all policies: questions and steps so far in, sampled texts with log-probs out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, Protocol

from bswirl.tokens import StepTokens, as_bytes

Stop = Literal["step", "solution"]
Finish = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """What to sample: `n` continuations of a question and the steps so far.

    `stop` says whether a sample ends with its first step or with the solution's answer; a solution also
    ends after `max_steps` steps. `key` names the request's random stream: the same seed and key draw the
    same samples, whatever else is asked for beside them, up to rounding: in bfloat16 some processors give
    other last bits in other batches, and a draw at the very edge of two tokens can fall to the other side.
    Without a key the request's place in the list is its name.
    """

    question: str
    steps: tuple[str, ...] = ()
    n: int = 1
    stop: Stop = "step"
    key: Hashable = None
    max_steps: int | None = None


@dataclass(frozen=True, slots=True)
class Sampled:
    """One sampled text.

    For a step, `text` is that step alone without its terminator, and `n_tokens` and `logprob` cover it and
    the terminator; where no step can be read in what was sampled, `is_answer` is None and `text` is all of
    it. For a solution, `text` and the figures are of everything sampled, and `share` gives the part of a
    step. `finish` is
    "length" where tokens or steps ran out, else "stop" or a server's own word. `logprob` is the sum of the
    tokens' untempered log-probs, or what a server calls so. Figures that a server does not give are None.
    """

    text: str
    n_tokens: int | None
    logprob: float | None
    finish: str
    is_answer: bool | None = None
    token_ends: tuple[int, ...] = ()  # per token: the character of `text` behind its last one
    token_logprobs: tuple[float, ...] = ()
    token_sizes: tuple[int, ...] = ()  # per token: bytes of UTF-8, of `text` and `beyond` together
    beyond: str = ""  # what the tokens spell behind `text`, such as the end of turn
    tokens: StepTokens | None = None  # of a sampled step

    def share(self, start: int, end: int) -> tuple[int | None, float | None]:
        """Token count and summed log-prob of the step at characters [start, end) and its terminator.

        None where the tokens are not known.

        The terminator is the newline behind the step, with blanks before it, or else the end-of-turn token.
        Counted are all tokens that overlap those characters.
        """
        if not self.token_ends:
            return None, None
        kept = self.token_logprobs[self._tokens_of(start, end)]
        return len(kept), sum(kept)

    def tokens_of(self, start: int, end: int) -> StepTokens | None:
        """The same tokens one by one, each with its log-prob; None where they are not known."""
        if not self.token_sizes:
            return None
        kept = self._tokens_of(start, end)
        ends = (0, *accumulate(self.token_sizes))
        spelled = as_bytes(self.text) + as_bytes(self.beyond)
        first, last = ends[kept.start], ends[kept.stop]
        place = (len(as_bytes(self.text[:cut])) - first for cut in (start, end))
        sizes, logprobs = self.token_sizes[kept], self.token_logprobs[kept]
        return StepTokens.cut(spelled[first:last], sizes, logprobs, (next(place), next(place)))

    def _tokens_of(self, start: int, end: int) -> slice:
        """Which tokens overlap the step at characters [start, end) and its terminator."""
        newline = self.text.find("\n", end)
        last = not self.text[end:].strip() and newline < 0
        stop = len(self.text) if newline < 0 else newline + 1
        kept = []
        before = 0
        for place, token_end in enumerate(self.token_ends):
            overlaps = token_end > start and before < stop
            if overlaps or (last and before >= stop):
                kept.append(place)
            before = token_end
        return slice(kept[0], kept[-1] + 1) if kept else slice(0, 0)


class Policy(Protocol):
    """A model that can be sampled from."""

    @property
    def name(self) -> str: ...

    @property
    def prompt_sha(self) -> str:
        """SHA-256 of the template that turns a state into a prompt."""
        ...

    def sample(
        self,
        requests: Sequence[SampleRequest],
        *,
        temperature: float,
        max_tokens: int,
        seed: int,
        top_p: float = 1.0,
        greedy: bool = False,
        check: Callable[[], None] | None = None,
        on_done: Callable[[int, list[Sampled]], None] | None = None,
    ) -> list[list[Sampled]]:
        """The samples of each request, in the requests' order.

        `max_tokens` bounds one sample. `check` is called every few tokens and may raise to stop the sampling.
        `on_done` gets a request's place in the list and its samples as soon as all of them are there.
        """
        ...
