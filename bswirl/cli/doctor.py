"""`bswirl doctor`: what is installed, what the machine can do, and whether the project is in order."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bswirl import __version__
from bswirl.cli.endpoints import endpoint_findings, probe_findings, probes, trust_endpoint
from bswirl.cli.findings import Finding
from bswirl.cli.invocation import Invocation, pass_invocation
from bswirl.cli.line import line_findings
from bswirl.cli.output import cell, json_option, note, print_json, print_table
from bswirl.errors import BswirlError, ExitCode
from bswirl.records import to_json

if TYPE_CHECKING:
    from bswirl.serving.probing import Probe

CORE = ("click", "duckdb", "platformdirs", "rich", "textual", "together")
EXTRA = ("accelerate", "bitsandbytes", "gguf", "peft", "safetensors", "torch", "transformers")
LEAST_FREE = 1 << 30  # bytes
ENABLE_LINGER = "`loginctl enable-linger` lets them live on"
STYLES = {"ok": "green", "note": "yellow", "bad": "bold red"}


@click.command()
@click.option(
    "--trust",
    metavar="ENDPOINT",
    help="Note that the endpoint's key may be sent to its address. Also VARIABLE@URL, where no project is.",
)
@click.option("--endpoints", is_flag=True, help="Ask the endpoints what they can do, by a few tiny calls.")
@json_option
@pass_invocation
@click.pass_context
def doctor(
    context: click.Context, invocation: Invocation, trust: str | None, endpoints: bool, as_json: bool
) -> None:
    """Checks the installation, the machine and the project. Ends with 1 where something is broken."""
    if trust is not None:
        said = trust_endpoint(invocation, trust)
        if as_json:
            print_json({"trusted": said})
        else:
            note(said)
        return
    findings = [finding for check in CHECKS for finding in _guarded(check, invocation)]
    probed: list[Probe] = []
    if endpoints:
        with suppress(BswirlError):  # what is wrong with the settings is among the findings
            probed = probes(invocation)
        findings += probe_findings(probed)
    healthy = all(finding.status != "bad" for finding in findings)
    if as_json:
        found: dict[str, object] = {
            "healthy": healthy,
            "findings": [to_json(finding) for finding in findings],
        }
        print_json({**found, "endpoints": [one.to_json() for one in probed]} if endpoints else found)
    else:
        _print(findings)
    if not healthy:
        context.exit(ExitCode.FAILED)


def _print(findings: list[Finding]) -> None:
    print_table(
        ("", "about", "found"),
        (
            (
                cell(finding.status, style=STYLES[finding.status]),
                finding.about,
                finding.says + (f" — {finding.remedy}" if finding.remedy else ""),
            )
            for finding in findings
        ),
        wraps="found",
    )


def _guarded(check: Callable[[Invocation], Iterator[Finding]], invocation: Invocation) -> Iterator[Finding]:
    """What a check finds; an error of its own becomes a finding."""
    try:
        yield from check(invocation)
    except BswirlError as error:
        yield Finding(check.__name__.strip("_"), "bad", error.message, error.remedy)
    except OSError as error:
        yield Finding(check.__name__.strip("_"), "bad", str(error))


def _versions(_invocation: Invocation) -> Iterator[Finding]:
    yield Finding("bswirl", "ok", f"{__version__} in {Path(__file__).parents[2]}")
    yield Finding("Python", "ok", f"{platform.python_version()} ({sys.executable}) on {platform.platform()}")
    found, missing = _installed(CORE)
    yield Finding("packages", "ok", found)
    if missing:
        yield Finding("packages", "bad", f"missing: {missing}", "pip install bswirl")
    found, missing = _installed(EXTRA)
    if missing:
        remedy = "pip install 'bswirl[train]' to sample, train and evaluate local models"
        yield Finding("extra [train]", "note", f"missing: {missing}", remedy)
    if found:
        yield Finding("extra [train]", "ok", found)
    found, missing = _installed(("math-verify",))
    if missing:
        remedy = "pip install 'bswirl[math]' to compare answers that are formulas"
        yield Finding("extra [math]", "note", f"missing: {missing}", remedy)
    else:
        yield Finding("extra [math]", "ok", found)


def _installed(names: tuple[str, ...]) -> tuple[str, str]:
    """The versions of the packages that are there, and the names of those that are not."""
    found, missing = [], []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    return ", ".join(found), ", ".join(missing)


def _devices(_invocation: Invocation) -> Iterator[Finding]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding("processor", "ok", f"{os.cpu_count()} cores, {gibibytes(memory)} of memory")
    try:
        import torch
    except ImportError as error:
        yield Finding("GPU", "note", f"not looked for: torch does not import ({error})")
        return
    if not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for the CPU alone"
        yield Finding("GPU", "note", f"none usable; torch is {built}", "models run on the CPU")
        return
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        yield Finding(f"cuda:{index}", "ok", f"{name}, {gibibytes(free)} of {gibibytes(total)} free")


def _weights(_invocation: Invocation) -> Iterator[Finding]:
    from bswirl.policies.smollm2 import MANIFEST, cache_folder
    from bswirl.resources import demo_folder

    folder = cache_folder()
    yield _space("cache", folder)
    if (folder / "smollm2" / MANIFEST).is_file():
        yield Finding("smollm2", "ok", f"in {folder / 'smollm2'}")
    else:
        yield Finding("smollm2", "note", "not fetched yet", "`bswirl fetch smollm2` does, or its first use")
    demo = demo_folder()
    if (demo / "manifest.json").is_file():
        yield Finding("demo data", "ok", f"in {demo}")
    else:
        yield Finding("demo data", "bad", f"missing in {demo}", "install bswirl again")


def _project(invocation: Invocation) -> Iterator[Finding]:
    from bswirl.project import find_project, load_settings
    from bswirl.runs.locks import lock_holder

    try:
        project = find_project(invocation.project_option)
    except BswirlError as error:
        status: Literal["note", "bad"] = "bad" if invocation.project_option else "note"
        yield Finding("project", status, error.message, error.remedy)
        return
    yield Finding("project", "ok", str(project.root))
    yield _space("disk", project.root)
    settings = load_settings(project)
    yield Finding("settings", "ok", f"auditor {invocation.auditor or settings.auditor}")
    running = lock_holder(project.owner_lock)
    with invocation.connect(project) as client:
        counts = client.stats()
    how = (
        f"pid {running['pid']}" if running and "pid" in running else "was not running; started for this check"
    )
    yield Finding("owner", "ok", f"answers ({how})")
    yield Finding("store", "ok", f"{counts.get('questions')} questions, {counts.get('samples')} samples")


def _endpoints(invocation: Invocation) -> Iterator[Finding]:
    yield from endpoint_findings(invocation)


def _session(_invocation: Invocation) -> Iterator[Finding]:
    yield _logout()
    encoding = sys.stdout.encoding or "unknown"
    size = shutil.get_terminal_size()
    terminal = f"{os.environ.get('TERM', 'TERM is not set')}, {size.columns}×{size.lines}, {encoding}"
    colours = os.environ.get("COLORTERM")
    if encoding.lower().replace("-", "") != "utf8":
        yield Finding("terminal", "note", terminal, "set LANG=C.UTF-8, or what shows may be unreadable")
    elif not sys.stdout.isatty():
        yield Finding("terminal", "note", "stdout is no terminal; the app needs one")
    else:
        yield Finding("terminal", "ok", terminal + (f", {colours}" if colours else ""))


def _logout() -> Finding:
    """Whether detached runs live on after a logout."""
    from bswirl.launch.scope import kills_user_processes, scope_prefix

    if "SLURM_JOB_ID" in os.environ:
        return Finding(
            "logout", "note", "inside a Slurm job: runs end with it", "submit `bswirl worker FOLDER`"
        )
    if kills_user_processes():
        how = "runs start in a scope of their own" if scope_prefix() else "runs end with the session"
        return Finding("logout", "note", f"systemd ends processes at logout; {how}", ENABLE_LINGER)
    return Finding("logout", "ok", "runs live on")


def _space(about: str, folder: Path) -> Finding:
    """Free space where `folder` lies or would lie."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    says = f"{folder}, {gibibytes(free)} free"
    if not os.access(there, os.W_OK):
        return Finding(about, "bad", f"{there} is not writable", "check its permissions")
    return (
        Finding(about, "ok", says) if free >= LEAST_FREE else Finding(about, "note", says, "free some space")
    )


def gibibytes(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"


CHECKS = (_versions, _devices, _weights, _project, _endpoints, _session, line_findings)
