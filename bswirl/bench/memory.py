"""The largest memory that a stretch of work took, above what was held before it."""

from __future__ import annotations

from pathlib import Path

import torch

from bswirl.bench.process import PEAK, RESIDENT, memory_bytes

_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # man 5 proc: resets the peak resident set size


class PeakMemory:
    """Peak bytes of this process on a device: allocated by torch on CUDA, resident on the CPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.held = self._now()
        self._is_reset = self._reset()

    @property
    def total(self) -> int | None:
        """The peak since this was made, with what was held before; None where the system does not say."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        return memory_bytes(PEAK) if self._is_reset else None

    @property
    def above(self) -> int | None:
        """The peak above what was held when this was made."""
        return None if self.total is None else self.total - self.held

    def _now(self) -> int:
        if self._device.type == "cuda":
            return torch.cuda.memory_allocated(self._device)
        return memory_bytes(RESIDENT)

    def _reset(self) -> bool:
        """Forgets earlier peaks; whether that worked."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return True
        try:
            _CLEAR.write_text(_RESET_PEAK)
        except OSError:
            return False
        return memory_bytes(PEAK) > 0
