"""TRL's KTOTrainer on the same rows: what a user would otherwise train such data with."""

from __future__ import annotations

import importlib.util
import math
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import torch

from bswirl.bench.card import now
from bswirl.bench.flops import Work
from bswirl.errors import BswirlError
from bswirl.policies.loading import quiet
from bswirl.policies.rendering import render_action, render_state
from bswirl.records import FrozenTree
from bswirl.training.settings import TrainSettings

MISSING = "not installed (pip install 'bswirl[bench]')"
_LEAST_BATCH = 2  # KTO pairs each prompt with its neighbour's completion


def check_installed() -> None:
    """Raises BswirlError, in the words of the report, where TRL is not there."""
    if importlib.util.find_spec("trl") is None:
        raise BswirlError(MISSING)


def import_trl() -> None:
    """Loads TRL and what it needs, so that their size is not taken for a step's memory."""
    with quiet():
        import datasets  # noqa: F401
        import trl.trainer.kto_trainer  # noqa: F401


def kto_examples(trees: Sequence[FrozenTree], tokenizer: Any) -> list[dict[str, Any]]:
    """One example an action: prompt = the rendered state, completion = the action, label = its reward.

    The shortest come first, which leaves TRL the least padding that it can have.
    """
    examples = []
    for frozen in trees:
        prefixes = frozen.tree.prefixes()
        for action in frozen.tree.actions:
            state = render_state(tokenizer, frozen.tree.question.text, prefixes[action.state_id])
            examples.append(
                {
                    "prompt": state,
                    "completion": render_action(tokenizer, action.text, action.is_answer),
                    "label": (action.reward or 0.0) > 0.5,
                }
            )
    return sorted(examples, key=lambda example: len(example["prompt"]) + len(example["completion"]))


def batch_size(longest: int, examples: int, pack_tokens: int) -> int:
    """Examples in a batch of at most `pack_tokens` tokens with padding, but two at least."""
    return max(_LEAST_BATCH, min(examples, pack_tokens // max(longest, 1)))


class PassCounter:
    """Counts, in a model's forward passes, tokens with padding and the positions that go through TRL's head.

    TRL runs the head on completion tokens alone where it has its GPU kernel, and else on every position.
    """

    def __init__(self, causal: Any, *, every_position: bool) -> None:
        self._every_position = every_position
        self._sums = dict.fromkeys(("plain_tokens", "tokens", "head", "free_tokens", "free_head"), 0)
        causal.register_forward_pre_hook(self._count, with_kwargs=True)

    def take(self) -> Work:
        """The work since the last call."""
        work = Work(**self._sums)
        self._sums = dict.fromkeys(self._sums, 0)
        return work

    def _count(self, _model: Any, _positional: Any, given: dict[str, Any]) -> None:
        labels = given["labels"][:, 1:]
        places = labels.numel() if self._every_position else int((labels != -100).sum())
        free = "" if torch.is_grad_enabled() else "free_"
        self._sums[f"{free}tokens"] += given["input_ids"].numel()
        self._sums[f"{free}head"] += places
        if not free:
            self._sums["plain_tokens"] += int(given["attention_mask"].sum())


def run_kto(
    base: Any,
    tokenizer: Any,
    trees: Sequence[FrozenTree],
    settings: TrainSettings,
    rounds: int,
    wait: Callable[[], None],
    report: Callable[[float, Work], None],
) -> None:
    """`rounds` optimiser steps over all examples; `wait` is called before each and `report` after it.

    `report` gets the seconds of forward, backward and reference passes, and the work in tokens. Tokenising,
    collating and the optimiser's own step are not in the seconds.
    """
    with quiet(), tempfile.TemporaryDirectory(prefix="bswirl-bench-") as folder:
        trainer, clock = _trainer(base, tokenizer, kto_examples(trees, tokenizer), settings, rounds, folder)
        clock.listen(wait, report)
        trainer.train()


def _trainer(
    base: Any,
    tokenizer: Any,
    examples: list[dict[str, Any]],
    settings: TrainSettings,
    rounds: int,
    folder: str,
) -> tuple[Any, Any]:
    from datasets import Dataset, disable_progress_bars
    from peft import LoraConfig
    from transformers import PrinterCallback
    from trl import KTOConfig, KTOTrainer
    from trl.trainer import utils

    disable_progress_bars()
    lengths = [len(tokenizer(each["prompt"] + each["completion"])["input_ids"]) + 1 for each in examples]
    size = batch_size(max(lengths), len(examples), settings.pack_tokens)
    device = base.device
    config = KTOConfig(
        output_dir=folder,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=math.ceil(len(examples) / size),
        num_train_epochs=rounds,
        learning_rate=settings.learning_rate,
        optim="sgd",  # its step is not measured, and it holds no state that would count as memory
        max_grad_norm=settings.clip,
        beta=settings.beta,
        max_length=None,
        gradient_checkpointing=settings.gradient_checkpointing,
        bf16=settings.base_dtype == "bfloat16",
        use_cpu=device.type == "cpu",
        seed=settings.seed,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=device.type == "cuda",
    )
    trainer = KTOTrainer(
        model=base,
        args=config,
        train_dataset=Dataset.from_list(examples),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=settings.lora_r,
            lora_alpha=settings.lora_alpha,
            lora_dropout=settings.lora_dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )
    trainer.remove_callback(PrinterCallback)
    has_kernel = getattr(utils, "_use_triton", lambda place: place.type == "cuda")(device)
    clock = _clock(PassCounter(trainer.model.get_base_model(), every_position=not has_kernel), device)
    trainer.add_callback(clock)
    return trainer, clock


def _clock(counter: PassCounter, device: torch.device) -> Any:
    """A callback of the trainer that holds each optimiser step until it is wanted, and times it."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        def listen(self, wait: Callable[[], None], report: Callable[[float, Work], None]) -> None:
            self._wait, self._report = wait, report

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self._wait()
            counter.take()
            self._started = now(device)

        def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
            seconds = now(device) - self._started
            self._report(seconds, counter.take())

    return Clock()
