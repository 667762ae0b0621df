"""The canonical rendering's tokens and the tries over them, with the tokenizers that policies come with."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mistral_common.tokens.tokenizers.sentencepiece import SentencePieceTokenizer
from transformers import MistralConfig
from transformers.integrations.mistral import tokenizer as mistral_tokenizer
from transformers.models.auto import tokenization_auto

from bswirl.policies.loading import load_tokenizer
from bswirl.policies.rendering import Row, encode_row, encode_state, end_of_turn, render_state
from bswirl.training.packing import NO_PARENT, build_tree, pack
from bswirl.training.rows import TrainingRow
from tests.policies.tokenisers import (
    MISTRAL,
    MISTRAL_DATA,
    STAND_INS,
    Kind,
    Tekkenizer,
    greedy_specials,
    smollm2,
)

KINDS = {**MISTRAL, **STAND_INS}
QUESTION = "A farm has 12 cows and 7 more come. How many are there?"
STEPS = ("Step 1: There are 12 + 7 = 19 cows.", "Step 2: 19 are on the farm")
NAMES = ("<s>", "</s>", "[INST]", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<unk>", "<0x0A>")
# Beginnings and ends that tokenizers merge over: with newlines, blanks and digits, and beyond ASCII.
ACTIONS = (
    "Step 3: so 19.",
    "\nStep 3: so 19.",
    "\n\nStep 3: so 19.\n\n",
    " Step 3: 1234567",
    "   Step 3",
    "  \n  ",
    "12 + 7 = 19",
    "= 19.",
    ".",
    ".\n\nStep 4.",
    "第 3 步: 十九。",
    "🙂🙂",
    "\u0301e\u0301",  # accents that combine
    "\t\r\n",
    *(f"Step 3: {name} 19" for name in NAMES),
)
_PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from([*ACTIONS, *NAMES, "Step 1: ", "\n", ".\n\n", ".\n", " =", " 12", "345", "  ", "é", "½"]),
)
TEXTS = st.lists(_PIECES, max_size=4).map("".join)
QUICK = settings(max_examples=25, deadline=None)


@cache
def made(name: str) -> Kind:
    return smollm2() if name == "smollm2" else KINDS[name]()


@pytest.fixture(params=[*KINDS, pytest.param("smollm2", marks=pytest.mark.weights)], scope="module")
def kind(request: pytest.FixtureRequest) -> Kind:
    return made(request.param)


def check_row(kind: Kind, question: str, steps: list[str], action: str, is_answer: bool) -> Row:
    """The row's tokens spell its text, and the action's are all that reach into its characters."""
    row = encode_row(kind.tokenizer, question, steps, action, is_answer)
    state = kind.text(question, steps)
    text = kind.text(question, steps, action + (kind.end if is_answer else "\n"))
    assert kind.spelled(row.ids) == text
    assert len(kind.spelled(row.ids[: row.action_start])) <= len(state)
    assert len(kind.spelled(row.ids[: row.action_start + 1])) > len(state)
    return row


@cache
def known_bytes(name: str) -> frozenset[int]:
    """The bytes that a byte-level vocabulary can spell; SmolLM2's lacks a few control characters."""
    kind = made(name)
    letters = [number for token, number in kind.tokenizer.get_vocab().items() if len(token) == 1]
    return frozenset(kind.spelled(tuple(letters)))


