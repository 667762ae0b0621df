"""The README of an exported folder: what it is, where it comes from, and how it is loaded."""

from __future__ import annotations

import json

from bswirl import __version__
from bswirl.exporting.trained import Trained
from bswirl.policies.catalogue import EMBEDDED

_ADAPTER_USE = """\
```python
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

model = AutoPeftModelForCausalLM.from_pretrained("THIS FOLDER", dtype="{dtype}")
tokenizer = AutoTokenizer.from_pretrained({base})
```
"""
_MERGED_USE = """\
```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("THIS FOLDER", dtype="{dtype}")
tokenizer = AutoTokenizer.from_pretrained("THIS FOLDER")
```

or `vllm serve "THIS FOLDER"`.
"""


def card(trained: Trained, *, merged: bool, dtype: str, notes: list[str]) -> str:
    """The text, with the front matter that the hub reads."""
    best = " (the best on held-out questions)" if trained.best else ""
    what = "Made from" if merged else "A LoRA adapter for"
    lines = [
        "---",
        *([] if trained.base_is_local else [f"base_model: {trained.base}"]),
        f"library_name: {'transformers' if merged else 'peft'}",
        "tags: [bswirl]",
        "---",
        f"# {trained.start.name}, trained in {trained.run}",
        "",
        f"{what} {trained.base}, trained by bswirl {__version__}: policy `{trained.start.name}`, "
        f"objective `{trained.objective}`, {trained.run}{best}.",
        "",
        *(f"- {note}" for note in notes),
        *([""] if notes else []),
    ]
    use = _MERGED_USE if merged else _ADAPTER_USE
    return "\n".join(lines) + "\n" + use.format(dtype=dtype, base=json.dumps(trained.base))


def notes_on(trained: Trained, *, merged: bool) -> list[str]:
    """What whoever loads the folder should know, a line each."""
    notes = []
    below = len(trained.start.adapters)
    if below and not merged:
        notes.append(
            f"{below + 1} adapters in one: the policy {trained.start.name} is itself {trained.base} with "
            f"{'an adapter' if below == 1 else f'{below} adapters'}, and the run's is added to that"
        )
    if trained.start.model == EMBEDDED:
        notes.append(
            "the weights come from the base model's 4-bit GGUF (Q4_1), unpacked"
            if merged
            else "trained on the base model's 4-bit GGUF (Q4_1), unpacked: the hub's weights differ a little "
            "from that, and so do answers; --merged keeps what was trained on"
        )
    if trained.in_4bit:
        notes.append(
            "trained on the base model in 4 bits (NF4), "
            + ("merged into its dense weights" if merged else "as it can be loaded here too")
            + ": on dense weights answers differ a little"
        )
    if trained.base.endswith(".gguf") and not merged:
        notes.append(
            "the base model is a GGUF file, which transformers loads with gguf_file= and peft not by itself"
        )
    elif trained.base_is_local and not merged:
        notes.append("the base model is a folder of this machine: base_model_name_or_path names it")
    return notes
