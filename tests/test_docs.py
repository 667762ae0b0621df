"""The documentation says what the code does."""

import re
import shlex
from pathlib import Path

import click
import pytest

from bswirl.cli.reference import DOCS, main, pages
from bswirl.cli.root import cli

ROOT = DOCS.parent
PROSE = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


class TestGeneratedPages:
    """docs/commands.md and docs/keys.md are made from the code."""

    @pytest.mark.parametrize("name", ["commands.md", "keys.md"])
    def test_equals_the_code(self, name: str) -> None:
        """The page in the repository is the one that the code makes; `make docs` writes it."""
        assert (DOCS / name).read_text(encoding="utf-8") == pages()[name]

    def test_check_names_a_stale_page(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`--check` fails on a page that differs, and writing mends it."""
        monkeypatch.setattr("bswirl.cli.reference.DOCS", tmp_path)
        assert main(["--check"]) == 1
        assert "docs/commands.md" in capsys.readouterr().err
        assert main([]) == 0
        assert main(["--check"]) == 0


class TestLinks:
    """Links between pages lead somewhere."""

    @pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
    def test_local_links_exist(self, page: Path) -> None:
        """Every relative link of a page names a file that is there."""
        targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
        assert [target for target in targets if not (page.parent / target).exists()] == []


class TestCommandsInProse:
    """What the pages tell people to type exists."""

    @pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
    def test_named_commands_exist(self, page: Path) -> None:
        """Every `bswirl WORD` of a page is a command, and every option after it one of its options."""
        for line in commands_in(page.read_text(encoding="utf-8")):
            check_command(line)

    def test_finds_commands(self) -> None:
        """Commands are found in shell blocks and in inline code."""
        text = "bswirl is\n```sh\ncd x && bswirl stats  # counts\nbswirl judge\n```\nSay `bswirl tree Q`."
        assert commands_in(text) == ["stats", "judge", "tree Q"]

    @pytest.mark.parametrize("line", ["nonsense", "stats --nonsense", "runs nonsense"])
    def test_refuses_what_does_not_exist(self, line: str) -> None:
        """A wrong word or option does not pass."""
        with pytest.raises(AssertionError):
            check_command(line)


def commands_in(text: str) -> list[str]:
    """What stands behind `bswirl` in shell blocks and inline code, comments left out."""
    code = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    code += re.findall(r"(?<!`)`(bswirl [^`\n]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    lines = [line.partition("  #")[0] for block in code for line in block.splitlines()]
    return [match.strip() for line in lines for match in re.findall(r"(?:^|&& )bswirl ([^&]+)", line)]


def check_command(line: str) -> None:
    """Fails unless the words are a command with options that it has."""
    words = [word for word in shlex.split(line) if word != "…"]
    while words and words[0] in ("-p", "--as", "--project"):
        words = words[2:]
    command: click.Command = cli
    while isinstance(command, click.Group) and words and words[0].isalpha():
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, line
        command = found
    known = {"-h", "--help"}
    for parameter in command.params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    for word in words:
        assert not word.startswith("-") or word in known, f"{line}: {word}"
