"""The root of the command line: global options, and how errors leave."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from bswirl import __version__
from bswirl.cli import main
from bswirl.cli.root import SECTIONS, cli
from bswirl.errors import BswirlError, CancelledError, ExitCode, InputError, UsageError


class TestHelp:
    """What the command line says of itself."""

    def test_lists_every_command_in_its_section(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`bswirl --help` shows all sections and commands, each with a line of help."""
        assert main(["--help"]) == 0
        shown = capsys.readouterr().out
        for section, commands in SECTIONS.items():
            assert f"{section}:" in shown
            for name in commands:
                assert any(
                    line.split()[:1] == [name] and len(line.split()) > 2 for line in shown.splitlines()
                )

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`--version` prints the version on stdout."""
        assert main(["--version"]) == 0
        assert capsys.readouterr().out == f"bswirl {__version__}\n"

    def test_commands_have_one_option_style(self) -> None:
        """Every option of every command is spelled with dashes and has a help text or a default to show."""
        context = click.Context(cli)
        for name in cli.list_commands(context):
            command = cli.get_command(context, name)
            assert command is not None
            for parameter in command.params:
                assert all("_" not in option for option in parameter.opts if option.startswith("--"))


class TestWrongUse:
    """Wrong words end with 2 and one line."""

    @pytest.mark.parametrize(
        "words",
        [
            ["nonsense"],
            ["stats", "--nonsense"],
            ["questions", "--sort", "nonsense"],
            ["audit", "set", "1"],
            ["audit", "set", "1", "maybe"],
            ["train", "--objective", "ppo", "--policy", "demo"],
            ["generate"],
            ["completion", "tcsh"],
            ["judges", "rank", "reference"],
        ],
        ids=" ".join,
    )
    def test_ends_with_2(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """One line on stderr that names the help to read; nothing on stdout."""
        assert main(words) == ExitCode.USAGE
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("bswirl: ")
        assert err.count("\n") == 1
        assert "--help`" in err


class TestErrors:
    """Every error leaves as one line with the exit code of its kind."""

    @pytest.fixture
    def failing(self, monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
        """A list whose only entry the command `doctor` raises."""
        errors: list[BaseException] = []

        @click.command()
        def command() -> None:
            raise errors[0]

        monkeypatch.setattr("bswirl.cli.doctor.doctor", command)
        return errors

    @pytest.mark.parametrize(
        ("error", "code", "line"),
        [
            (BswirlError("it broke", "mend it"), 1, "bswirl: it broke — mend it\n"),
            (UsageError("unknown policy x"), 2, "bswirl: unknown policy x\n"),
            (InputError("bad\nfile\x1b[2J", "look"), 3, "bswirl: bad file␛[2J — look\n"),
            (CancelledError("stopped"), 130, "bswirl: stopped\n"),
            (KeyboardInterrupt(), 130, "bswirl: cancelled\n"),
            (
                FileNotFoundError(errno.ENOENT, "No such file or directory", "/nowhere"),
                3,
                "bswirl: /nowhere: No such file or directory — check the path and its permissions\n",
            ),
            (
                OSError(errno.ENOSPC, "No space left on device", "/p/x"),
                1,
                "bswirl: no space left on the disk for /p/x — free some and run the command again\n",
            ),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
    )
    def test_one_line_and_code(
        self,
        failing: list[BaseException],
        capsys: pytest.CaptureFixture[str],
        error: BaseException,
        code: int,
        line: str,
    ) -> None:
        """The message, made safe, then the remedy."""
        failing.append(error)
        assert main(["doctor"]) == code
        out, err = capsys.readouterr()
        assert (out, err.lstrip("\n")) == ("", line)

    def test_unexpected_error(self, failing: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
        """A defect is one line that says how to see more, and a traceback with --debug."""
        failing.append(ZeroDivisionError("by zero"))
        assert main(["doctor"]) == ExitCode.FAILED
        plain = capsys.readouterr().err
        assert plain.startswith("bswirl: unexpected error: ZeroDivisionError: by zero")
        assert "--debug" in plain
        assert plain.count("\n") == 1
        assert main(["--debug", "doctor"]) == ExitCode.FAILED
        assert "Traceback" in capsys.readouterr().err

    @pytest.mark.parametrize("words", [["completion", "bash"], ["--help"]])
    def test_closed_pipe_is_quiet(self, words: list[str]) -> None:
        """Where nobody reads stdout any more, the command ends without a word."""
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-m", "bswirl.cli", *words]
        done = subprocess.run(
            command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (1, "")


class TestProjectOption:
    """Which project a command works on."""

    def test_no_project(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Outside a project the line says how to name or make one, also without a command."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("BSWIRL_PROJECT", raising=False)
        for words in ([], ["stats"], ["policies", "list"]):
            assert main(words) == ExitCode.BAD_INPUT
            err = capsys.readouterr().err
            assert "bswirl init" in err
            assert err.count("\n") == 1

    def test_names_what_is_missing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """`-p` on a folder that is none, or holds no project, ends with 3."""
        assert main(["-p", str(tmp_path / "none"), "stats"]) == ExitCode.BAD_INPUT
        assert "no such folder" in capsys.readouterr().err
        assert main(["-p", str(tmp_path), "stats"]) == ExitCode.BAD_INPUT
        assert "holds no bswirl project" in capsys.readouterr().err


class TestCompletion:
    """Shell completion."""

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_prints_a_script(self, shell: str, capsys: pytest.CaptureFixture[str]) -> None:
        """The script names the variable that click answers to."""
        assert main(["completion", shell]) == 0
        assert "_BSWIRL_COMPLETE" in capsys.readouterr().out

    def test_completes_commands(self) -> None:
        """The shell's question is answered with the commands that fit."""
        environment = {
            **os.environ,
            "_BSWIRL_COMPLETE": "bash_complete",
            "COMP_WORDS": "bswirl ev",
            "COMP_CWORD": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", "from bswirl.cli import main; main()"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stdout.split(",")[-1].strip() == "evaluate"
