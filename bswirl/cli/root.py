"""The root of the command line: global options, the sections of commands, and how errors leave."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import sys
import traceback
from collections.abc import Sequence

import click

from bswirl import __version__
from bswirl.cli.invocation import Invocation
from bswirl.cli.lazy import LazyGroup
from bswirl.display import safe_text
from bswirl.errors import BswirlError, ExitCode

SECTIONS = {
    "Begin": {
        "init": "bswirl.cli.projects:init",
        "import": "bswirl.cli.files:import_",
        "export": "bswirl.cli.export:export",
        "problems": "bswirl.cli.files:problems",
        "fetch": "bswirl.cli.machine:fetch",
    },
    "Work": {
        "generate": "bswirl.cli.generating:generate",
        "judge": "bswirl.cli.work:judge",
        "selections": "bswirl.cli.selections:selections",
        "train": "bswirl.cli.work:train",
        "evaluate": "bswirl.cli.work:evaluate",
        "runs": "bswirl.cli.runs:runs",
        "experiment": "bswirl.cli.experiment:experiment",
    },
    "Look": {
        "stats": "bswirl.cli.look:stats",
        "questions": "bswirl.cli.look:questions",
        "tree": "bswirl.cli.look:tree",
        "judges": "bswirl.cli.models:judges",
        "policies": "bswirl.cli.models:policies",
        "prompts": "bswirl.cli.prompts:prompts",
        "keys": "bswirl.cli.keys:keys",
    },
    "Audit": {
        "audit": "bswirl.cli.audit:audit",
    },
    "Machine": {
        "doctor": "bswirl.cli.doctor:doctor",
        "owner": "bswirl.cli.machine:owner",
        "worker": "bswirl.cli.machine:worker",
        "bench": "bswirl.cli.bench:bench",
        "completion": "bswirl.cli.machine:completion",
    },
}

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("-p", "--project", metavar="DIR", help="The project; else $BSWIRL_PROJECT, else this folder.")
@click.option("--as", "auditor", metavar="NAME", help="Who labels, where people share an account.")
@click.option("--ascii", "ascii_only", is_flag=True, help="The app draws with plain ASCII signs.")
@click.option("--no-mouse", is_flag=True, help="The app leaves the mouse to the terminal, to mark and copy.")
@click.option("--fresh", is_flag=True, help="The app begins anew, not where you were.")
@click.option("--no-tour", is_flag=True, help="The app leaves out the lines for newcomers.")
@click.option("--debug", is_flag=True, help="Show a traceback when something goes wrong.")
@click.version_option(__version__, prog_name="bswirl", message="%(prog)s %(version)s")
@click.pass_context
def cli(
    context: click.Context,
    project: str | None,
    auditor: str | None,
    ascii_only: bool,
    no_mouse: bool,
    fresh: bool,
    no_tour: bool,
    debug: bool,
) -> None:
    """Look at the rewards a judge gives to single reasoning steps, correct them, and train on them.

    Without a command, bswirl opens the app on the project.
    """
    context.obj = Invocation(project_option=project, auditor=auditor, debug=debug)
    if context.invoked_subcommand is None:
        _open(context, ascii_only=ascii_only, fresh=fresh, tour=not no_tour, mouse=not no_mouse)


def _open(context: click.Context, **how: bool) -> None:
    invocation: Invocation = context.obj
    if sys.stdin.isatty() and sys.stdout.isatty():
        project = invocation.project()
        gc.disable()  # what is made on the way to the first screen stays; the app turns it on again
        from bswirl_tui.app import run

        context.exit(run(project, auditor=invocation.auditor, **how))
    from bswirl.cli.look import stats

    context.invoke(stats)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line. Returns its exit code; never raises."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="replace"
        )  # a terminal without Unicode shows ? instead of ending the command
    try:
        code = cli.main(args=words, prog_name="bswirl", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read us has left: nothing to say, and nobody to say it to
        _silence_stdout()
        return ExitCode.FAILED
    except SystemExit as left:  # click's own way out, of shell completion for one
        return left.code if isinstance(left.code, int) else ExitCode.DONE
    except (KeyboardInterrupt, click.Abort):
        _say("cancelled")
        return ExitCode.CANCELLED
    except Exception as error:  # noqa: BLE001  (everything leaves as one line)
        if debug:
            traceback.print_exc()
        return _report(error)
    return code if isinstance(code, int) else ExitCode.DONE


def _report(error: Exception) -> int:
    """Says on stderr what went wrong. Returns the exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "bswirl"
        _say(f"{error.format_message().rstrip('.')} — see `{path} --help`")
        return ExitCode.USAGE
    if isinstance(error, click.ClickException):
        _say(error.format_message())
        return ExitCode.FAILED
    if isinstance(error, BswirlError):
        _say(str(error))
        return error.exit_code
    if isinstance(error, OSError):
        return _report_os_error(error)
    _say(
        f"unexpected error: {type(error).__name__}: {error} — run again as `bswirl --debug …` to see where, "
        "and report it"
    )
    return ExitCode.FAILED


def _report_os_error(error: OSError) -> int:
    if error.errno in NO_SPACE:
        place = f" for {error.filename}" if error.filename else ""
        _say(f"no space left on the disk{place} — free some and run the command again")
        return ExitCode.FAILED
    if error.filename is not None and error.strerror:
        _say(f"{error.filename}: {error.strerror} — check the path and its permissions")
        return ExitCode.BAD_INPUT
    _say(f"{error.strerror or error} — run again as `bswirl --debug …` to see where")
    return ExitCode.FAILED


def _say(message: str) -> None:
    with contextlib.suppress(OSError):
        click.echo(f"bswirl: {safe_text(' '.join(message.split()))}", err=True)


def _silence_stdout() -> None:
    """Points stdout at nothing, so that Python's own flush at exit stays quiet too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
