"""The experiment from its first run to its figures. Every step finds what is done already and goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bswirl.client import Client
from bswirl.errors import BswirlError
from bswirl.experiment.budget import Budget, matched, question_tokens, tokenizer_of
from bswirl.experiment.configurations import OBJECTIVES, Configuration, configurations
from bswirl.experiment.eta import Progress
from bswirl.experiment.options import ExperimentOptions
from bswirl.experiment.readings import answered, foreign_test_reader, margin_curve, sampled_rewards
from bswirl.experiment.record import Record
from bswirl.experiment.results import BASE, results_of
from bswirl.launch import NothingToDoError
from bswirl.launch.stages import Stage, Stages
from bswirl.launch.start import Say
from bswirl.policies.catalogue import resolve_policy
from bswirl.problems.making import DATASET
from bswirl.problems.shipped import fresh_problems
from bswirl.project import Project
from bswirl.records import FrozenTree, NewQuestion, Run, from_json
from bswirl.runs.folder import now
from bswirl.training.settings import TrainSettings

WARM_DATASET = "warm-start"
SAMPLED_AT_ONCE = 64
_WARM_START: dict[str, Any] = {
    "objective": "sft",
    "sft_source": "gold",
    "learning_rate": 1e-3,
    "epochs": 1,
    "batch": 2,
    "probe_fraction": 0.0,
    "probe_every": 0,
    "best_by": "none",
}


def is_verdict_on_settings(run: Run) -> bool:
    """Whether a training run ended because its settings do not work, which no second attempt would change."""
    reason = run.error or ""
    return run.status == "failed" and ("collapse" in reason or "not a finite number" in reason)


def problems_of(options: ExperimentOptions) -> list[NewQuestion]:
    """The problems to train on, to choose on and to test on."""
    return [problem for problem in _drawn(options) if problem.dataset == DATASET]


def warm_problems(options: ExperimentOptions) -> list[NewQuestion]:
    """The problems of the warm start, in a dataset of their own."""
    return [problem for problem in _drawn(options) if problem.dataset == WARM_DATASET]


def _drawn(options: ExperimentOptions) -> list[NewQuestion]:
    """All problems, no two alike; the first of the train split are the warm start's."""
    drawn = fresh_problems(
        options.problem_seed, options.warm_start + options.train, options.validation, options.test
    )
    warm = [problem for problem in drawn if problem.split == "train"][: options.warm_start]
    return [replace(problem, dataset=WARM_DATASET) if problem in warm else problem for problem in drawn]


