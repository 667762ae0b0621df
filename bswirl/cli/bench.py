"""`bswirl bench`: measuring this installation on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bswirl.bench.settings import SHAPES, VARIANTS
from bswirl.cli.output import json_option, note, number, print_facts, print_json, print_table
from bswirl.errors import UsageError
from bswirl.policies.devices import DEVICE_HELP

if TYPE_CHECKING:
    from bswirl.bench.settings import BenchSettings

_SPEED = ("", "variant", "seconds", "min", "vs a", "ceiling", "share", "vs b", "ceiling", "share")
_CALLS = ("client", "calls", "failed", "seconds", "calls/s", "of allowed", "CPU ms/call", "peak MiB")
_TUI = (
    ("first_screen_seconds", "first useful screen, s", ".2f"),
    ("first_screen_starting_owner_seconds", "the same, owner started for it, s", ".2f"),
    ("resident_mib", "resident memory, MiB", ".0f"),
    ("move_ms_median", "cursor move repainted, ms, median", ".0f"),
    ("move_ms_p99", "the same, ms, p99", ".0f"),
    ("moves_late", "moves not repainted within 150 ms", "d"),
    ("move_bytes_median", "bytes to the terminal for it, median", ".0f"),
    ("curves_bytes_median", "the same, curves' cursor", ".0f"),
    ("compare_bytes_median", "the same, candidate to candidate", ".0f"),
    ("audit_bytes_median", "the same, a vote and the next step", ".0f"),
    ("growth_mib", "growth over the updates, MiB", ".1f"),
)
_SIZE = ("", "tokens", "padded", "no grad", "TFLOP", "peak MiB", "Δ loss", "Δ KL", "Δ gradient")


@click.group()
def bench() -> None:
    """Measures speed, memory and exactness on this machine."""


@bench.command("train")
@click.option("--policy", help="Policy, model folder or hub id.  [smollm2]")
@click.option(
    "--shape",
    type=click.Choice(SHAPES),
    help="Instead of a policy: random weights of this shape, in NF4; the large one needs a GPU.",
)
@click.option("--questions", type=click.IntRange(1), metavar="N", help="Trees in a step.  [2]")
@click.option(
    "--steps", type=click.IntRange(1, 20), default=5, show_default=True, help="Steps of each solution."
)
@click.option(
    "--actions", type=click.IntRange(2, 8), default=5, show_default=True, help="Actions at each state."
)
@click.option("--device", default="auto", show_default=True, help=f"{DEVICE_HELP}.")
@click.option("--cpu", is_flag=True, help="Short for --device cpu.")
@click.option(
    "--repeat", type=click.IntRange(1), default=3, show_default=True, help="Measured steps of each variant."
)
@click.option(
    "--pack-tokens", type=click.IntRange(1), metavar="N", help="Tokens in one forward pass.  [2048]"
)
@click.option("--load-in-4bit", is_flag=True, help="Hold the policy's weights in NF4.")
@click.option(
    "--base-dtype",
    type=click.Choice(["bfloat16", "float32"]),
    default="bfloat16",
    show_default=True,
    help="Number format of the policy's weights.",
)
@click.option(
    "--gradient-checkpointing", is_flag=True, help="Compute activations twice and keep few, in all variants."
)
@click.option(
    "--variants",
    default=",".join(VARIANTS),
    show_default=True,
    metavar="A,B",
    help="Which of them to measure.",
)
@json_option
def train(
    policy: str | None,
    shape: str | None,
    device: str,
    cpu: bool,
    variants: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Times the forward, base and backward passes of one training step, computed in several ways.

    (a) rows sorted by length, (b) the prefix of each state shared, (c) TRL's KTOTrainer, (d) whole trees,
    (d2) whole trees with the base policy's side cached. All get the same rows, and each runs in a process
    with a model of its own.
    """
    if cpu and device not in ("auto", "cpu"):
        raise UsageError("--cpu and --device name different devices", "leave one out")
    if policy is not None and shape is not None:
        raise UsageError("--policy and --shape each name the model", "leave one out")
    settings = _settings(policy, shape, "cpu" if cpu else device, variants, options)
    from bswirl.bench.report import make_report
    from bswirl.bench.running import run_variants

    report = make_report(settings, run_variants(settings, note))
    if as_json:
        print_json(report)
    else:
        _show(report)


