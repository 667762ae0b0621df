"""A small record, made up but whole, as an experiment leaves it."""

from __future__ import annotations

import dataclasses
from typing import Any

from bswirl.experiment.options import ExperimentOptions
from bswirl.experiment.results import results_of

QUESTIONS = 40


def bits(right: int) -> str:
    """Answers of which the first `right` are right."""
    return "1" * right + "0" * (QUESTIONS - right)


def small_record(swirl: tuple[int, ...] = (14, 15), bswirl: tuple[int, ...] = (30, 32)) -> dict[str, Any]:
    """Two seeds an objective with so many right answers of 40 each; the base policy has 10."""
    options = ExperimentOptions(
        train=20, validation=10, test=QUESTIONS, process=2, configs=2, seeds=max(len(swirl), len(bswirl))
    )
    finals = {
        f"{objective} seed {seed}": right
        for objective, rights in (("swirl", swirl), ("bswirl", bswirl))
        for seed, right in enumerate(rights)
    }
    names = ["base", *finals]
    validation = {"correct": 4, "n": 10, "accuracy": 0.4}
    record: dict[str, Any] = {
        "format": 1,
        "bswirl": "0.0",
        "command": options.command(),
        "options": dataclasses.asdict(options),
        "machine": {"processor": "a | processor", "cores": 2, "memory_gb": 8.0, "gpus": [], "system": "Linux",
                    "python": "3.11"},
        "started_at": "2026-01-02T03:04:05.000Z",
        "ended_at": "2026-01-02T04:04:06.000Z",
        "sessions": [
            {"started_at": "2026-01-02T03:04:05.000Z", "ended_at": None, "jobs": 1},
            {"started_at": "2026-01-02T03:05:05.000Z", "ended_at": "2026-01-02T04:04:06.000Z", "jobs": 2},
        ],
        "runs": {"generate": 1},
        "budgets": {
            str(seed): {
                name: {
                    "questions": 18, "steps": 9, "epochs": 3, "action_tokens": 1234, "distinct_tokens": 1000
                }
                for name in ("swirl", "bswirl")
            }
            for seed in range(options.seeds)
        },
        "validation_base": validation,
        "tried": [
            {
                "objective": objective,
                "number": number,
                "label": f"label {number}",
                "settings": {},
                "run": number,
                "failure": None if number == 1 else "collapse: too far",
                "validation": validation if number == 1 else None,
            }
            for objective in ("swirl", "bswirl")
            for number in (1, 2)
        ],
        "tried_margins": {"swirl 1": [{"step": 0, "margin": 0.0}]},
        "choice": {"swirl": 1, "bswirl": 1, "frozen_at": "2026-01-02T03:30:00.000Z"},
        "finals": dict.fromkeys(finals, 7),
        "failed_seeds": {},
        "test": {
            "questions": [f"templates:test-{number}" for number in range(QUESTIONS)],
            "answers": {"base": bits(10), **{name: bits(right) for name, right in finals.items()}},
            "summaries": {},
        },
        "process": {
            name: [
                {"question": "templates:test-0", "rewards": [1.0, 0.0], "right": True},
                {"question": "templates:test-1", "rewards": [1.0], "right": False},
            ]
            for name in names
        },
        "margins": {
            name: [
                {"step": 0, "margin": 0.0},
                {"step": 5, "margin": 0.5, "low": 0.2, "high": 0.8},
                {"step": 9, "margin": 0.6, "low": 0.3, "high": 0.9},
            ]
            for name in finals
        },
        "stages": [
            {
                "name": "generate",
                "run": 1,
                "kind": "generate",
                "status": "done",
                "attempts": 2,
                "created_at": "2026-01-02T03:04:05.000Z",
                "ended_at": "2026-01-02T03:10:00.000Z",
                "summary": {"samples": 321},
            }
        ],
    }  # fmt: skip
    record["results"] = results_of(record)
    return record
