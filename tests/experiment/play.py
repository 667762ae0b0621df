"""A small experiment with a tiny model: `python -m tests.experiment.play WORK MODEL [OPTION=N …]`.

Its training samples are made up, as a random model writes no steps; all else is the real thing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bswirl.errors import BswirlError
from bswirl.experiment.conduct import Experiment
from bswirl.experiment.options import QUICK, ExperimentOptions
from bswirl.experiment.run import run_experiment
from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.problems.making import DATASET
from bswirl.records import NewQuestion

SMALL = {
    **QUICK,
    "warm_start": 0,
    "seeds": 1,
    "train": 16,
    "test": 8,
    "process": 4,
    "batch": 4,
    "max_tokens": 20,
    "probe_fraction": 0.3,
}


def problems(train: int, validation: int, test: int) -> list[NewQuestion]:
    """A sum for each of many bags, in splits that share none."""
    splits = ["train"] * train + ["validation"] * validation + ["test"] * test
    solution = "2 + 1 = <<2+1=3>>3\n3 + 1 = <<3+1=4>>4\n#### 4"
    return [
        NewQuestion(DATASET, split, f"{split}-{bag}", f"Bag {bag}: add 2, 1 and 1.", "4", solution)
        for bag, split in enumerate(splits)
    ]


def solved(question: NewQuestion) -> PlacedQuestion:
    """The question with one solution and a slip beside each of its steps."""
    right = ("Step 1: 2 + 1 = 3.", "Step 2: 3 + 1 = 4.", "Answer: 4")
    wrong = ("Step 1: 2 + 1 = 5.", "Step 2: 3 + 1 = 6.", "Answer: 6")
    samples = [
        PlacedSample("t", step, branch, branch == 0, right[: step - 1], text, step == len(right))
        for step, texts in enumerate(zip(right, wrong, strict=True), start=1)
        for branch, text in enumerate(texts)
    ]
    return PlacedQuestion(question, tuple(samples))


def gather(experiment: Experiment) -> None:
    """In place of sampling, which a random model cannot do: solutions from elsewhere, judged as ever."""
    options = experiment.options
    made = problems(options.train, options.validation, options.test)
    experiment.client.import_questions(made)
    experiment.client.import_samples((solved(one) for one in made if one.split == "train"), "made")
    experiment._judge("judge", "train")


def play(work: Path, model: Path, **changed: int) -> None:
    """The experiment of those sizes, from wherever it stands."""
    Experiment._gather = gather  # type: ignore[method-assign]
    options = ExperimentOptions(policy=str(model), device="cpu", **{**SMALL, **changed})
    run_experiment(work, options, 2, lambda text: sys.stderr.write(f"{text}\n"))


if __name__ == "__main__":
    given = [word.split("=") for word in sys.argv[3:]]
    try:
        play(Path(sys.argv[1]), Path(sys.argv[2]), **{name: int(value) for name, value in given})
    except BswirlError as error:
        sys.exit(str(error))