@bench.command("calls")
@click.option(
    "--calls", type=click.IntRange(1), default=10_000, show_default=True, help="Calls of each client."
)
@click.option(
    "--latency",
    type=click.FloatRange(0.001, 60),
    default=0.5,
    show_default=True,
    help="Seconds that the server takes for an answer.",
)
@click.option(
    "--in-flight",
    type=click.IntRange(1, 1000),
    default=200,
    show_default=True,
    help="Requests at a time that the server allows.",
)
@json_option
def calls(calls: int, latency: float, in_flight: int, as_json: bool) -> None:
    """Times judge calls to a server on this machine, sent by bswirl and by a plain gather.

    The server runs in a process of its own and answers each request after the same time; the clients, each
    in a process of its own, send judge calls with the shipped prompt. The plain ones are `asyncio.gather`
    over the together client's `create`, on its usual connections (with a tenth of the calls, as each costs
    so much) and on aiohttp's.
    """
    from bswirl.bench.calls import CallsSettings, measure_calls

    report = measure_calls(CallsSettings(calls, latency, in_flight), note)
    if as_json:
        print_json(report)
        return
    print_table(_CALLS, (_client(entry) for entry in report["clients"]), right=_CALLS[1:])
    click.echo()
    machine = report["machine"]
    packages = ", ".join(f"{name} {machine[name]}" for name in ("together", "aiohttp", "httpx"))
    print_facts(
        [
            ("server", f"{latency:g} s, {in_flight} at a time: {report['allowed_per_second']:.0f} calls/s"),
            ("prompt", f"{report['clients'][0]['prompt_bytes']} bytes"),
            (
                "machine",
                f"{machine['cores']} cores, load {machine['load']:.1f} before; Python {machine['python']}, "
                f"{packages}; {machine['date']}",
            ),
        ]
    )


@bench.command("tui")
@click.option(
    "--actions",
    type=click.IntRange(100),
    default=50_000,
    show_default=True,
    help="Size of the made-up project.",
)
@click.option(
    "--moves", type=click.IntRange(10), default=200, show_default=True, help="Cursor moves measured."
)
@click.option("--starts", type=click.IntRange(1), default=5, show_default=True, help="Starts of each kind.")
@click.option(
    "--updates",
    type=click.IntRange(20),
    default=2000,
    show_default=True,
    help="One-second updates replayed at full speed; 28,800 are eight hours.",
)
@json_option
def tui(actions: int, moves: int, starts: int, updates: int, as_json: bool) -> None:
    """Times the app in a terminal of 120×40, on a made-up project, beside a bare Textual app.

    While the cursor moves, two workers write 1,000 rows a second each. A move counts as repainted when the
    new line under the cursor has arrived; all bytes from key to key count as its own.
    """
    from bswirl_tui.bench.measure import TuiSettings, measure_tui

    report = measure_tui(TuiSettings(actions=actions, starts=starts, moves=moves, updates=updates), note)
    if as_json:
        print_json(report)
        return
    aims, ours = report["aims"], report["ours"]
    peers = report["peers"]
    columns = ("", "aim", "bswirl", *(peer["name"] for peer in peers))
    rows = [
        (name, _words(aims.get(key), form), *(_words(entry.get(key), form) for entry in (ours, *peers)))
        for key, name, form in _TUI
    ]
    print_table(columns, rows, right=columns[1:])
    click.echo()
    machine = report["machine"]
    print_facts(
        [
            ("project", f"{actions:,} actions; {ours['rows_written']:,} rows written during the moves"),
            (
                "updates",
                f"{ours['updates']:,}, {ours['update_ms']:.0f} ms each; MiB on the way: "
                + " ".join(f"{size:.0f}" for size in ours["resident_mib_by_updates"]),
            ),
            (
                "machine",
                f"{machine['cores']} cores, load {machine['load']:.1f} before; Python {machine['python']}, "
                f"textual {machine['textual']}; {machine['date']}",
            ),
        ]
    )


def _client(entry: dict[str, Any]) -> list[object]:
    return [
        entry["name"],
        entry["calls"],
        entry["failed"],
        f"{entry['seconds']:.1f}",
        f"{entry['calls_per_second']:.0f}",
        f"{entry['share']:.1%}",
        f"{entry['cpu_ms_per_call']:.2f}",
        round(entry["peak_bytes"] / 2**20),
    ]


