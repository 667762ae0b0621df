"""Policies behind an endpoint: what they are asked, and what is taken out of their replies."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import replace
from itertools import accumulate

from bswirl.errors import InputError
from bswirl.policies.base import Sampled, SampleRequest, Stop
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.continuing import is_refusal, new_step, next_number
from bswirl.prompts import Prompt, Purpose, shipped
from bswirl.serving.calls import Call, Caller, ChatMessage, Choice, Failure
from bswirl.tokens import as_bytes

_LARGEST_SEED = 2**31 - 1  # some servers read seeds as signed 32-bit numbers
_CUT = ("content_filter", "refusal")  # ends that leave a text which is no solution
_PURPOSES: dict[Stop, Purpose] = {"solution": "solution", "step": "step"}


class ServedPolicy:
    """A policy that a Caller's server samples. Its prompts are those in the spec, else the shipped ones."""

    def __init__(self, spec: PolicySpec, caller: Caller) -> None:
        """Raises InputError where a prompt of the spec is none."""
        self.spec = spec
        self._caller = caller
        self.prompts = {purpose: prompt_of(spec, purpose) for purpose in _PURPOSES.values()}

    @property
    def name(self) -> str:
        return self.spec.name

    def prompt_sha(self, stop: Stop) -> str:
        """SHA-256 of the prompt that solutions, or steps, are asked for with."""
        return self.prompts[_PURPOSES[stop]].sha

    async def sample(
        self, request: SampleRequest, *, temperature: float, max_tokens: int, seed: int, top_p: float = 1.0
    ) -> list[Sampled] | Failure:
        """Up to `n` samples of a request, whose `key` tells its draws from those of others that ask the same.

        Fewer where the server gives fewer. Raises as `Caller.call`.
        """
        call = self.call(
            request, temperature=temperature, max_tokens=max_tokens, seed=seed, top_p=top_p, logprobs=True
        )
        reply = await self._caller.call(call)
        if isinstance(reply, Failure):
            return reply
        return [sampled(request, choice) for choice in reply.choices[: request.n]]

    def call(
        self,
        request: SampleRequest,
        *,
        temperature: float,
        max_tokens: int,
        seed: int,
        top_p: float = 1.0,
        logprobs: bool = False,
    ) -> Call:
        """What the server is asked for a request."""
        tag = "" if request.key is None else str(request.key)
        return Call(
            messages=filled(self.prompts[_PURPOSES[request.stop]], request),
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            n=request.n,
            seed=_seed(seed, tag) if temperature > 0 else None,
            stop=stop_texts(request),
            logprobs=logprobs,
            tag=tag,
        )


def prompt_of(spec: PolicySpec, purpose: Purpose) -> Prompt:
    """The prompt that a served policy asks with. Raises InputError where its text is no such prompt."""
    text = spec.prompts.get(purpose)
    if text is None:
        return shipped(purpose)
    prompt = Prompt.parse(text, f"the {purpose} prompt of {spec.name}")
    if prompt.purpose != purpose:
        raise InputError(
            f"policy {spec.name}: its {purpose} prompt is for another purpose: {prompt.purpose}",
            f"`bswirl prompts copy {purpose} FILE` makes one",
        )
    return prompt


def filled(prompt: Prompt, request: SampleRequest) -> tuple[ChatMessage, ...]:
    """The chat messages that ask a request with a prompt."""
    return prompt.messages(question=request.question, steps="\n".join(request.steps))


def stop_texts(request: SampleRequest) -> tuple[str, ...]:
    """Where a reply may end early: behind the step that is asked for, when the one after it begins."""
    if request.stop == "solution":
        return ()
    following = next_number(request.steps) + 1
    return f"\nStep {following}", f"\n**Step {following}"


def sampled(request: SampleRequest, choice: Choice) -> Sampled:
    """One choice as a sample; what no step can be read in, and refusals, are kept whole as unparsed."""
    whole = _whole(choice)
    if request.stop == "solution":
        return whole
    step = None
    if choice.finish not in _CUT and not is_refusal(choice.text):
        step = new_step(choice.text, request.steps, complete=choice.finish != "length")
    if step is None:
        return Sampled(choice.text, choice.n_tokens, choice.logprob, choice.finish)
    tokens = whole.tokens_of(step.start, step.end)
    if whole.token_ends:
        n_tokens, logprob = whole.share(step.start, step.end)
    elif choice.text.strip() == step.text:
        n_tokens, logprob = choice.n_tokens, choice.logprob
    else:
        n_tokens, logprob = None, None
    return Sampled(step.text, n_tokens, logprob, choice.finish, step.is_answer, tokens=tokens)


def is_no_solution(choice: Sampled) -> bool:
    """Whether the text of a full solution is a refusal, or was cut off by the server's filter."""
    return choice.finish in _CUT or is_refusal(choice.text)


def _whole(choice: Choice) -> Sampled:
    """A choice with its tokens, where these spell its text.

    What a server lists beyond the text, such as the end of turn or a stop text, ends where the text ends.
    """
    sample = Sampled(choice.text, choice.n_tokens, choice.logprob, choice.finish)
    if not choice.tokens or len(choice.tokens) != len(choice.token_logprobs):
        return sample
    pieces = [as_bytes(token) for token in choice.tokens]
    spelled, text = b"".join(pieces), as_bytes(choice.text)
    if not spelled.startswith(text):
        return sample
    begins = (0, *accumulate(len(as_bytes(letter)) for letter in choice.text[:-1]))  # of characters
    return replace(
        sample,
        token_ends=tuple(
            bisect_left(begins, end) if text else 0 for end in accumulate(len(piece) for piece in pieces)
        ),
        token_logprobs=choice.token_logprobs,
        token_sizes=tuple(map(len, pieces)),
        beyond=spelled[len(text) :].decode("utf-8", "surrogateescape"),
    )


def _seed(seed: int, tag: str) -> int:
    digest = hashlib.sha256(f"{seed}|{tag}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % _LARGEST_SEED
