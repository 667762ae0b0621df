from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from bswirl.errors import CancelledError
from bswirl.policies.base import Finish
from bswirl.policies.sampling import Drawing, Generated, Job, Sampler, _draw
from tests.policies.small import random_model
from tests.tiny import tiny_model, tiny_tokenizer

NO_STOP: frozenset[int] = frozenset()


def never(_text: str) -> Finish | None:
    return None


def make_sampler(model: Any, tokenizer: Any, **options: Any) -> Sampler:
    wanted: dict[str, Any] = {"stop_ids": NO_STOP, "batch_size": 8, "context_length": 512, **options}
    return Sampler(model, tokenizer, **wanted)


def prompts_of(lengths: list[int], *, vocabulary: int = 200, seed: int = 0) -> list[tuple[int, ...]]:
    generator = torch.Generator().manual_seed(seed)
    return [
        tuple(torch.randint(0, vocabulary, (length,), generator=generator).tolist()) for length in lengths
    ]


def jobs_of(prompts: list[tuple[int, ...]], copies: int = 1) -> list[Job]:
    return [
        Job(prompt, tuple(1000 * place + copy for copy in range(copies)), never)
        for place, prompt in enumerate(prompts)
    ]


def full_logprobs(model: Any, prompt: tuple[int, ...], ids: tuple[int, ...]) -> list[float]:
    """The log-prob of each of `ids` behind `prompt` by one plain forward pass."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt, *ids]])).logits[0].float()
    found = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return found.gather(-1, torch.tensor(ids)[:, None])[:, 0].tolist()


def assert_exact(model: Any, jobs: list[Job], found: list[list[Generated]]) -> None:
    for job, samples in zip(jobs, found, strict=True):
        assert len(samples) == len(job.seeds)
        for sample in samples:
            expected = full_logprobs(model, job.prompt, sample.ids)
            assert sample.logprobs == pytest.approx(expected, abs=2e-4)


@pytest.fixture(scope="module")
def model(sums_tokens: Any) -> Any:
    return random_model(sums_tokens)


class TestLogProbs:
    @pytest.mark.parametrize("batch_size", [1, 3, 8, 64])
    def test_they_equal_a_plain_forward_pass(self, model: Any, sums_tokens: Any, batch_size: int) -> None:
        """Rows of different lengths that come and go: every token's log-prob is the model's own."""
        jobs = jobs_of(prompts_of([3, 40, 1, 17, 90, 2, 33, 60, 5, 41]), copies=3)
        lengths = {id(job): 5 + 7 * place for place, job in enumerate(jobs)}
        jobs = [
            Job(job.prompt, job.seeds, _after(sums_tokens, lengths[id(job)]), at_line_ends=False)
            for job in jobs
        ]
        sampler = make_sampler(model, sums_tokens, batch_size=batch_size)
        found = sampler.run(jobs, drawing=Drawing(temperature=0.8), max_tokens=40)
        assert_exact(model, jobs, found)

    def test_they_stay_exact_when_the_buffers_grow(self, model: Any, sums_tokens: Any) -> None:
        """Samples far longer than the room that the cache begins with, with prompts still waiting."""
        jobs = jobs_of(prompts_of([20, 200, 10, 150, 4]))
        found = make_sampler(model, sums_tokens, batch_size=2).run(jobs, drawing=Drawing(), max_tokens=300)
        assert [len(samples[0].ids) for samples in found] == [300] * 5
        assert_exact(model, jobs, found)

    @pytest.mark.parametrize("top_p", [0.5, 0.9])
    def test_temperature_and_truncation_do_not_enter(
        self, model: Any, sums_tokens: Any, top_p: float
    ) -> None:
        """What is reported is the model's log-prob, however the token was drawn."""
        jobs = jobs_of(prompts_of([10, 20]))
        drawing = Drawing(temperature=0.3, top_p=top_p)
        assert_exact(model, jobs, make_sampler(model, sums_tokens).run(jobs, drawing=drawing, max_tokens=20))

    @pytest.mark.parametrize(
        ("kind", "extra"),
        [
            ("qwen2", {}),
            ("granite", {}),
            ("gemma2", {"attn_implementation": "eager", "sliding_window": 24}),
        ],
    )
    def test_they_are_exact_for_other_models(self, kind: str, extra: dict[str, Any]) -> None:
        """Biases, scaled and capped logits, and attention windows shorter than the prompts."""
        other = tiny_model(kind, **extra)
        jobs = jobs_of(prompts_of([50, 3, 30, 41]), copies=2)
        sampler = make_sampler(other, tiny_tokenizer(), batch_size=3)
        assert_exact(other, jobs, sampler.run(jobs, drawing=Drawing(), max_tokens=40))


