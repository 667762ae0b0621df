"""Tokenizers of the families that policies come with: Mistral's own, and stand-ins trained on a few texts."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mistral_common
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
from sentencepiece import SentencePieceProcessor
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer
from transformers import AutoTokenizer, LlamaTokenizer, PreTrainedTokenizerFast
from transformers.integrations.mistral.tokenizer import convert_tekken_tokenizer
from transformers.tokenization_utils_base import generate_merges

from bswirl.policies.smollm2 import ensure_smollm2
from tests.policies.small import sums

MISTRAL_DATA = Path(mistral_common.__file__).parent / "data"
GPT2_SPLIT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_SPLIT = LLAMA3_SPLIT.replace(r"\p{N}{1,3}", r"\p{N}")

_TURNS = (
    "{{% for m in messages %}}{{% if m['role'] == 'user' %}}{user}{{{{ m['content'] }}}}{assistant}"
    "{{% else %}}{{{{ m['content'] }}}}{end}{{% endif %}}{{% endfor %}}"
)
_ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())


@dataclass(frozen=True)
class Kind:
    """A tokenizer with a chat format, and what is known of how its tokens spell a text."""

    tokenizer: Any
    before: str  # of the question
    behind: str
    end: str  # of the turn
    pieces: bool = False  # SentencePiece's blanks and byte tokens, not letters that stand for bytes
    leading: bool = False  # a blank is put before each stretch of text behind a special token
    composed: bool = False  # texts are read in Unicode's normal form C
    merges: bool = True  # some tokens reach across a line end

    def spelled(self, ids: tuple[int, ...]) -> bytes:
        """The exact bytes that tokens stand for."""
        return b"".join(self._bytes_of(token) for token in self.tokenizer.convert_ids_to_tokens(ids))

    def _bytes_of(self, token: str) -> bytes:
        if token in self.tokenizer.all_special_tokens or token in _added(self.tokenizer):
            return token.encode()
        if not self.pieces:
            return bytes(_BYTES[letter] for letter in token)
        byte = re.fullmatch(r"<0x([0-9A-F]{2})>", token)
        return bytes([int(byte[1], 16)]) if byte else token.replace("▁", " ").encode()

    def text(self, question: str, steps: list[str], more: str = "") -> bytes:
        """What the tokens of a state and `more` must spell."""
        written = "".join(step + "\n" for step in steps) + more
        if not self.leading:
            return self._read(self.before + question + self.behind + written)
        before = re.sub(r"(<s>|\[INST\])(?=[^<\[])", r"\1 ", self.before)
        blank = "" if written in ("", self.end) else " "
        return self._read(before + question + self.behind + blank + written)

    def _read(self, text: str) -> bytes:
        text = unicodedata.normalize("NFC", text) if self.composed else text
        return (text.replace("▁", " ") if self.pieces else text).encode()


@cache
def _added(tokenizer: Any) -> frozenset[str]:
    return frozenset(token.content for token in tokenizer.added_tokens_decoder.values())


def _byte_of_letter() -> dict[str, int]:
    """What GPT-2's letters stand for."""
    kept = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [code for code in range(256) if code not in set(kept)]
    return {chr(code): code for code in kept} | {chr(256 + place): code for place, code in enumerate(moved)}


_BYTES = _byte_of_letter()


def corpus() -> list[str]:
    """Solutions as models write them, with blank lines, indented lines, and texts beyond ASCII."""
    texts = []
    for question, steps in sums(300):
        texts += [
            f"{question}\n" + "\n".join(steps) + "\n",
            f"{question}\n\n" + ".\n\n".join(step.removesuffix(".") for step in steps) + ".\n\n",
            f"{question}\n" + "\n  ".join(steps) + " \n",
            f"第 1 步: {question}。\n🙂🙂 é\n",
        ]
    return texts


def _chat(kind: Kind) -> Kind:
    kind.tokenizer.chat_template = _TURNS.format(user=kind.before, assistant=kind.behind, end=kind.end)
    return kind


def _byte_level(split: str, specials: list[str], *, size: int = 600) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    core.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = BpeTrainer(vocab_size=size, initial_alphabet=_ALPHABET, show_progress=False)
    core.train_from_iterator(corpus(), trainer)
    core.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in specials])
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token=specials[-1])


def llama3() -> Kind:
    """Groups of three digits; punctuation takes the newlines behind it."""
    specials = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    start, end = "<|start_header_id|>{}<|end_header_id|>\n\n", "<|eot_id|>"
    return _chat(
        Kind(
            _byte_level(LLAMA3_SPLIT, specials),
            specials[0] + start.format("user"),
            end + start.format("assistant"),
            end,
        )
    )


