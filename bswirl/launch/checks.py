"""What can be known before a run is started: is the machine able to do it?"""

from __future__ import annotations

import importlib.util
import math
import shutil
from collections.abc import Iterable
from pathlib import Path

from bswirl.errors import BswirlError, UsageError
from bswirl.serving.calls import ServedModel

SPACE_NEEDED = 200 * 2**20  # bytes

SAMPLING_PACKAGES = ("torch", "transformers", "safetensors")
TRAINING_PACKAGES = (*SAMPLING_PACKAGES, "peft")


def check_packages(names: Iterable[str], what: str, *, extra: str = "train") -> None:
    """Raises BswirlError where a package that `what` needs is not installed. Imports none of them."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise BswirlError(
            f"{what} needs extra packages that are not installed: {', '.join(missing)}",
            f"pip install 'bswirl[{extra}]'",
        )


def check_space(folder: Path) -> None:
    """Raises BswirlError where the disk that holds `folder` is nearly full or cannot be asked."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise BswirlError(f"{folder}: {error.strerror or error}", "check the project's folder") from error
    if free < SPACE_NEEDED:
        raise BswirlError(
            f"only {free // 2**20} MB are free on the disk of {folder}; "
            f"a run needs {SPACE_NEEDED // 2**20} MB",
            "free some space",
        )


def check_cost_limit(limit: float | None, models: Iterable[ServedModel]) -> None:
    """Raises UsageError for a limit that is no amount, or that cannot be held to for want of prices."""
    if limit is None:
        return
    if not 0 < limit < math.inf:
        raise UsageError(f"--max-cost {limit:g} is no amount", "give dollars above 0")
    for model in models:
        if model.price_in is None and model.price_out is None:
            raise UsageError(
                f"{model.model} has no prices, so a cost limit cannot be held to",
                "set price_in and price_out in bswirl.toml, in dollars a million tokens",
            )
