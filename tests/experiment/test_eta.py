"""How long the rest takes."""

from __future__ import annotations

import pytest

from bswirl.experiment.eta import Progress as Eta
from bswirl.experiment.eta import weights
from bswirl.experiment.options import ExperimentOptions
from bswirl.records import Progress, Run


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def run(status: str, done: int = 0, total: int = 100) -> Run:
    return Run(1, "uid", "train", "x", status, {}, "", progress=Progress(done, total, "steps"))


class TestProgress:
    """Progress of the whole experiment."""

    def test_names_every_stage_of_the_experiment(self) -> None:
        """Seed 0 of a final policy is the run that was chosen: it is not trained again."""
        names = list(weights(ExperimentOptions(configs=2, seeds=2)))
        assert names[:4] == ["warm start", "generate", "judge", "validate base"]
        assert "warm start" not in weights(ExperimentOptions(warm_start=0))
        assert names.count("train bswirl 2") == 1
        assert "train bswirl seed 1" in names
        assert "train bswirl seed 0" not in names
        assert {"test bswirl seed 0", "sample swirl seed 1", "judge samples"} <= set(names)
        assert "judge samples" not in weights(ExperimentOptions(process=0))

    def test_the_past_corrects_the_rest(self) -> None:
        """Twice as slow as the weights say: the rest takes twice as long; two at once halve it."""
        clock, said = Clock(), list[str]()
        options = ExperimentOptions()
        whole = weights(options)
        for jobs in (1, 2):
            clock.at = 0.0
            eta = Eta(options, jobs, said.append, clock)
            eta.watch("generate", run("running"))
            clock.at = 2 * whole["generate"]
            eta.watch("generate", run("done", 100))
            rest = sum(whole.values()) - whole["generate"]
            assert eta.seconds_left() == pytest.approx(2 * rest / jobs)

    def test_what_was_done_before_counts_for_nothing(self) -> None:
        """Stages of an earlier session are off the rest and say nothing of the pace."""
        clock, said = Clock(), list[str]()
        eta = Eta(ExperimentOptions(), 1, said.append, clock)
        whole = weights(ExperimentOptions())
        eta.watch("generate", run("done", 100))
        assert said == []
        assert eta.seconds_left() == pytest.approx(sum(whole.values()) - whole["generate"])

    def test_lines_are_few(self) -> None:
        """One at the start, then every quarter of a minute, and one at the end."""
        clock, said = Clock(), list[str]()
        eta = Eta(ExperimentOptions(), 1, said.append, clock)
        for second in range(31):
            clock.at = float(second)
            eta.watch("train bswirl 1", run("running", second))
        eta.watch("train bswirl 1", run("done", 100))
        assert [line.partition(";")[0] for line in said] == [
            "train bswirl 1: run 1 0/100 steps",
            "train bswirl 1: run 1 15/100 steps",
            "train bswirl 1: run 1 30/100 steps",
            "train bswirl 1: run 1 done",
        ]
        assert all("h left in all" in line for line in said)
