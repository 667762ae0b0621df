"""Loading the model libraries runs no code from the hub."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bswirl.policies import loading

REPOSITORY = Path(__file__).parents[2]


class TestHubKernels:
    """The package `kernels`, which fetches compiled code and runs it."""

    def test_an_installed_kernels_package_is_not_used(self, tmp_path: Path) -> None:
        """bitsandbytes imports it on its own, but not behind bswirl.policies."""
        (tmp_path / "kernels").mkdir()
        (tmp_path / "kernels" / "__init__.py").write_text(
            "print('LOADED')\ndef get_kernel(*a, **k): print('RAN')\n"
        )
        path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
        for first in ("bswirl.policies.loading", "bswirl.training.work", "bswirl.evaluation.work"):
            assert said(f"import {first}, sys; print(sys.modules['kernels'])", path) == "None"
        libraries = "import bswirl.policies.loading, bitsandbytes, transformers, peft; print('done')"
        assert said(libraries, path) == "done"


def test_nothing_is_compiled_on_import() -> None:
    """Torch's compilers take a second to import, and bitsandbytes wants them at once."""
    code = """
import sys, torch
from bswirl.policies.loading import import_peft
original = torch.compile
import_peft()
print("bitsandbytes" in sys.modules, "torch._inductor.compile_fx" in sys.modules, torch.compile is original)
"""
    assert said(code, str(REPOSITORY)) == "True False True"


def test_what_was_not_compiled_on_import_is_when_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, with the options it asked for; plain or as a decorator with options."""
    made: list[dict[str, Any]] = []

    def compiled(function: Callable[[int], int], **options: Any) -> Callable[[int], int]:
        made.append(options)
        return lambda number: 10 * function(number)

    monkeypatch.setattr(torch, "compile", compiled)
    with loading._compiled_when_called():
        plain, dynamic = torch.compile(abs), torch.compile(dynamic=False)(abs)
    assert made == []
    assert [plain(-1), plain(-2), dynamic(-3)] == [10, 20, 30]
    assert made == [{}, {"dynamic": False}]
    assert torch.compile is compiled


def said(code: str, path: str) -> str:
    """What a fresh interpreter prints."""
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
