"""The batched decode loop: many prompts at once, several samples each, exact log-probs, and no idle rows.

Prompts that begin alike (the states of one trajectory) are read once. Samples start as soon as a slot is
free, so the batch stays full until nothing waits. Every sample draws from a random stream of its own, so
that it does not depend on what else is in the batch.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache

from bswirl.errors import BswirlError
from bswirl.policies.base import Finish
from bswirl.policies.kv_cache import Prefilled, SlotCache

_CHECK_EVERY = 8  # decode steps


@dataclass(frozen=True, slots=True)
class Job:
    """One prompt and the random streams of its samples.

    `done` says of a text that contains a newline whether and why it ends; it is asked after every token, or
    only `at_line_ends`.
    """

    prompt: tuple[int, ...]
    seeds: tuple[int, ...]
    done: Callable[[str], Finish | None]
    at_line_ends: bool = False


@dataclass(frozen=True, slots=True)
class Generated:
    """One sample as tokens; `logprobs` are the model's own, before temperature and truncation."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish: Finish


@dataclass(frozen=True, slots=True)
class Drawing:
    """How tokens are drawn."""

    temperature: float = 1.0
    top_p: float = 1.0
    greedy: bool = False


@dataclass(slots=True)
class _Row:
    index: int  # of its job
    copy: int
    job: Job
    stream: random.Random
    budget: int  # tokens it may still produce
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    has_newline: bool = False

    @property
    def prompt(self) -> tuple[int, ...]:
        return self.job.prompt

    @property
    def cached(self) -> int:
        """Positions in the cache: all tokens but the newest, which the next step reads."""
        return len(self.prompt) - 1 + len(self.ids)

    @property
    def newest(self) -> int:
        return self.ids[-1] if self.ids else self.prompt[-1]


@dataclass(slots=True)
class _Trunk:
    """A prompt and the rows whose prompts are its beginnings, longest first."""

    prompt: tuple[int, ...]
    rows: list[_Row]


class Sampler:
    """Samples from one model, `batch_size` rows at a time."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        stop_ids: frozenset[int],
        batch_size: int,
        context_length: int,
        prefill_tokens: int = 8192,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.stop_ids = stop_ids
        self.batch_size = batch_size
        self.context_length = context_length
        self.prefill_tokens = prefill_tokens
        self._newline: dict[int, bool] = {}

    @torch.no_grad()
    def run(
        self,
        jobs: Sequence[Job],
        *,
        drawing: Drawing,
        max_tokens: int,
        check: Callable[[], None] | None = None,
        on_done: Callable[[int, list[Generated]], None] | None = None,
    ) -> list[list[Generated]]:
        """The samples of each job, one a seed, of at most `max_tokens` tokens each.

        `check` and `on_done` are those of `Policy.sample`.
        """
        results = _Results(jobs, on_done)
        rows = [row for index, job in enumerate(jobs) for row in self._rows(index, job, max_tokens)]
        for row in rows:
            if row.budget <= 0:
                results.add(row, "length")
        batch = _Batch(self, _trunks([row for row in rows if row.budget > 0]))
        step = 0
        try:
            while batch.admit():
                if check is not None and step % _CHECK_EVERY == 0:
                    check()
                step += 1
                for row, finish in batch.step(drawing):
                    results.add(row, finish)
        except torch.cuda.OutOfMemoryError as error:
            raise BswirlError("no GPU memory left while sampling", "give a smaller --batch-size") from error
        return [results.of(index) for index in range(len(jobs))]

    def _rows(self, index: int, job: Job, max_tokens: int) -> list[_Row]:
        budget = min(max_tokens, self.context_length - len(job.prompt))
        return [_Row(index, copy, job, random.Random(seed), budget) for copy, seed in enumerate(job.seeds)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of sampled tokens, special ones included."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def finish_of(self, row: _Row) -> Finish | None:
        """Whether a row has come to its end with its newest token."""
        token = row.newest
        if token in self.stop_ids:
            return "stop"
        breaks = self._breaks_line(token)
        row.has_newline = row.has_newline or breaks
        asked = breaks if row.job.at_line_ends else row.has_newline
        if asked and (finish := row.job.done(self.decode(row.ids))) is not None:
            return finish
        return "length" if len(row.ids) >= row.budget else None

    def _breaks_line(self, token: int) -> bool:
        known = self._newline.get(token)
        if known is None:
            known = self._newline[token] = "\n" in self.decode([token])
        return known


class _Results:
    """The samples of every job, as they come in."""

    def __init__(self, jobs: Sequence[Job], on_done: Callable[[int, list[Generated]], None] | None) -> None:
        self._found: list[dict[int, Generated]] = [{} for _ in jobs]
        self._wanted = [len(job.seeds) for job in jobs]
        self._on_done = on_done

    def add(self, row: _Row, finish: Finish) -> None:
        found = self._found[row.index]
        found[row.copy] = Generated(tuple(row.ids), tuple(row.logprobs), finish)
        if self._on_done is not None and len(found) == self._wanted[row.index]:
            self._on_done(row.index, self.of(row.index))

    def of(self, index: int) -> list[Generated]:
        """A job's samples in the order of its seeds."""
        return [sample for _, sample in sorted(self._found[index].items())]


