"""Sequential branching: rounds of sampling and judging, with more samples only where a group is undecided."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from bswirl.client import Client
from bswirl.errors import UsageError
from bswirl.judging.catalogue import resolve_judge
from bswirl.launch.inputs import NothingToDoError
from bswirl.launch.keys import AskTrust, check_keys
from bswirl.launch.options import options_of, parse_options
from bswirl.launch.requests import RunRequest, make_request
from bswirl.launch.rounds_record import Round as Round
from bswirl.launch.rounds_record import RoundsRecord, read_record, record_path
from bswirl.launch.stages import Stage, Stages, Watch
from bswirl.launch.start import Say
from bswirl.project import Project, load_settings
from bswirl.records import Run, from_json, seconds_taken

_SCOPE = ("dataset", "split", "limit")


@dataclass(frozen=True, slots=True)
class UntilLive:
    """When to stop: who judges, how many samples a round adds to an undecided group, and how many it may get.

    `max_branches` are beside the one step that a solution itself took. A group is given up where the chance
    that the rest of its budget makes it live is below `dead_below`.
    """

    judge: str
    round_size: int = 2
    max_branches: int = 12
    dead_below: float = 0.05

    def __post_init__(self) -> None:
        """Raises UsageError on what makes no sense."""
        if self.round_size < 1:
            raise UsageError(f"--round-size {self.round_size} adds nothing", "give at least 1")
        if not 1 <= self.max_branches <= 1000:
            raise UsageError(f"--max-branches {self.max_branches} is not from 1 to 1000", "the default is 12")
        if not 0 <= self.dead_below < 1:
            raise UsageError(
                f"--dead-below {self.dead_below:g} is no chance", "give one from 0 to below 1, such as 0.05"
            )

    @property
    def most_rounds(self) -> int:
        """No state can be sampled more often, even where nothing of it can be read."""
        return 1 + math.ceil(self.max_branches / self.round_size)


@dataclass(frozen=True, slots=True)
class Report:
    """All rounds, and what they came to."""

    rounds: tuple[Round, ...]
    stopped: str  # why there is no further round

    def to_json(self) -> dict[str, Any]:
        rounds = [{**asdict(done), "cost_per_live_group": done.cost_per_live_group} for done in self.rounds]
        return {"rounds": rounds, "stopped": self.stopped, "total": self.total}

    @property
    def total(self) -> dict[str, Any]:
        """Sums over the rounds; the groups as they stand at the end."""
        last = self.rounds[-1]
        cost = math.fsum(done.cost for done in self.rounds)
        samples = sum(done.samples for done in self.rounds)
        return {
            "rounds": len(self.rounds),
            "samples": samples,
            "verdicts": sum(done.verdicts for done in self.rounds),
            "calls": sum(done.calls for done in self.rounds),
            "judge_calls": sum(done.judge_calls for done in self.rounds),
            "cost": cost,
            "live": last.live,
            "dead": last.dead,
            "undecided": last.undecided,
            "not_judged": last.not_judged,
            "cost_per_live_group": cost / last.live if last.live else None,
            "samples_per_live_group": samples / last.live if last.live else None,
        }


class Rounds:
    """One work of sequential branching. `run` does it, or what is left of it."""

    def __init__(
        self,
        client: Client,
        project: Project,
        options: dict[str, Any],
        rule: UntilLive,
        *,
        say: Say | None = None,
        watch: Watch | None = None,
        on_round: Callable[[Round], None] = lambda _done: None,
        ask_trust: AskTrust | None = None,
    ) -> None:
        """`options` are those of a generate run. Raises as `make_request`; UsageError on a useless judge."""
        self._client = client
        self._given = {name: value for name, value in options.items() if value is not None}
        parsed, plain = parse_options("generate", self._given), parse_options("generate", {"policy": "-"})
        self._options = {name: value for name, value in parsed.items() if value != plain[name]}
        self._rule = rule
        self._on_round = on_round
        self._sampling = make_request("generate", project, self._options)
        self._batch_judging = (
            bool(self._options.get("batch")) and resolve_judge(rule.judge, project).kind == "served"
        )
        self._judging = make_request("judge", project, self._judge_options())
        check_rule(client, project, self._sampling, rule)
        check_keys((*self._sampling.served, *self._judging.served), ask_trust)
        self._options["policy"] = self._sampling.settings["policy"]  # its name in any folder
        self._record = self._open_record(project)
        self._stages = Stages(
            client,
            project,
            self._record.runs,
            self._record.save,
            say=say,
            watch=watch,
            after=self._record.after,
            asked_to_end=self._record.cancel_file.exists,
        )

    @property
    def record(self) -> RoundsRecord:
        """How far the work is."""
        return self._record

    def run(self) -> Report:
        """Raises BswirlError where a run fails, CancelledError where the user interrupts: call again then."""
        with self._record.conducted():
            return self._conducted()

    def _conducted(self) -> Report:
        for done in self._record.rounds:
            self._on_round(from_json(Round, done))
        stopped = "no group is undecided"
        while self._another():
            number = len(self._record.rounds) + 1
            if number > self._rule.most_rounds:
                stopped = "rounds brought too few steps that could be read"
                break
            self._finish_round(number)
        self._record.finish(stopped)
        return Report(tuple(from_json(Round, done) for done in self._record.rounds), stopped)

    def _another(self) -> bool:
        return not self._record.rounds or self._record.rounds[-1]["undecided"] > 0

    def _finish_round(self, number: int) -> None:
        runs = self._stages.finish([self._sample_stage(number)])
        with suppress(NothingToDoError):
            runs += self._stages.finish([self._judge_stage(number)])
        done = self._measured(number, runs)
        self._record.rounds.append(asdict(done))
        self._record.save()
        self._on_round(done)

    def _sample_stage(self, number: int) -> Stage:
        options = {
            **self._options,
            **self._left_to_spend(),
            "seed": self._sampling.settings["seed"] + number - 1,
        }
        if number == 1:
            return Stage("sample 1", "generate", options)
        select = self._grow_select()
        size = self._rule.round_size

        def grow(request: RunRequest) -> RunRequest:
            return replace(
                request, settings={**request.settings, "grow": True, "branches": size}, select=select
            )

        return Stage(f"sample {number}", "generate", options, grow)

    def _judge_stage(self, number: int) -> Stage:
        sampled = self._sampled()
        sampling = self._client.run(self._record.runs[f"sample {number}"])
        spent = float(spending_of(sampling).get("cost") or 0.0)
        limited = self._left_to_spend(spent) if "max_cost" in {o.name for o in options_of("judge")} else {}

        def only_ours(request: RunRequest) -> RunRequest:
            return replace(request, select={**request.select, "runs": sampled})

        return Stage(f"judge {number}", "judge", {**self._judge_options(), **limited}, only_ours)

    def _judge_options(self) -> dict[str, Any]:
        scope: dict[str, Any] = {name: self._options.get(name) for name in ("dataset", "split")}
        return {"judge": self._rule.judge, "batch": self._batch_judging, **scope}

    def _grow_select(self) -> dict[str, Any]:
        scope = {name: self._options[name] for name in _SCOPE if name in self._options}
        return {
            **scope,
            "runs": self._sampled(),
            "round_size": self._rule.round_size,
            "most": 1 + self._rule.max_branches,
            "dead_below": self._rule.dead_below,
        }

    def _sampled(self) -> list[int]:
        return sorted(run for name, run in self._record.runs.items() if name.startswith("sample "))

    def _left_to_spend(self, in_this_round: float = 0.0) -> dict[str, float]:
        """What is left of the cost limit, which is of the whole work; at least a ten-thousandth of a cent."""
        limit = self._options.get("max_cost")
        if limit is None:
            return {}
        before = math.fsum(done["cost"] for done in self._record.rounds)
        return {"max_cost": max(1e-6, limit - before - in_this_round)}

    def _measured(self, number: int, runs: list[Run]) -> Round:
        sampling, judging = runs[0], runs[1:]
        outcome = _drained(self._client.select("grow", **self._grow_select()))
        reasons = outcome["reasons"]
        live = reasons.get("live", 0)
        before = self._record.rounds[-1]["live"] if self._record.rounds else 0
        spent = [spending_of(run) for run in runs]
        return Round(
            number=number,
            states=int(sampling.summary.get("states") or outcome["considered"]),
            samples=int(sampling.summary.get("samples") or 0),
            verdicts=sum(int(run.summary.get("verdicts") or 0) for run in judging),
            calls=sum(int(spending.get("calls") or 0) for spending in spent),
            judge_calls=sum(int(spending.get("calls") or 0) for spending in spent[1:]),
            cost=math.fsum(float(spending.get("cost") or 0.0) for spending in spent),
            became_live=max(0, live - before),
            live=live,
            dead=reasons.get("surely dead", 0) + reasons.get("budget used up", 0),
            undecided=outcome["rows"],
            not_judged=reasons.get("not judged", 0),
            runs=tuple(run.run_id for run in runs),
            seconds=math.fsum(seconds_taken(run) for run in runs),
        )

    def _digest(self, options: dict[str, Any]) -> str:
        """Names the work by what was asked for; the same with another cost limit is the same work."""
        asked = {name: value for name, value in options.items() if name != "max_cost"}
        words = json.dumps([asked, asdict(self._rule)], sort_keys=True, default=str)
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    def _open_record(self, project: Project) -> RoundsRecord:
        path = record_path(project, self._digest(self._options))
        as_typed = record_path(project, self._digest(self._given))  # what earlier versions went by
        if as_typed.exists() and not path.exists():
            path = as_typed
        try:
            record = read_record(path)
        except FileNotFoundError:
            newest = self._client.runs(limit=1)
            record = RoundsRecord(path, newest[0].run_id if newest else 0)
        record.options, record.rule = self._options, asdict(self._rule)
        record.most_rounds = self._rule.most_rounds
        return record


def spending_of(run: Run) -> dict[str, Any]:
    """What the run's calls came to, over all its attempts; empty where it made none."""
    spending = run.summary.get("spending")
    return spending if isinstance(spending, dict) else {}