class TestRows:
    def test_the_chat_format_is_the_templates(self, kind: Kind) -> None:
        """What the other tests take for the frame of a row is what the template makes."""
        assert kind.tokenizer.is_fast
        assert render_state(kind.tokenizer, "Q", ["a"]) == kind.before + "Q" + kind.behind + "a\n"
        assert end_of_turn(kind.tokenizer) == kind.end

    @pytest.mark.parametrize("action", ACTIONS)
    def test_boundaries_that_tokenizers_merge_over(self, kind: Kind, action: str) -> None:
        """At the first state and behind steps with and without a full stop; as a step and as an answer."""
        for steps in ([], list(STEPS[:1]), list(STEPS), ["Step 1:\n\nthere are 19. \n"]):
            for is_answer in (False, True):
                check_row(kind, QUESTION, steps, action, is_answer)

    @QUICK
    @given(question=TEXTS, steps=st.lists(TEXTS, max_size=3), action=TEXTS, is_answer=st.booleans())
    @pytest.mark.parametrize("name", KINDS)
    def test_any_text(self, name: str, question: str, steps: list[str], action: str, is_answer: bool) -> None:
        """Whatever people and models write."""
        check_row(made(name), question, steps, action, is_answer)

    @pytest.mark.weights
    @QUICK
    @given(question=TEXTS, steps=st.lists(TEXTS, max_size=3), action=TEXTS, is_answer=st.booleans())
    def test_any_text_that_smollm2_can_spell(
        self, question: str, steps: list[str], action: str, is_answer: bool
    ) -> None:
        """The same on the embedded model's vocabulary."""
        assume(known_bytes("smollm2").issuperset("".join([question, *steps, action]).encode()))
        check_row(made("smollm2"), question, steps, action, is_answer)

    def test_some_tokens_do_reach_over_a_line_end(self, kind: Kind) -> None:
        """The cases above are real ones, but for Mistral's SentencePiece, which has no such token."""
        reaching = []
        for steps in (list(STEPS[:1]), list(STEPS)):
            for action in ACTIONS:
                row = encode_row(kind.tokenizer, QUESTION, steps, action, is_answer=False)
                if len(kind.spelled(row.ids[: row.action_start])) < len(kind.text(QUESTION, steps)):
                    reaching.append(action)
        assert bool(reaching) == kind.merges

    @pytest.mark.parametrize("name", NAMES)
    def test_a_special_tokens_name_changes_no_token_before_it(self, kind: Kind, name: str) -> None:
        """The siblings of an action that says such a name have the same state in the same tokens."""
        plain = encode_row(kind.tokenizer, QUESTION, list(STEPS), "Step 3: so", is_answer=False)
        named = encode_row(kind.tokenizer, QUESTION, list(STEPS), f"Step 3: so {name}", is_answer=False)
        assert named.action_start == plain.action_start
        assert named.ids[: plain.action_start] == plain.ids[: plain.action_start]
        assert encode_state(kind.tokenizer, QUESTION, list(STEPS)) == plain.ids[: plain.action_start]

    @pytest.mark.parametrize("name", ["<|im_start|>", "<|im_end|>"])
    @pytest.mark.parametrize("question", ["Q", " Q ", "\n\nQ\n"])
    def test_special_tokens_that_take_blanks_along(self, name: str, question: str) -> None:
        """They take the same ones whether or not their names are in the text."""
        tokenizer = greedy_specials().tokenizer
        for steps in ([], ["  Step 1: a."]):
            plain = encode_row(tokenizer, question, steps, "Step 2: so", is_answer=True)
            named = encode_row(tokenizer, question, steps, f"Step 2: so {name} ", is_answer=True)
            assert named.action_start == plain.action_start
            assert named.ids[: plain.action_start] == plain.ids[: plain.action_start]
            assert named.ids[-1] == plain.ids[-1]