class Experiment:
    """One experiment in one project."""

    def __init__(
        self,
        client: Client,
        project: Project,
        record: Record,
        options: ExperimentOptions,
        jobs: int,
        say: Say,
    ) -> None:
        self.client = client
        self.project = project
        self.record = record
        self.options = options
        self.jobs = jobs
        self.say = say
        self.policy = options.policy  # the base policy of both objectives, from the warm start on
        self.progress = Progress(options, jobs, say)
        self.stages = Stages(client, project, record.runs, record.save, say=say, watch=self.progress.watch)

    def run(self) -> None:
        """All that is left to do. Raises BswirlError where a run fails, CancelledError where interrupted."""
        self.policy = self._warm_start()
        if self.record.choice is None:
            self._gather()
            budgets = self._budgets()
            self._choose(self._try(budgets))
        finals = self._train_seeds(self._budgets())
        self._read_test(finals)
        self._sample_steps(finals)
        self._conclude(finals)

    # data

    def _warm_start(self) -> str:
        """The base policy: the one asked for, trained on the own solutions of problems set apart for it."""
        options = self.options
        if not options.warm_start:
            return options.policy
        self.client.import_questions(warm_problems(options))
        settings = {**_WARM_START, "policy": options.policy, "split": "train", "dataset": WARM_DATASET}
        (run,) = self._runs([self._stage("warm start", "train", settings)])
        return f"{options.policy}@{run.run_id}"

    def _gather(self) -> None:
        """The problems, one sampled tree for each training problem, and its rewards."""
        options = self.options
        self.client.import_questions(problems_of(options))
        sampling = {
            "policy": self.policy,
            "split": "train",
            "trajectories": options.trajectories,
            "branches": options.branches,
            "temperature": 1.0,
            "seed": options.problem_seed,
        }
        self._runs([self._stage("generate", "generate", sampling)])
        self._judge("judge", "train")

    def _judge(self, name: str, split: str) -> None:
        options = {"judge": "reference", "dataset": DATASET, "split": split}
        try:
            self._runs([Stage(name, "judge", options)])
        except NothingToDoError:
            self.progress.skip(name)

    def _stage(self, name: str, kind: str, options: dict[str, Any]) -> Stage:
        common: dict[str, Any] = {"dataset": DATASET, "device": self.options.device}
        if kind in ("generate", "evaluate"):
            common |= {"max_tokens": self.options.max_tokens, "batch_size": SAMPLED_AT_ONCE}
        return Stage(name, kind, {**common, **options})

    def _runs(self, stages: Sequence[Stage]) -> list[Run]:
        accept = is_verdict_on_settings
        return self.stages.finish(stages, jobs=self.jobs, accept=accept)

    # training

    def _budgets(self) -> dict[str, dict[str, Any]]:
        """For each seed both objectives' budgets; computed once."""
        known: dict[str, dict[str, Any]] | None = self.record.values.get("budgets")
        if known is not None:
            return known
        options = self.options
        self.say("counting action tokens")
        tokenizer = tokenizer_of(resolve_policy(self.policy, self.project))
        budgets = {}
        for seed in range(options.seeds):
            rows = self.client.select(
                "train", dataset=DATASET, split="train", probe_fraction=options.probe_fraction, seed=seed
            )
            trees = [from_json(FrozenTree, row) for row in rows]
            tokens = {
                name: question_tokens(trees, tokenizer, TrainSettings.from_dict({"objective": name}))
                for name in OBJECTIVES
            }
            found = matched(
                tokens["bswirl"], tokens["swirl"], epochs=options.epochs, batch=options.batch, seed=seed
            )
            budgets[str(seed)] = {name: asdict(budget) for name, budget in found.items()}
        self.record.put("budgets", budgets)
        return budgets

    def _training(
        self, name: str, configuration: Configuration, seed: int, budgets: dict[str, dict[str, Any]]
    ) -> Stage:
        options = self.options
        budget = Budget(**budgets[str(seed)][configuration.objective])
        settings = {
            "policy": self.policy,
            "objective": configuration.objective,
            "split": "train",
            "probe_fraction": options.probe_fraction,
            "probe_every": options.probe_every,
            "probe_actions": options.probe_actions,
            "seed": seed,
            "batch": options.batch,
            "epochs": budget.epochs,
            "max_steps": budget.steps,
            "lora_r": options.lora_r,
            "lora_alpha": 2.0 * options.lora_r,
            "best_by": "none",
            "checkpoint_every": 20,
            "keep_checkpoints": 1,
            **configuration.settings,
        }
        return self._stage(f"train {name}", "train", settings)

    def _try(self, budgets: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Trains and validates every configuration with seed 0; what became of each."""
        tried = [entry for name in OBJECTIVES for entry in configurations(name, self.options.configs)]
        runs = self._runs([self._training(entry.key, entry, 0, budgets) for entry in tried])
        validations = [self._evaluation("validate base", self.policy, "validation")]
        for entry, run in zip(tried, runs, strict=True):
            if run.status == "done":
                validations.append(
                    self._evaluation(f"validate {entry.key}", self._trained(run), "validation")
                )
            else:
                self.progress.skip(f"validate {entry.key}")
        validated = self._runs(validations)
        found = {stage.name: run.summary for stage, run in zip(validations, validated, strict=True)}
        base = found["validate base"]
        rows = [
            {
                "objective": entry.objective,
                "number": entry.number,
                "label": entry.label,
                "settings": entry.settings,
                "run": run.run_id,
                "failure": None if run.status == "done" else run.error,
                "validation": found.get(f"validate {entry.key}"),
            }
            for entry, run in zip(tried, runs, strict=True)
        ]
        self.record.values["validation_base"] = base
        self.record.put("tried", rows)
        return rows

    def _choose(self, tried: list[dict[str, Any]]) -> None:
        """Freezes each objective's configuration of the best validation accuracy, the first of equals.

        Raises BswirlError where all failed, or where the test split was read before.
        """
        reader = foreign_test_reader(self.client, self.record.runs)
        if reader is not None:
            raise BswirlError(
                f"run {reader.run_id} ({reader.kind}) read the test split before the configurations were "
                "chosen",
                "begin another experiment with another --problem-seed",
            )
        chosen: dict[str, int | None] = {}
        for objective in OBJECTIVES:
            valid = [row for row in tried if row["objective"] == objective and row["validation"]]
            best = max(valid, key=lambda row: row["validation"]["accuracy"], default=None)
            chosen[objective] = best["number"] if best else None
        if not any(chosen.values()):
            raise BswirlError("every configuration failed", "see their logs: `bswirl runs list`")
        self.record.freeze_choice(chosen)
        self.say(", ".join(f"chosen for {name}: {number or 'none'}" for name, number in chosen.items()))

    def _train_seeds(self, budgets: dict[str, dict[str, Any]]) -> dict[str, Run]:
        """The runs of each objective's chosen configuration by final policy name; seed 0 is there already."""
        choice = self.record.choice or {}
        stages = []
        for objective in OBJECTIVES:
            for seed in range(self.options.seeds):
                name = f"{objective} seed {seed}"
                if choice.get(objective) is None:
                    self.progress.skip(f"train {name}")
                    continue
                entry = configurations(objective, self.options.configs)[choice[objective] - 1]
                stages.append((name, self._training(entry.key if seed == 0 else name, entry, seed, budgets)))
        runs = self._runs([stage for _, stage in stages])
        finals = {name: run for (name, _), run in zip(stages, runs, strict=True)}
        failures = {name: run.error for name, run in finals.items() if run.status != "done"}
        self.record.values["finals"] = {name: run.run_id for name, run in finals.items()}
        self.record.put("failed_seeds", failures)
        return {name: run for name, run in finals.items() if run.status == "done"}

    def _trained(self, run: Run) -> str:
        return f"{self.policy}@{run.run_id}"

    # readings

    def _evaluation(self, name: str, policy: str, split: str) -> Stage:
        return self._stage(name, "evaluate", {"policy": policy, "split": split})

    def _policies(self, finals: dict[str, Run]) -> dict[str, str]:
        """The policies that are compared, by name."""
        return {BASE: self.policy, **{name: self._trained(run) for name, run in finals.items()}}

    def _read_test(self, finals: dict[str, Run]) -> None:
        """Every policy answers the test split, each once."""
        stages = {}
        for name, policy in self._policies(finals).items():
            if name not in self.record.test_answers:
                self.record.check_test_reading(name)
                stages[name] = self._evaluation(f"test {name}", policy, "test")
            self.progress.skip(f"test {name}") if name not in stages else None
        runs = self._runs(list(stages.values()))
        for name, run in zip(stages, runs, strict=True):
            questions, bits = answered(self.client, run)
            test = self.record.values.setdefault("test", {"questions": questions, "answers": {}})
            if test["questions"] != questions:
                raise BswirlError(
                    f"run {run.run_id} answered other test questions than the base policy did",
                    "questions were added to the project: begin another experiment",
                )
            test["answers"][name] = bits
            test.setdefault("summaries", {})[name] = run.summary
            self.record.save()

    def _sample_steps(self, finals: dict[str, Run]) -> None:
        """A fresh sampled solution of each policy for some test questions, its steps judged."""
        options = self.options
        if not options.process or "process" in self.record.values:
            return
        stages = {
            name: self._stage(
                f"sample {name}",
                "generate",
                {
                    "policy": policy,
                    "split": "test",
                    "limit": options.process,
                    "trajectories": 1,
                    "branches": 0,
                    "temperature": 1.0,
                    "seed": options.problem_seed,
                },
            )
            for name, policy in self._policies(finals).items()
        }
        runs = self._runs(list(stages.values()))
        if any(run.summary.get("samples") for run in runs):
            self._judge("judge samples", "test")
        self.record.put(
            "process",
            {name: sampled_rewards(self.client, run) for name, run in zip(stages, runs, strict=True)},
        )

    # figures

    def _conclude(self, finals: dict[str, Run]) -> None:
        """The probe's curves, the stages' times, and all figures."""
        values = self.record.values
        tried = {f"{row['objective']} {row['number']}": row["run"] for row in values["tried"]}
        values["margins"] = {name: margin_curve(self.client, run.run_id) for name, run in finals.items()}
        values["tried_margins"] = {key: margin_curve(self.client, run) for key, run in tried.items()}
        values["stages"] = [
            stage_facts(name, self.client.run(number)) for name, number in self.record.runs.items()
        ]
        values["results"] = results_of(values)
        values.setdefault("ended_at", now())
        self.record.save()


def stage_facts(name: str, run: Run) -> dict[str, Any]:
    """A stage's line in the record; the times are those of its run, pauses between attempts included."""
    return {
        "name": name,
        "run": run.run_id,
        "kind": run.kind,
        "status": run.status,
        "attempts": run.attempt,
        "created_at": run.created_at,
        "ended_at": run.ended_at,
        "folder": Path(run.folder).name,
        "summary": run.summary,
    }
