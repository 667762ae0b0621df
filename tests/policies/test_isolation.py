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
            done = subprocess.run(
                [sys.executable, "-c", f"import {first}, bitsandbytes, transformers, peft; print('done')"],
                env={**os.environ, "PYTHONPATH": path},
                capture_output=True,
                text=True,
                check=True,
            )
            assert done.stdout.split() == ["done"]