def _chatml(tokenizer: Any, **known: Any) -> Kind:
    end = "<|im_end|>"
    return _chat(Kind(tokenizer, "<|im_start|>user\n", f"{end}\n<|im_start|>assistant\n", end, **known))


def qwen2() -> Kind:
    """Single digits, and texts in normal form C."""
    tokenizer = _byte_level(QWEN2_SPLIT, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.backend_tokenizer.normalizer = normalizers.NFC()
    return _chatml(tokenizer, composed=True)


def trimmed() -> Kind:
    """GPT-2's split, and offsets that leave out their tokens' blanks, as GPT-NeoX has them."""
    tokenizer = _byte_level(GPT2_SPLIT, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(
        add_prefix_space=False, trim_offsets=True
    )
    return _chatml(tokenizer)


def greedy_specials() -> Kind:
    """Special tokens that take the blanks around them along, as Phi-3's do."""
    tokenizer = _byte_level(LLAMA3_SPLIT, ["<|endoftext|>"])
    tokenizer.backend_tokenizer.add_special_tokens(
        [
            AddedToken(name, special=True, normalized=False, rstrip=True, lstrip=name == "<|im_end|>")
            for name in ("<|im_start|>", "<|im_end|>")
        ]
    )
    return _chatml(tokenizer)


def llama2() -> Kind:
    """SentencePiece's kind of BPE over whole texts, whose pieces reach over blanks and line ends."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    core.train_from_iterator(corpus(), BpeTrainer(vocab_size=500, show_progress=False, max_token_length=9))
    learnt = json.loads(core.to_str())["model"]
    letters = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    vocab = {token: place for place, token in enumerate([*letters, *learnt["vocab"]])}
    merges = [tuple(pair) for pair in learnt["merges"]]
    core.model = models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1)]
    )
    core.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in letters[:3]])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    return _chat(Kind(tokenizer, "<s>[INST] ", " [/INST]", "</s>", pieces=True))


def tekken(name: str) -> Kind:
    """A Mistral tokenizer of the byte-level kind."""
    content = json.loads((MISTRAL_DATA / name).read_text(encoding="utf-8"))
    # These files are from before the special tokens were in them.
    content["special_tokens"] = [
        {**entry, "token_str": str(getattr(entry["token_str"], "value", entry["token_str"]))}
        for entry in Tekkenizer.DEPRECATED_SPECIAL_TOKENS
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tekken.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        tokenizer = convert_tekken_tokenizer(str(path), chat_template="")
    return _chat(Kind(tokenizer, "<s>[INST]", "[/INST]", "</s>"))


def sentencepiece(name: str, *, older: bool = False) -> Kind:
    """A Mistral tokenizer of the SentencePiece kind.

    The `older` of transformers' two ways to write it down puts a blank before every stretch of text.
    """
    model = SentencePieceProcessor(model_file=str(MISTRAL_DATA / name))
    pieces = {model.id_to_piece(number): number for number in range(model.vocab_size())}
    scores = {piece: model.get_score(number) for piece, number in pieces.items()}
    control = [piece for piece, number in pieces.items() if model.is_control(number)]
    tokenizer = LlamaTokenizer(
        vocab=pieces, merges=generate_merges(pieces, scores), additional_special_tokens=control
    )
    if older:
        backend = tokenizer.backend_tokenizer
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        backend.pre_tokenizer = None
    special = "[INST]" in _added(tokenizer)
    return _chat(
        Kind(
            tokenizer,
            "<s>[INST] ",
            "[/INST]" if special else " [/INST]",
            "</s>",
            pieces=True,
            leading=older,
            merges=False,
        )
    )


def smollm2() -> Kind:
    """The embedded model's own, with its own template."""
    system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    return Kind(
        AutoTokenizer.from_pretrained(ensure_smollm2()),
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
    )


MISTRAL: dict[str, Callable[[], Kind]] = {
    "mistral-tekken-2407": lambda: tekken("tekken_240718.json"),
    "mistral-tekken-2409": lambda: tekken("tekken_240911.json"),
    "mistral-v1": lambda: sentencepiece("tokenizer.model.v1"),
    "mistral-v3": lambda: sentencepiece("mistral_instruct_tokenizer_240323.model.v3"),
    "mistral-v3-older": lambda: sentencepiece("mistral_instruct_tokenizer_240323.model.v3", older=True),
}
STAND_INS: dict[str, Callable[[], Kind]] = {
    "llama-3": llama3,
    "qwen-2": qwen2,
    "llama-2": llama2,
    "gpt-neox": trimmed,
}
