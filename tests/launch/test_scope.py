"""Where systemd ends a user's processes at logout, workers start in a scope of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bswirl.launch.scope import kills_user_processes, scope_prefix


def tool(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    return tmp_path


class TestScope:
    @pytest.mark.parametrize(
        ("script", "expected"),
        [("echo b true", True), ("echo b false", False), ("echo b true; exit 1", False)],
    )
    def test_logind_is_asked(self, tools: Path, script: str, expected: bool) -> None:
        """Only a plain yes counts."""
        tool(tools, "busctl", script)
        assert kills_user_processes() is expected

    def test_the_prefix_runs_the_command_as_it_is(self, tools: Path) -> None:
        """The tool gets options that keep the process in the foreground of its scope, and quiet."""
        tool(tools, "busctl", "echo b true")
        tool(tools, "systemd-run", "exit 0")
        assert scope_prefix() == ["systemd-run", "--user", "--scope", "--quiet", "--collect"]

    def test_no_prefix_where_processes_may_live(self, tools: Path) -> None:
        """The common case costs one question."""
        tool(tools, "busctl", "echo b false")
        tool(tools, "systemd-run", "exit 0")
        assert scope_prefix() == []

    def test_no_prefix_without_the_tools(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Containers have neither."""
        monkeypatch.setenv("PATH", str(tmp_path))
        assert scope_prefix() == []
        tool(tmp_path, "systemd-run", "exit 0")
        assert scope_prefix() == []
