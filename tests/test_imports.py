"""What an import pulls in, seen from a fresh interpreter."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "peft", "bitsandbytes", "duckdb", "together", "pandas", "numpy")


def loaded_by(statements: str, names: tuple[str, ...]) -> list[str]:
    """Which of the modules `names` are loaded after `statements`."""
    code = f"{statements}\nimport sys\nprint(*(name for name in {names!r} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()


class TestLightImports:
    """The command line and the app start without the heavy packages."""

    @pytest.mark.parametrize("module", ["bswirl.cli", "bswirl_tui.app", "bswirl.launch", "bswirl.demo"])
    def test_loads_nothing_heavy(self, module: str) -> None:
        """Importing the module loads no package that models or the store need."""
        assert loaded_by(f"import {module}", HEAVY) == []

    def test_command_line_does_not_load_the_app(self) -> None:
        """A command needs no Textual."""
        assert loaded_by("import bswirl.cli", ("textual", "bswirl_tui")) == []

    def test_all_commands_load_light(self) -> None:
        """Building the help of every command, as `--help` and completion do, loads nothing heavy."""
        statements = "from bswirl.cli.reference import commands_page\ncommands_page()"
        assert loaded_by(statements, (*HEAVY, "textual")) == []

    def test_the_check_sees_what_is_loaded(self) -> None:
        """A module that is imported shows up."""
        assert loaded_by("import json", ("json", "torch")) == ["json"]
