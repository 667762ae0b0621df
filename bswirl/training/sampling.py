"""Sampling from the policy that is in training: the model as it is now, canonically rendered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from bswirl.errors import BswirlError
from bswirl.policies.base import Sampled, SampleRequest
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.local import LoadedModel, LocalPolicy

BATCH = 32  # samples at once; halved where a GPU has no room for them beside the training


def policy_in_training(model: Any, loaded: LoadedModel, spec: PolicySpec) -> LocalPolicy:
    """A policy that samples from the PEFT `model` with its adapter on; `loaded` is what it stands on.

    It sees no few-shot examples, whatever its base is sampled with: training is on the canonical rendering.
    """
    now = LoadedModel(model.get_base_model(), loaded.tokenizer, loaded.device, loaded.dtype)
    return LocalPolicy(replace(spec, few_shot=False), now, batch_size=BATCH)


def sample_within_memory(
    policy: LocalPolicy, requests: Sequence[SampleRequest], warn: Callable[[str], None], **options: Any
) -> list[list[Sampled]]:
    """`policy.sample`, with half as many rows at once for as long as the GPU's memory does not hold them."""
    while True:
        try:
            return policy.sample(requests, **options)
        except BswirlError as error:
            if not isinstance(error.__cause__, torch.cuda.OutOfMemoryError) or policy.batch_size == 1:
                raise
        policy.batch_size //= 2
        torch.cuda.empty_cache()
        warn(f"no GPU memory left while sampling; going on with {policy.batch_size} texts at once")
