"""Which bytes of a step each of its tokens spells, for the tokenizers that policies come with."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bswirl.policies.base import Sampled, SampleRequest
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.local import LoadedModel, LocalPolicy
from bswirl.policies.sampling import Generated
from bswirl.steps import parse_solution
from tests.policies.tokenisers import MISTRAL, STAND_INS, Kind
from tests.tiny import tiny_model, tiny_tokenizer

TEXT = "Step 1: naïve 漢字 🙂🙂 é = 12*30.\n\n  Step 2: so it is 5\u200d…\nAnswer: 42"
WHOLE = SampleRequest("q", stop="solution")


def policy_with(tokenizer: Any) -> LocalPolicy:
    """A policy that is only asked what it makes of drawn tokens."""
    loaded = LoadedModel(tiny_model(), tokenizer, torch.device("cpu"), torch.float32)
    return LocalPolicy(PolicySpec("p", "p"), loaded)


def drawn(policy: LocalPolicy, ids: list[int], request: SampleRequest = WHOLE) -> Sampled:
    logprobs = tuple(-0.25 * place for place in range(len(ids)))
    return policy._sampled(request, Generated(tuple(ids), logprobs, "stop"))


def check_steps(sample: Sampled) -> list[list[bytes]]:
    """The pieces of each step; they spell it, and go with its token count and its sum."""
    found = []
    for step in parse_solution(sample.text).steps:
        tokens = sample.tokens_of(step.start, step.end)
        assert tokens is not None
        pieces = tokens.pieces(step.text)
        assert b"".join(pieces).find(step.text.encode()) >= 0
        number, total = sample.share(step.start, step.end)
        assert len(pieces) == number
        assert sum(tokens.logprobs) == pytest.approx(total)
        found.append(pieces)
    return found


@pytest.mark.parametrize("name", ["llama-3", "qwen-2", "gpt-neox", "mistral-tekken-2409"])
def test_byte_level_tokens_spell_their_own_bytes(name: str) -> None:
    """Also where several tokens share a character; the end of turn is the last step's last token."""
    kind: Kind = {**STAND_INS, **MISTRAL}[name]()
    policy = policy_with(kind.tokenizer)
    end = kind.tokenizer.convert_tokens_to_ids(kind.end)
    ids = [*kind.tokenizer(TEXT, add_special_tokens=False).input_ids, end]
    sample = drawn(policy, ids)
    assert sample.text == TEXT
    steps = check_steps(sample)
    assert [len(steps), steps[-1][-1]] == [3, kind.end.encode()]
    own = [kind.spelled((token,)) for token in ids]
    assert b"".join(own).decode() == TEXT + kind.end
    assert sample.token_sizes == tuple(map(len, own))
    for pieces in steps:
        assert any(own[at : at + len(pieces)] == pieces for at in range(len(own)))


@pytest.mark.parametrize("name", ["llama-2", "mistral-v3"])
def test_sentencepieces_spell_the_text(name: str) -> None:
    """Where the decoder drops a blank too: then a character that tokens share is the first one's."""
    kind: Kind = {**STAND_INS, **MISTRAL}[name]()
    ids = kind.tokenizer(TEXT, add_special_tokens=False).input_ids
    sample = drawn(policy_with(kind.tokenizer), list(ids))
    assert sum(sample.token_sizes) == len(sample.text.encode())
    assert len(check_steps(sample)) == 3


BYTES = policy_with(tiny_tokenizer())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(0, 255), max_size=40) | st.text(max_size=20).map(lambda text: text.encode()),
    st.booleans(),
)
def test_any_tokens_spell_their_steps(drawn_bytes: list[int] | bytes, closed: bool) -> None:
    """Broken characters included; of one step as of a whole solution."""
    core = BYTES.loaded.tokenizer
    if isinstance(drawn_bytes, bytes):
        ids = list(core(drawn_bytes.decode(), add_special_tokens=False).input_ids)
    else:
        ids = list(drawn_bytes)
    ids += [core.eos_token_id] if closed else []
    sample = drawn(BYTES, ids)
    assert sum(sample.token_sizes) == len(sample.text.encode()) + len(sample.beyond)
    check_steps(sample)
    one = drawn(BYTES, ids, SampleRequest("q"))
    if one.is_answer is None:
        assert one.tokens is None
        return
    assert one.tokens is not None
    assert sum(one.tokens.logprobs) == pytest.approx(one.logprob)
    assert len(one.tokens.pieces(one.text)) == one.n_tokens
