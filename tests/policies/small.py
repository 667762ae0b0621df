"""A small model that was taught to solve sums step by step: real sampling without downloaded weights."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from bswirl.policies.rendering import encode_row

CHAT = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou count.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


WORDS = r"\p{N}| ?\p{L}+|[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"  # punctuation takes newlines along


def solution(numbers: tuple[int, ...]) -> tuple[str, list[str]]:
    """A question and its steps, the answer line last."""
    total, steps = numbers[0], []
    for index, number in enumerate(numbers[1:], start=1):
        steps.append(f"Step {index}: {total} + {number} = {total + number}.")
        total += number
    return f"Add {' and '.join(map(str, numbers))}.", [*steps, f"Answer: {total}"]


def sums(count: int, seed: int = 0) -> list[tuple[str, list[str]]]:
    source = random.Random(seed)
    return [solution(tuple(source.randint(1, 9) for _ in range(source.randint(2, 4)))) for _ in range(count)]


def train_tokenizer(texts: list[str], split: str | None = None, size: int = 400) -> Any:
    """A byte-level BPE tokenizer; without a `split` pattern it merges across words and line ends."""
    core = Tokenizer(models.BPE())
    cut = [pre_tokenizers.Split(Regex(split), "isolated")] if split else []
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.pre_tokenizer = pre_tokenizers.Sequence([*cut, letters])
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|endoftext|>", pad_token="<|endoftext|>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHAT
    return tokenizer


def sums_tokenizer(split: str | None = None) -> Any:
    texts = [f"{question}\n" + "\n".join(steps) + ".\n\n" for question, steps in sums(200)]
    return train_tokenizer(texts, split)


def random_model(tokenizer: Any, *, seed: int = 0, width: int = 64, **options: Any) -> Any:
    """A two-layer Llama with random weights in float32, grouped heads as in large models."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        **options,
    )
    return LlamaForCausalLM(config).eval()


def teach(model: Any, tokenizer: Any, steps: int = 250) -> Any:
    """Teaches the format on whole solutions under the canonical rendering; sums stay shaky."""
    rows = []
    for question, parts in sums(300):
        start = encode_row(tokenizer, question, [], parts[0], is_answer=False).action_start
        rows.append((encode_row(tokenizer, question, parts[:-1], parts[-1], is_answer=True).ids, start))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.1, steps)
    source = random.Random(0)
    model.train()
    for _ in range(steps):
        batch = source.sample(rows, 16)
        width = max(len(ids) for ids, _ in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        labels = torch.full_like(ids, -100)
        for place, (row, start) in enumerate(batch):
            ids[place, : len(row)] = torch.tensor(row)
            labels[place, start : len(row)] = torch.tensor(row[start:])
        model(input_ids=ids, labels=labels).loss.backward()
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
    return model.eval()


@cache
def taught() -> tuple[Any, Any]:
    """The taught model and its tokenizer; made once a process."""
    tokenizer = sums_tokenizer(WORDS)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return teach(random_model(tokenizer), tokenizer), tokenizer
    finally:
        torch.set_num_threads(threads)


def save_taught_policy(folder: Path) -> Path:
    """The taught model with its tokenizer as a Hugging Face folder."""
    for part in taught():
        part.save_pretrained(folder)
    return folder