def _drained(rows: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """What a selection says of itself at its end."""
    while True:
        try:
            next(rows)
        except StopIteration as end:
            outcome: dict[str, Any] = end.value
            return outcome


def check_rule(client: Client, project: Project, sampling: RunRequest, rule: UntilLive) -> None:
    """Raises UsageError where rounds that begin with that run could not come to anything."""
    first = sampling.settings["branches"]
    if first > rule.max_branches:
        raise UsageError(
            f"--branches {first} of the first round is more than --max-branches {rule.max_branches}",
            "begin with fewer",
        )
    _check_ranked(client, project, rule.judge)


def _check_ranked(client: Client, project: Project, name: str) -> None:
    """Raises UsageError where the judge's verdicts would decide nothing: no group could ever become live."""
    spec = resolve_judge(name, project)
    known = client.judges()
    mine = [judge for judge in known if (judge.model, judge.prompt_sha) == (spec.model, spec.prompt_sha)]
    if any(judge.name == name and judge.rank is not None for judge in mine):
        return
    if any(judge.name == name for judge in mine):
        raise UsageError(
            f"judge {name} is not ranked, so its verdicts decide nothing", f"bswirl judges rank {name} 1"
        )
    if name not in load_settings(project).ranking:
        raise UsageError(
            f"judge {name} is not in the project's ranking, so its verdicts would decide nothing",
            f'bswirl.toml: [judges] ranking = ["answer-check", "{name}"]',
        )
    if spec.kind != "rules" and any(judge.name == name for judge in known):
        raise UsageError(
            f"judge {name} has another prompt or model than the one that is ranked: it would decide nothing",
            f"judge something with it first, then: bswirl judges rank {name} 1",
        )
