"""Peak memory."""

from __future__ import annotations

import torch

from bswirl.bench.memory import PeakMemory

MEBIBYTE = 2**20


class TestPeakMemory:
    def test_sees_what_was_held_in_between(self) -> None:
        """The peak counts memory that is free again, and nothing from before."""
        earlier = torch.ones(64 * MEBIBYTE)  # 256 MiB
        del earlier
        memory = PeakMemory(torch.device("cpu"))
        above = memory.above
        assert above is not None
        assert above < 32 * MEBIBYTE
        block = torch.ones(32 * MEBIBYTE)  # 128 MiB
        del block
        assert memory.above is not None
        assert 120 * MEBIBYTE < memory.above < 200 * MEBIBYTE
        assert memory.total == memory.held + memory.above