class _Batch:
    """The rows that are being sampled and those that wait."""

    def __init__(self, sampler: Sampler, waiting: list[_Trunk]) -> None:
        self.sampler = sampler
        self.device = sampler.model.device
        self.waiting = waiting  # longest first
        self.read: list[tuple[_Row, Prefilled, int]] = []  # rows whose prompt is in a cache, and where
        self.rows: list[_Row] = []
        self.cache = SlotCache(sampler.batch_size)

    def admit(self) -> bool:
        """Fills free slots; False when nothing is left to do."""
        size = self.sampler.batch_size
        if self.rows and size - len(self.rows) < max(1, size // 8):
            return True
        while len(self.rows) < size and (self.read or self.waiting):
            if not self.read:
                self._prefill()
            self._place_next(size - len(self.rows))
        return bool(self.rows)

    def _place_next(self, free: int) -> None:
        """Places the next row, and with it those that begin with the same prompt."""
        first, source, index = self.read[0]
        positions = first.cached
        same = 1
        while same < min(free, len(self.read)):
            row, row_source, row_index = self.read[same]
            if (row.cached, row_source, row_index) != (positions, source, index):
                break
            same += 1
        if not self.rows:
            self.cache.begin(self._longest_waiting(), source)
        self.cache.place(len(self.rows), same, source, index, positions)
        self.rows += [row for row, _, _ in self.read[:same]]
        del self.read[:same]

    def _prefill(self) -> None:
        """Reads the longest waiting prompts in one forward pass, about as many as slots are free."""
        sampler = self.sampler
        free = sampler.batch_size - len(self.rows)
        longest = len(self.waiting[0].prompt)
        taken: list[_Trunk] = []
        while (
            self.waiting and free > 0 and (len(taken) + 1) * longest <= max(longest, sampler.prefill_tokens)
        ):
            taken.append(self.waiting.pop(0))
            free -= len(taken[-1].rows)
        ids = torch.zeros((len(taken), max(longest - 1, 1)), dtype=torch.long)
        for index, trunk in enumerate(taken):
            # The last token of a prompt is the first that the decode loop reads.
            read = trunk.prompt[:-1] or trunk.prompt
            ids[index, : len(read)] = torch.tensor(read)
        cache = DynamicCache()
        # Padding stands on the right, where causal attention keeps it from the tokens before it: no mask
        # needed.
        sampler.model(input_ids=ids.to(self.device), past_key_values=cache, use_cache=True, logits_to_keep=1)
        source = Prefilled(cache)
        self.read += [(row, source, index) for index, trunk in enumerate(taken) for row in trunk.rows]

    def step(self, drawing: Drawing) -> list[tuple[_Row, Finish]]:
        """One token for every row; the rows that ended with it leave the batch."""
        tokens, logprobs = _draw(self._logits(), drawing, [row.stream.random() for row in self.rows])
        ended: list[tuple[_Row, Finish]] = []
        for slot in range(len(self.rows) - 1, -1, -1):
            row = self.rows[slot]
            row.ids.append(tokens[slot])
            row.logprobs.append(logprobs[slot])
            finish = self.sampler.finish_of(row)
            if finish is not None:
                ended.append((row, finish))
                self._remove(slot)
        return ended

    def _logits(self) -> torch.Tensor:
        """Float32 logits of the next token of each row, [rows, vocabulary]."""
        lengths = [row.cached for row in self.rows]
        longest = max(lengths)
        cache = self.cache.ready(len(self.rows), longest, self._longest_waiting())
        positions = torch.tensor(lengths)[:, None]
        mask = None
        if min(lengths) < longest:
            mask = (torch.arange(longest + 1) >= longest - positions).to(self.device)
        output = self.sampler.model(
            input_ids=torch.tensor([[row.newest] for row in self.rows], device=self.device),
            position_ids=positions.to(self.device),
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def _longest_waiting(self) -> int:
        """Positions that the longest row needs of those that are still to be placed."""
        read = max((row.cached for row, _, _ in self.read), default=0)
        return max(read, len(self.waiting[0].prompt) - 1 if self.waiting else 0)

    def _remove(self, slot: int) -> None:
        last = len(self.rows) - 1
        if slot != last:
            self.cache.move(last, slot)
            self.rows[slot] = self.rows[last]
        self.rows.pop()


def _trunks(rows: list[_Row]) -> list[_Trunk]:
    """Rows gathered under the longest prompt that theirs begins, longest prompts first."""
    trunks: list[_Trunk] = []
    for row in sorted(rows, key=lambda row: row.prompt, reverse=True):
        if trunks and trunks[-1].prompt[: len(row.prompt)] == row.prompt:
            trunks[-1].rows.append(row)
        else:
            trunks.append(_Trunk(row.prompt, [row]))
    for trunk in trunks:
        trunk.rows.sort(key=lambda row: -len(row.prompt))
    return sorted(trunks, key=lambda trunk: -len(trunk.prompt))


def _draw(logits: torch.Tensor, drawing: Drawing, uniforms: Sequence[float]) -> tuple[list[int], list[float]]:
    """A token for each row of `logits` and its log-prob under them, untempered.

    Sampling inverts the cumulative distribution at one uniform number a row.
    """
    normaliser = logits.logsumexp(dim=-1, keepdim=True)
    if drawing.greedy or drawing.temperature == 0:
        tokens = logits.argmax(dim=-1, keepdim=True)
    else:
        weights = (logits / drawing.temperature).softmax(dim=-1)
        if drawing.top_p < 1:
            weights = _nucleus(weights, drawing.top_p)
        cumulative = weights.cumsum(dim=-1)
        targets = torch.tensor(uniforms, device=logits.device, dtype=cumulative.dtype)[:, None]
        targets.clamp_(max=1 - 2**-24)  # a float32 just below 1: at 1 itself no token is left
        tokens = torch.searchsorted(cumulative, targets * cumulative[:, -1:], right=True)
    logprobs = logits.gather(-1, tokens) - normaliser
    return tokens[:, 0].tolist(), logprobs[:, 0].tolist()


def _nucleus(weights: torch.Tensor, top_p: float) -> torch.Tensor:
    """`weights` with all but the smallest set of likeliest tokens that holds `top_p` set to zero."""
    ordered, order = weights.sort(dim=-1, descending=True)
    beyond = ordered.cumsum(dim=-1) - ordered >= top_p
    return weights.scatter(-1, order, ordered.masked_fill(beyond, 0.0))