def _settings(
    policy: str | None,
    shape: str | None,
    device: str,
    variants: str,
    options: dict[str, Any],
) -> BenchSettings:
    """The settings, with all that can be known to be wrong found before anything is loaded."""
    from bswirl.bench.settings import BenchSettings, default_pack_tokens, default_questions, parse_variants
    from bswirl.launch.checks import TRAINING_PACKAGES, check_packages
    from bswirl.policies.catalogue import EMBEDDED, resolve_policy
    from bswirl.policies.devices import check_device_name

    wanted = parse_variants(variants)
    check_device_name(device)
    check_packages((*TRAINING_PACKAGES, *(["bitsandbytes"] if shape else [])), "the benchmark")
    given = {name: value for name, value in options.items() if value is not None}
    given.setdefault("questions", default_questions(shape))
    given.setdefault("pack_tokens", default_pack_tokens(shape))
    spec = None if shape else resolve_policy(policy or EMBEDDED).to_json()
    return BenchSettings(policy=spec, shape=shape, device=device, variants=wanted, **given)


def _show(report: dict[str, Any]) -> None:
    variants = report["variants"]
    print_table(_SPEED, (_speed(entry) for entry in variants), right=_SPEED[2:])
    click.echo()
    print_table(_SIZE, (_size(entry) for entry in variants), right=_SIZE[1:])
    click.echo()
    words = [(f"({entry['variant']})", entry["error"] or entry["note"]) for entry in variants]
    print_facts((name, said) for name, said in words if said)
    print_facts(_facts(report))


def _speed(entry: dict[str, Any]) -> list[object]:
    """Seconds; against (a) and (b) how many times faster, how many times the FLOPs allow, and that share."""
    name = [f"({entry['variant']})", entry["name"]]
    if entry["error"] is not None:
        return [*name, *[None] * (len(_SPEED) - len(name))]
    times = [_words(entry[f"seconds_{which}"], ".3g") for which in ("median", "min")]
    against = [
        _words(entry[f"{what}_{other}"], form)
        for other in ("a", "b")
        for what, form in (("ratio", ".2f"), ("ceiling", ".2f"), ("share", ".0%"))
    ]
    return [*name, *times, *against]


def _size(entry: dict[str, Any]) -> list[object]:
    name = f"({entry['variant']})"
    if entry["error"] is not None:
        return [name, *[None] * (len(_SIZE) - 1)]
    peak, exact = entry["peak_bytes"], entry["exactness"]
    apart = {} if exact is None else exact["difference"]
    return [
        name,
        entry["tokens"],
        entry["padded_tokens"],
        entry["free_tokens"],
        _words(entry["flops"] / 1e12, ".3g"),
        None if peak is None else round(peak / 2**20),
        *(_words(apart.get(what), ".1e") for what in ("loss", "kl", "gradient")),
    ]


def _words(value: float | None, form: str) -> str | None:
    return None if value is None else format(value, form)


def _facts(report: dict[str, Any]) -> list[tuple[str, object]]:
    model, data, machine = report["model"], report["data"], report["machine"]
    weights = "NF4" if model["load_in_4bit"] else model["dtype"]
    facts: list[tuple[str, object]] = [
        (
            "model",
            f"{model['name']}, {weights}: {model['body'] / 1e6:.1f} M body weights, head "
            f"{model['hidden']} × {model['vocabulary']}; packs of {report['settings']['pack_tokens']} tokens",
        ),
        (
            "data",
            f"{data['questions']} questions, P {number(data['P'])}, K {number(data['K'])}, "
            f"t {number(data['t'])}, G {number(data['G'])}: {data['rows']} rows of {data['row_tokens']} "
            f"tokens together, {data['state_tokens']} with a prefix a state, {data['tree_tokens']} in trees",
        ),
        (
            "machine",
            f"{machine['device']}; {machine['processor']}, {machine['cores']} cores, "
            f"{machine['threads']} threads; torch {machine['torch']}; {machine['date']}",
        ),
        ("FLOPs", report["formula"]),
    ]
    if report["device"] is not None:
        facts += _device_facts(report["device"])
    return facts


def _device_facts(device: dict[str, Any]) -> list[tuple[str, object]]:
    rate = device["matmul_flops_per_second"]
    facts: list[tuple[str, object]] = [
        ("bfloat16 matmul", f"{rate / 1e12:.1f} TFLOP/s"),
        (
            "attention",
            f"{device['kernel']}; its gradients differ from a dense mask's by "
            f"{device['kernel_gradient_difference']:.1e} of their norm",
        ),
    ]
    for name, entry in device["variants"].items():
        facts.append(
            (
                f"({name})",
                f"{entry['tokens_per_second']:.0f} distinct tokens/s, {entry['matmul_share']:.0%} of the "
                f"matmul rate at {4 if name == 'd2' else 6}·N a token",
            )
        )
    return facts
