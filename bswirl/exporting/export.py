"""A training run's result as a folder: an adapter on its base model, or the whole model."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bswirl.exporting.card import card, notes_on
from bswirl.exporting.trained import Trained
from bswirl.exporting.writing import check_space, check_target, drafted
from bswirl.policies.catalogue import missing_extra, require_extra

if TYPE_CHECKING:
    import torch

CARD = "README.md"


def export_trained(
    trained: Trained, target: Path, *, merged: bool, dtype: str | None, log: Callable[[str], None]
) -> dict[str, Any]:
    """Writes the folder `target` and says what is in it. Imports torch.

    `dtype` is that of the weights: by default the one in which an adapter was saved, and for a merged model
    the one in which its base was trained on. Raises InputError where `target` is taken or something cannot be
    read, BswirlError where the disk is full or the extra is missing.
    """
    target = target.expanduser().resolve()
    check_target(target)
    require_extra()
    try:
        import torch
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error

    notes = notes_on(trained, merged=merged)
    wanted = getattr(torch, dtype) if dtype else None
    write = _write_merged if merged else _write_adapter
    facts = write(trained, target, wanted, notes, log)
    files = {path.name: path.stat().st_size for path in sorted(target.iterdir())}
    return {
        "form": "merged" if merged else "adapter",
        "folder": str(target),
        "run": trained.run,
        "policy": trained.start.name,
        "base": trained.base,
        "adapters": len(trained.adapters),
        "best": trained.best,
        **facts,
        "notes": notes,
        "files": files,
    }


def _write_adapter(
    trained: Trained, target: Path, dtype: torch.dtype | None, notes: list[str], log: Callable[[str], None]
) -> dict[str, Any]:
    """All adapters on the base model as one PEFT folder.

    There are no tokenizer files in it on purpose: PEFT would resize the base model's embedding to them.
    """
    import torch

    from bswirl.exporting.stacking import read_adapter, stack, write_adapter

    parts = [read_adapter(Path(folder)) for folder in trained.adapters]
    kept = dtype or reduce(torch.promote_types, (part.dtype for part in parts))
    whole = parts[0]
    if len(parts) > 1:
        log(f"putting {len(parts)} adapters into one")
        whole = stack(parts)
    with drafted(target) as draft:
        write_adapter(whole, draft, base=trained.base, dtype=kept)
        words = card(trained, merged=False, dtype=trained.base_dtype, notes=notes)
        (draft / CARD).write_text(words, encoding="utf-8")
    return {"dtype": _name(kept), "rank": whole.rank}


def _write_merged(
    trained: Trained, target: Path, dtype: torch.dtype | None, notes: list[str], log: Callable[[str], None]
) -> dict[str, Any]:
    import torch

    from bswirl.exporting.merging import load_merged, save_merged, weight_bytes

    kept = dtype or getattr(torch, trained.base_dtype)
    log(f"merging into {trained.base}")
    loaded = load_merged(trained, kept, log)
    check_space(target, weight_bytes(loaded.model))
    with drafted(target) as draft:
        save_merged(loaded, draft)
        words = card(trained, merged=True, dtype=_name(kept), notes=notes)
        (draft / CARD).write_text(words, encoding="utf-8")
    return {"dtype": _name(kept)}


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
