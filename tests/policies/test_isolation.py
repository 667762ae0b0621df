"""Loading the model libraries runs no code from the hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
    """Torch's compilers take a second to import, and bitsandbytes wants them; compiling comes when called."""
    code = """
import sys, torch
from bswirl.policies.loading import import_peft
original = torch.compile
import_peft()
print("bitsandbytes" in sys.modules, "torch._inductor.compile_fx" in sys.modules, torch.compile is original)
from bitsandbytes.backends.default import ops
codes, scales = torch.arange(256.0), torch.tensor([1.0, 2.0])
values = ops._dequantize_blockwise_compute(torch.arange(80).to(torch.uint8), scales, codes, 64, torch.float32)
print(values[63:66].tolist())
"""
    assert said(code, str(REPOSITORY)).splitlines() == ["True False True", "[63.0, 128.0, 130.0]"]


def said(code: str, path: str) -> str:
    """What a fresh interpreter prints."""
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