class TestWhatIsDrawn:
    def test_greedy_sampling_takes_what_plain_generation_takes(self, model: Any, sums_tokens: Any) -> None:
        """The same tokens as the library's own greedy search."""
        prompts = prompts_of([12, 30, 5])
        found = make_sampler(model, sums_tokens).run(
            jobs_of(prompts), drawing=Drawing(greedy=True), max_tokens=25
        )
        for prompt, samples in zip(prompts, found, strict=True):
            expected = model.generate(
                torch.tensor([prompt]), do_sample=False, max_new_tokens=25, eos_token_id=None
            )[0, len(prompt) :]
            assert list(samples[0].ids) == expected.tolist()

    def test_a_sample_depends_on_its_seed_alone(self, model: Any, sums_tokens: Any) -> None:
        """Batch size, order and company of other prompts change nothing."""
        jobs = jobs_of(prompts_of([12, 30, 5, 70, 22]), copies=4)
        ids = [
            [sample.ids for sample in samples]
            for samples in make_sampler(model, sums_tokens).run(jobs, drawing=Drawing(), max_tokens=20)
        ]
        alone = make_sampler(model, sums_tokens, batch_size=2).run(
            [jobs[3], jobs[1]], drawing=Drawing(), max_tokens=20
        )
        assert [[sample.ids for sample in samples] for samples in alone] == [ids[3], ids[1]]
        assert len({ids for samples in ids for ids in samples}) == 20

    def test_tokens_come_as_often_as_their_probability_says(self) -> None:
        """Evenly spread uniform numbers give each token its share, to one draw."""
        weights = torch.tensor([0.5, 0.25, 0.0, 0.2, 0.05])
        count = 1000
        uniforms = [(place + 0.5) / count for place in range(count)]
        tokens, logprobs = _draw(weights.log().expand(count, 5), Drawing(), uniforms)
        for token, weight in enumerate(weights.tolist()):
            assert abs(tokens.count(token) - weight * count) <= 1
        assert logprobs[0] == pytest.approx(math.log(0.5))

    def test_temperature_sharpens(self) -> None:
        """At temperature ½ probabilities go with their squares."""
        weights = torch.tensor([0.6, 0.4])
        uniforms = [(place + 0.5) / 1000 for place in range(1000)]
        tokens, _ = _draw(weights.log().expand(1000, 2), Drawing(temperature=0.5), uniforms)
        assert abs(tokens.count(0) - 1000 * 0.36 / 0.52) <= 1

    def test_the_nucleus_holds_the_likeliest_tokens(self) -> None:
        """With top_p = 0.6 the tokens beyond the first 60% never come."""
        weights = torch.tensor([0.1, 0.5, 0.05, 0.35])
        uniforms = [(place + 0.5) / 1000 for place in range(1000)]
        tokens, _ = _draw(weights.log().expand(1000, 4), Drawing(top_p=0.6), uniforms)
        assert set(tokens) == {1, 3}
        assert abs(tokens.count(1) - 1000 * 0.5 / 0.85) <= 1

    def test_an_impossible_token_never_comes(self) -> None:
        """Not even at the last uniform number below one."""
        logits = torch.tensor([[0.0, 0.0, -torch.inf, -torch.inf]])
        assert _draw(logits, Drawing(), [1 - 2**-53])[0] == [1]
        assert _draw(logits, Drawing(), [0.0])[0] == [0]


