"""What the system says of this process's memory. Needs no torch."""

from __future__ import annotations

from pathlib import Path

RESIDENT = "VmRSS"
PEAK = "VmHWM"
_STATUS = Path("/proc/self/status")


def memory_bytes(field: str) -> int:
    """A field of this process's status, in bytes; 0 where the system has none."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), 0)
