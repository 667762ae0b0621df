from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from bswirl.errors import InputError
from bswirl.policies.rendering import Row, encode_row, encode_state, end_of_turn, render_action, render_state
from bswirl.policies.smollm2 import ensure_smollm2
from tests.policies.small import sums_tokenizer

_NAMES = ["<|im_end|>", "<|im_start|>", "<|endoftext|>"]
_PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["Step 1: ", "\n", "\n\n", ".\n\n", " ", "3 + 4 = 7", "é", "🙂", "½", "\t", "\r\n", *_NAMES]
    ),
)
TEXTS = st.lists(_PIECES, max_size=5).map("".join).filter(lambda text: text.isascii() or text.isprintable())
_ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())


def _byte_of_letter() -> dict[str, int]:
    kept = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(code): code for code in kept}
    moved = [code for code in range(256) if code not in set(kept)]
    return table | {chr(256 + place): code for place, code in enumerate(moved)}


_BYTES = _byte_of_letter()


def spelled(tokenizer: Any, ids: tuple[int, ...]) -> bytes:
    """The exact bytes that tokens of a byte-level tokenizer stand for."""
    specials = set(tokenizer.all_special_tokens)
    out = b""
    for token in tokenizer.convert_ids_to_tokens(ids):
        out += token.encode() if token in specials else bytes(_BYTES[letter] for letter in token)
    return out


def special_ids(tokenizer: Any, row: Row) -> list[int]:
    return [token for token in row.ids if token in set(tokenizer.all_special_ids)]


@pytest.fixture(scope="module")
def real_tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(ensure_smollm2())


class TestTheRenderedText:
    def test_a_state_is_the_question_in_the_chat_template_and_a_line_a_step(self, sums_tokens: Any) -> None:
        """The template's own system prompt stays, and the assistant's turn begins with the steps."""
        assert render_state(sums_tokens, "Add 1 and 2.", ["Step 1: 1 + 2 = 3."]) == (
            "<|im_start|>system\nYou count.<|im_end|>\n<|im_start|>user\nAdd 1 and 2.<|im_end|>\n"
            "<|im_start|>assistant\nStep 1: 1 + 2 = 3.\n"
        )

    def test_a_preamble_stands_before_the_question(self, sums_tokens: Any) -> None:
        """Few-shot turns come first, each closed as the template closes turns."""
        text = render_state(sums_tokens, "Q", [], preamble=[("user", "A"), ("assistant", "B")])
        assert text.endswith(
            "<|im_start|>user\nA<|im_end|>\n<|im_start|>assistant\nB<|im_end|>\n"
            "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n"
        )

    def test_an_intermediate_action_ends_with_a_newline_and_an_answer_with_the_turn(
        self, sums_tokens: Any
    ) -> None:
        """The end of turn is the template's token, not the tokenizer's EOS."""
        assert sums_tokens.eos_token == "<|endoftext|>"
        assert render_action(sums_tokens, "Step 1: x", is_answer=False) == "Step 1: x\n"
        assert render_action(sums_tokens, "Answer: 3", is_answer=True) == "Answer: 3<|im_end|>"

    def test_a_model_without_a_template_reads_plain_lines(self) -> None:
        """The question is a line; the answer ends with EOS."""
        tokenizer = sums_tokenizer()
        tokenizer.chat_template = None
        assert render_state(tokenizer, "Q", ["a", "b"]) == "Q\na\nb\n"
        assert end_of_turn(tokenizer) == "<|endoftext|>"

    def test_a_tokenizer_without_any_end_token_is_refused(self, sums_tokens: Any) -> None:
        """An answer needs something that ends it."""
        bare = PreTrainedTokenizerFast(tokenizer_object=sums_tokens.backend_tokenizer)
        with pytest.raises(InputError, match="EOS"):
            end_of_turn(bare)