class TestMistralsOwn:
    """The tokenizers are Mistral's: the same ids as from its own package."""

    def test_a_model_folder_gives_a_tokenizer_with_offsets(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where transformers would else prefer Mistral's own package, which knows no offsets."""
        made("mistral-tekken-2407").tokenizer.save_pretrained(tmp_path)
        MistralConfig().save_pretrained(tmp_path)
        (tmp_path / "tekken.json").write_bytes((MISTRAL_DATA / "tekken_240718.json").read_bytes())
        monkeypatch.setitem(tokenization_auto.TOKENIZER_MAPPING_NAMES, "mistral", "MistralCommonBackend")
        monkeypatch.setattr(mistral_tokenizer, "is_mistral_common_available", lambda: True)
        assert load_tokenizer(tmp_path).is_fast

    @QUICK
    @given(text=TEXTS)
    def test_tekken(self, text: str) -> None:
        """The byte-level kind, on any text."""
        assert _plain(made("mistral-tekken-2407"), text) == _tekken().encode(text, bos=False, eos=False)

    @QUICK
    @given(text=TEXTS.filter(lambda text: not any(name in text for name in NAMES)))
    def test_sentencepiece(self, text: str) -> None:
        """The SentencePiece kind, on texts without the names of its tokens or a blank in front.

        There it adds another blank and transformers does not; but a row's text begins with `<s>`.
        """
        assume(not text.startswith((" ", "▁")))
        assert _plain(made("mistral-v3"), text) == _sentencepiece().encode(text, bos=False, eos=False)


@cache
def _tekken() -> Any:
    return Tekkenizer.from_file(str(MISTRAL_DATA / "tekken_240718.json"))


@cache
def _sentencepiece() -> Any:
    return SentencePieceTokenizer(str(MISTRAL_DATA / "mistral_instruct_tokenizer_240323.model.v3"))


def _plain(kind: Kind, text: str) -> list[int]:
    encoded = kind.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
    return list(encoded["input_ids"])


class TestTries:
    """Rows of a question as a trie, and walked in packs of it: the tokens come out as they went in."""

    @QUICK
    @given(data=st.data())
    @pytest.mark.parametrize("name", [*KINDS, pytest.param("smollm2", marks=pytest.mark.weights)])
    def test_each_action_walks_its_own_tokens(self, name: str, data: st.DataObject) -> None:
        """Every action token once, behind exactly the tokens that its row has before it; at any budget."""
        backbone = data.draw(st.lists(TEXTS, min_size=1, max_size=3))
        groups = [[step, *data.draw(st.lists(TEXTS, max_size=3))] for step in backbone]
        rows = rows_of(made(name), data.draw(TEXTS), backbone, groups)
        check_tree(rows, data.draw(st.integers(1, 200)))

    def test_rows_share_exactly_what_their_tokens_share(self, kind: Kind) -> None:
        """Siblings part where their tokens do, also where that is before the line end of their state."""
        groups = [[STEPS[0], *ACTIONS], [STEPS[1], *ACTIONS], list(ACTIONS)]
        rows = rows_of(kind, QUESTION, list(STEPS), groups)
        tree = build_tree(rows)
        for one, first in zip(rows, tree.leaf, strict=True):
            for other, second in zip(rows, tree.leaf, strict=True):
                shared = set(tree.path(int(first))) & set(tree.path(int(second)))
                assert len(shared) == common(one.ids, other.ids)
        parts_early = any(
            common(one.ids, other.ids) < other.action_start
            for one in rows
            for other in rows
            if one.state_id == other.state_id
        )
        assert parts_early or not kind.merges
        for budget in (len(tree), max(len(row.ids) for row in rows) + 20, 1):
            check_tree(rows, budget)


def rows_of(kind: Kind, question: str, backbone: list[str], groups: list[list[str]]) -> list[TrainingRow]:
    """A row for each action; group k is at the state behind the backbone's first k steps."""
    rows = []
    for depth, group in enumerate(groups):
        for action in group:
            row = encode_row(kind.tokenizer, question, backbone[:depth], action, is_answer=False)
            rows.append(TrainingRow(1, depth, len(rows), row.ids, row.action_start, 1.0, 1.0, 1))
    return rows


def check_tree(rows: list[TrainingRow], budget: int) -> None:
    """The trie has a node for each distinct beginning, and its packs give back every action's tokens."""
    tree = build_tree(rows)
    assert len(tree) == len({row.ids[:end] for row in rows for end in range(1, len(row.ids) + 1)})
    walked: dict[int, dict[int, int]] = {number: {} for number in range(len(rows))}
    for part in pack([tree], budget):
        for number, member in zip(part.row.tolist(), part.member.tolist(), strict=True):
            node = int(part.predictors[part.site[member]])
            before = []
            while node != NO_PARENT:
                before.append(int(part.ids[node]))
                node = int(part.parent[node])
            assert tuple(before[::-1]) == rows[number].ids[: len(before)]
            assert len(before) not in walked[number]
            walked[number][len(before)] = int(part.targets[member])
    for number, row in enumerate(rows):
        assert tuple(walked[number][place] for place in sorted(walked[number])) == row.ids[row.action_start :]


def common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many tokens two rows begin with alike."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