class TestEnds:
    def test_an_end_token_ends_a_sample(self, model: Any, sums_tokens: Any) -> None:
        """It is the sample's last token and counted in."""
        free = make_sampler(model, sums_tokens).run(
            jobs_of(prompts_of([9])), drawing=Drawing(), max_tokens=30
        )[0][0]
        end = free.ids[11]
        stopped = make_sampler(model, sums_tokens, stop_ids=frozenset([end])).run(
            jobs_of(prompts_of([9])), drawing=Drawing(), max_tokens=30
        )[0][0]
        cut = free.ids.index(end) + 1
        assert (stopped.ids, stopped.finish) == (free.ids[:cut], "stop")
        assert free.finish == "length"

    def test_a_full_context_ends_a_sample(self, model: Any, sums_tokens: Any) -> None:
        """A prompt that leaves no room gives an empty sample, one that leaves some a short one."""
        jobs = jobs_of(prompts_of([32, 27, 40]))
        found = make_sampler(model, sums_tokens, context_length=32).run(
            jobs, drawing=Drawing(), max_tokens=30
        )
        assert [(len(samples[0].ids), samples[0].finish) for samples in found] == [
            (0, "length"),
            (5, "length"),
            (0, "length"),
        ]

    def test_a_text_is_asked_whether_it_is_done_once_it_has_a_newline(
        self, model: Any, sums_tokens: Any
    ) -> None:
        """Then after every token, or only when a line ended."""
        seen: dict[bool, list[str]] = {True: [], False: []}
        for at_line_ends, texts in seen.items():
            make_sampler(model, sums_tokens).run(
                [Job((5, 6, 7), (3,), _recording(texts), at_line_ends)],
                drawing=Drawing(),
                max_tokens=300,
            )
        assert seen[False]
        assert all("\n" in text for text in seen[False])
        assert 0 < len(seen[True]) < len(seen[False])

    def test_the_caller_can_stop_everything(self, model: Any, sums_tokens: Any) -> None:
        """What `check` raises comes out of the loop."""
        asked = 0

        def check() -> None:
            nonlocal asked
            asked += 1
            if asked == 3:
                raise CancelledError("enough")

        with pytest.raises(CancelledError):
            make_sampler(model, sums_tokens).run(
                jobs_of(prompts_of([9])), drawing=Drawing(), max_tokens=300, check=check
            )

    def test_a_job_is_handed_over_when_its_last_sample_is_there(self, model: Any, sums_tokens: Any) -> None:
        """Once each, with the samples that the call returns in the end."""
        handed: dict[int, list[Generated]] = {}
        jobs = jobs_of(prompts_of([9, 20, 3]), copies=3)
        found = make_sampler(model, sums_tokens, batch_size=2).run(
            jobs,
            drawing=Drawing(),
            max_tokens=6,
            on_done=lambda place, samples: handed.update({place: samples}),
        )
        assert [handed[place] for place in range(3)] == found


class TestSharedPrompts:
    def test_a_prompt_that_begins_another_is_not_read_again(self, model: Any, sums_tokens: Any) -> None:
        """The states of a trajectory cost one pass over the longest; the samples stay exact."""
        trunk, other = prompts_of([60, 50])
        prompts = [trunk[:20], trunk, other, trunk[:40], trunk[:20]]
        read: list[int] = []
        hook = model.register_forward_pre_hook(
            lambda _module, _args, options: read.append(options["input_ids"].numel()), with_kwargs=True
        )
        jobs = jobs_of(prompts, copies=2)
        try:
            found = make_sampler(model, sums_tokens, batch_size=16).run(jobs, drawing=Drawing(), max_tokens=4)
        finally:
            hook.remove()
        assert read == [2 * 59, 10, 10, 10, 10]
        assert_exact(model, jobs, found)

    def test_a_long_prompt_may_wait_for_a_free_slot(self, model: Any, sums_tokens: Any) -> None:
        """More samples of one trunk than slots: its rows go on being placed from the same pass."""
        trunk = prompts_of([60])[0]
        jobs = jobs_of([trunk[:cut] for cut in (10, 60, 35, 59)], copies=5)
        found = make_sampler(model, sums_tokens, batch_size=3).run(jobs, drawing=Drawing(), max_tokens=9)
        assert_exact(model, jobs, found)


class TestPromptsThatWait:
    def test_a_longer_prompt_finds_room_behind_a_short_one(self, model: Any, sums_tokens: Any) -> None:
        """When the batch ran empty in between, so that the buffers begin anew."""
        trunk, other = prompts_of([60, 55])
        jobs = [
            Job(trunk, (1, 2), never),
            Job(trunk[:5], (3,), never),
            Job(other, (4,), never),
        ]
        found = make_sampler(model, sums_tokens, batch_size=2).run(jobs, drawing=Drawing(), max_tokens=9)
        assert_exact(model, jobs, found)

    def test_a_longer_prompt_finds_room_after_many_short_samples(self, model: Any, sums_tokens: Any) -> None:
        """When the buffers were full and what all rows had left unused was dropped."""
        trunk, other = prompts_of([100, 90])
        jobs = [Job(trunk[:5], tuple(range(60)), never), Job(trunk, (1,), never), Job(other, (1,), never)]
        ends = frozenset(range(0, len(sums_tokens), 12))
        sampler = make_sampler(model, sums_tokens, batch_size=3, stop_ids=ends)
        found = sampler.run(jobs, drawing=Drawing(), max_tokens=30)
        assert sum(len(sample.ids) for sample in found[0]) > 3 * 128
        assert_exact(model, jobs, found)


def _after(tokenizer: Any, tokens: int) -> Callable[[str], Finish | None]:
    """Ends a sample when its text spells about so many characters."""
    del tokenizer
    return lambda text: "stop" if len(text) >= tokens else None


def _recording(texts: list[str]) -> Callable[[str], Finish | None]:
    return lambda text: texts.append(text)