class TestRows:
    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(question=TEXTS, steps=st.lists(TEXTS, max_size=3), action=TEXTS, is_answer=st.booleans())
    def test_a_row_spells_the_rendering_and_its_action_tokens_overlap_the_action(
        self, sums_tokens: Any, question: str, steps: list[str], action: str, is_answer: bool
    ) -> None:
        """The tokens spell the text; the first action token is the first to reach beyond the state."""
        row = encode_row(sums_tokens, question, steps, action, is_answer)
        state = render_state(sums_tokens, question, steps).encode()
        text = state + render_action(sums_tokens, action, is_answer).encode()
        assert spelled(sums_tokens, row.ids) == text
        assert len(spelled(sums_tokens, row.ids[: row.action_start])) <= len(state)
        assert len(spelled(sums_tokens, row.ids[: row.action_start + 1])) > len(state)

    def test_a_token_merged_across_the_boundary_is_the_actions(self, sums_tokens: Any) -> None:
        """Where the state's newline and the action's first are one token, the action begins with it."""
        row = encode_row(sums_tokens, "Q", ["Step 1: 1 + 1 = 2."], "\n\nStep 2: x", is_answer=False)
        state = render_state(sums_tokens, "Q", ["Step 1: 1 + 1 = 2."]).encode()
        assert len(spelled(sums_tokens, row.ids[: row.action_start])) < len(state)

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(question=TEXTS, steps=st.lists(TEXTS, max_size=3), action=TEXTS)
    def test_names_of_special_tokens_in_texts_stay_text(
        self, sums_tokens: Any, question: str, steps: list[str], action: str
    ) -> None:
        """Whatever question and steps say, a row has the template's special tokens and one that ends it."""
        plain = encode_row(sums_tokens, "Q", ["x"], "y", is_answer=True)
        row = encode_row(sums_tokens, question, steps, action, is_answer=True)
        assert special_ids(sums_tokens, row) == special_ids(sums_tokens, plain)
        assert sums_tokens.convert_ids_to_tokens(row.ids[-1]) == "<|im_end|>"

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(question=TEXTS, steps=st.lists(TEXTS, max_size=3))
    def test_a_prompt_spells_the_state(self, sums_tokens: Any, question: str, steps: list[str]) -> None:
        """What a policy continues is the rendering of the state alone."""
        ids = encode_state(sums_tokens, question, steps)
        assert spelled(sums_tokens, ids) == render_state(sums_tokens, question, steps).encode()

    def test_a_tokenizer_without_offsets_is_refused(self, sums_tokens: Any) -> None:
        """Without character offsets nobody can say which tokens are the action's."""

        class Slow:
            chat_template = None
            eos_token = "</s>"
            bos_token = None
            bos_token_id = None
            is_fast = False
            all_special_tokens: tuple[str, ...] = ()
            added_tokens_decoder: dict[int, Any] = {}  # noqa: RUF012

            def __call__(self, text: str) -> dict[str, list[int]]:
                return {"input_ids": [1]}

        with pytest.raises(InputError, match="offsets"):
            encode_row(Slow(), "Q", [], "a", is_answer=False)


@pytest.mark.weights
class TestTheEmbeddedModelsTokenizer:
    def test_it_keeps_its_default_system_prompt(self, real_tokenizer: Any) -> None:
        """The template that came in the GGUF is the one that renders."""
        assert render_state(real_tokenizer, "2+2?", ["Step 1: x"]) == (
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
            "<|im_end|>\n"
            "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\nStep 1: x\n"
        )
        assert end_of_turn(real_tokenizer) == real_tokenizer.eos_token == "<|im_end|>"

    @settings(max_examples=100, deadline=None)
    @given(question=TEXTS, steps=st.lists(TEXTS, max_size=3), action=TEXTS, is_answer=st.booleans())
    def test_its_rows_spell_the_rendering(
        self, real_tokenizer: Any, question: str, steps: list[str], action: str, is_answer: bool
    ) -> None:
        """The same on a real vocabulary, for the bytes that it has: it drops a few control characters."""
        state = render_state(real_tokenizer, question, steps).encode()
        text = state + render_action(real_tokenizer, action, is_answer).encode()
        known = {_BYTES[token] for token in real_tokenizer.get_vocab() if token in _BYTES}
        assume(set(text) <= known)
        row = encode_row(real_tokenizer, question, steps, action, is_answer)
        assert spelled(real_tokenizer, row.ids) == text
        assert len(spelled(real_tokenizer, row.ids[: row.action_start])) <= len(state)
        assert len(spelled(real_tokenizer, row.ids[: row.action_start + 1])) > len(state)
