from __future__ import annotations

from tests.policies.conftest import one_thread, sums_tokens, taught_folder

__all__ = ["one_thread", "sums_tokens", "taught_folder"]
