"""Where a model runs: `auto`, `cpu`, `cuda` or `cuda:N`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from bswirl.errors import UsageError

if TYPE_CHECKING:
    import torch

DEVICE_HELP = "auto, cpu, cuda or cuda:N"
_NAME = re.compile(r"auto|cpu|cuda(?::\d{1,3})?")
_DRIVER_NODES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")


def check_device_name(name: str) -> None:
    """Raises UsageError for a name that is no device, or for CUDA without a driver; without torch."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"unknown device {name}", f"give {DEVICE_HELP}")
    if name.startswith("cuda") and not _has_driver():
        raise _no_cuda(name)


def expects_gpu(name: str) -> bool:
    """Whether `name` will probably mean a GPU here, going by the driver; without torch."""
    return name.startswith("cuda") or (name == "auto" and _has_driver())


def _has_driver() -> bool:
    return any(Path(node).exists() for node in _DRIVER_NODES)


def resolve_device(name: str) -> torch.device:
    """The torch device that `name` means; `auto` is the first CUDA device, else the CPU.

    Raises UsageError where CUDA is asked for and there is none, or no device of that number.
    """
    import torch

    if not _NAME.fullmatch(name):
        raise UsageError(f"unknown device {name}", f"give {DEVICE_HELP}")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise _no_cuda(name)
    index = int(name.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise UsageError(
            f"there is no {name}: this machine has {torch.cuda.device_count()} CUDA devices",
            f"give cuda:0 to cuda:{torch.cuda.device_count() - 1}",
        )
    return torch.device("cuda", index)


def _no_cuda(name: str) -> UsageError:
    return UsageError(
        f"--device {name}: no usable CUDA device here", "give --device cpu, or install a CUDA build of torch"
    )
