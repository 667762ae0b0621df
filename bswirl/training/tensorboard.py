"""A run's metrics as TensorBoard events, beside its journal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bswirl.errors import BswirlError

_FLUSH_SECONDS = 10


def require_tensorboard() -> None:
    """Raises BswirlError, in one line with the remedy, where TensorBoard is not installed."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise BswirlError(
            "the setting tensorboard needs the package tensorboard",
            "pip install 'bswirl[tensorboard]', or train without it",
        ) from error


class EventWriter:
    """Writes scalars by step into `folder`.

    An event file holds back what it has in memory, so a killed run may have lost some: with `again`, what
    earlier attempts wrote is void, and the caller writes from the beginning what is still in force.
    """

    def __init__(self, folder: Path, *, again: bool) -> None:
        require_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=0 if again else None, flush_secs=_FLUSH_SECONDS)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()
