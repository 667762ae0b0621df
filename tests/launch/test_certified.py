"""Training corrected by certificates, over a real owner and real workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from bswirl import launch
from bswirl.certificates import LEAST_STEPS, Certificate, Rates
from bswirl.client import Client, connect, stop_owner
from bswirl.errors import InputError
from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.launch.certified import RewardJudges, certificates_for
from bswirl.project import Project
from bswirl.records import Judge, NewQuestion, Run
from bswirl.runs.folder import RunFolder
from tests.certified import a_certificate
from tests.tiny import save_tiny_policy

GOOD = Rates(90, 10, 20, 80)  # FPR 0.2, FNR 0.1
FIRST = Rates(LEAST_STEPS, 0, 25, LEAST_STEPS - 25)
STEPS = ("Step 1: 2 + 3 = 5", "Step 1: 2 + 3 = 6", "Step 1: Let us think.")


def sampled(dataset: str, *, reward: float | None = None) -> Iterator[PlacedQuestion]:
    """Questions with three first steps: right, wrong with progress, and without a calculation."""
    for number in range(4):
        question = NewQuestion(
            dataset, "train", str(number), "Ada has 2 pens and gets 3. How many?", "5", "2+3=<<2+3=5>>5"
        )
        samples = tuple(
            PlacedSample(
                trajectory_id=f"{dataset}{number}",
                step=1,
                branch_id=branch,
                is_backbone=branch == 0,
                prefix=(),
                action=action,
                is_answer=False,
                reward=None if reward is None else abs(reward - branch % 2),
                judge=None if reward is None else "imported-judge",
            )
            for branch, action in enumerate(STEPS)
        )
        yield PlacedQuestion(question, samples)


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Steps that the reference judge has judged."""
    project = Project.create(tmp_path_factory.mktemp("certified") / "p")
    with connect(project) as client:
        client.import_samples(sampled("toy"), "toy")
        run = launch.start_run(client, project, launch.judge_request(judge="reference"))
        assert launch.wait_run(client, run.run_id).status == "done"
    yield project
    stop_owner(project)


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    with connect(project) as client:
        yield client


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_policy(tmp_path_factory.mktemp("policy") / "tiny"))


def request(project: Project, policy: str, **values: Any) -> launch.RunRequest:
    options = {
        "objective": "bswirl",
        "policy": policy,
        "device": "cpu",
        "base_dtype": "float32",
        "probe_fraction": 0.0,
        "judge_rates": "certificate",
        "max_steps": 1,
    }
    return launch.train_request(project, **options | values)


def trained(client: Client, project: Project, asked: launch.RunRequest, said: list[str]) -> Run:
    run = launch.start_run(client, project, asked, say=said.append)
    done = launch.wait_run(client, run.run_id)
    assert done.status == "done", done.error
    return done


def test_the_newest_certificate_is_frozen_and_used(client: Client, project: Project, policy: str) -> None:
    """Its rates lie in the run's config; the worker's advantages are those of corrected rewards."""
    client.add_certificate(a_certificate(overall=Rates(60, 40, 40, 60)))
    client.add_certificate(a_certificate(overall=GOOD, depths=(FIRST, GOOD, Rates(10, 0, 3, 0))))
    client.add_certificate(a_certificate(prompt_sha="another prompt", overall=Rates(60, 40, 40, 60)))
    client.add_certificate(a_certificate(solutions=30, overall=Rates(60, 40, 40, 60)))
    said: list[str] = []
    run = trained(client, project, request(project, policy), said)
    folder = RunFolder(project.run_folder(run.run_id))
    config = folder.read_config()
    assert config["certified_rates"] == [
        {"judge": "reference", "depth": None, "fpr": 0.2, "fnr": 0.1},
        {"judge": "reference", "depth": 1, "fpr": 0.5, "fnr": 0.0},
        {"judge": "reference", "depth": 2, "fpr": 0.2, "fnr": 0.1},
    ]
    assert config["settings"]["judge_rates"] == "certificate"
    assert "certificate 2 (processbench f.json" in "".join(said)
    assert "FPR 0.200, FNR 0.100; own rates at step 1, 2" in "".join(said)
    corrected = [1.0, -1.0, 0.0]  # (1 − 0.5)/0.5, (0 − 0.5)/0.5, and no progress: 0
    mean = sum(abs(value) for value in corrected) / 3
    assert client.metrics(run.run_id)["advantage_abs"][0][1] == pytest.approx(mean)
    plain = trained(client, project, request(project, policy, judge_rates="given"), said)
    assert client.metrics(plain.run_id)["advantage_abs"][0][1] == pytest.approx(4 / 9)
    assert "certified_rates" not in RunFolder(project.run_folder(plain.run_id)).read_config()


def test_people_need_no_certificate(client: Client, project: Project, policy: str) -> None:
    """Where labels decide every reward there is nothing to correct."""
    for row in client.questions()[0]:
        for number, action in enumerate(client.tree(row.question_id).actions):
            client.set_label(action.action_id, str(number % 2))
    run = trained(client, project, request(project, policy), [])
    assert RunFolder(project.run_folder(run.run_id)).read_config()["certified_rates"] == []


@pytest.mark.parametrize("objective", ["bswirl", "swirl-onpolicy"])
@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (
            None,
            r"reference \(rules, prompt \w{12}\) gave rewards and has no certificate — bswirl audit",
        ),
        ({"solutions": 30}, "certificate 1, of 30 of the 40 solutions in f.json — .* without --limit"),
        ({"prompt_sha": "older"}, "has no certificate"),
        ({"overall": Rates(400, 10, 5, 10)}, "too few steps with progress"),
        ({"overall": Rates(60, 40, 50, 50)}, "1 - FPR - FNR = 0.100, below 0.2"),
        ({"overall": GOOD, "depths": (GOOD, Rates(50, 0, 45, 5))}, "at step 2: FPR 0.900 and FNR 0.000"),
    ],
)
def test_refused_before_a_run_exists(
    client: Client,
    project: Project,
    policy: str,
    objective: str,
    certificate: dict[str, Any] | None,
    words: str,
) -> None:
    """One line of kind 3 that names the judge, from the start and from the forecast; nothing is written."""
    if certificate is not None:
        client.add_certificate(a_certificate(**certificate))
    asked = request(project, policy, objective=objective)
    before = {path.name for path in project.runs_folder.iterdir()}
    for attempt in (
        lambda: launch.start_run(client, project, asked),
        lambda: launch.forecast_run(client, asked),
    ):
        with pytest.raises(InputError, match=words) as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert {path.name for path in project.runs_folder.iterdir()} == before
    assert client.runs(kind="train") == []


class Shelf:
    """What a client says of judges and certificates."""

    def __init__(self, *judges: Judge) -> None:
        self._judges = list(judges)

    def judges(self) -> list[Judge]:
        return self._judges

    def certificates(self) -> list[Certificate]:
        return [a_certificate(judge="j", model="m", prompt_sha="p1", overall=GOOD)]


def test_judges_are_told_apart(project: Project, policy: str) -> None:
    """A certificate of another prompt is none; rewards of two of a name are refused."""
    known = (Judge(1, "j", "m", "p1", 1, 5), Judge(2, "j", "m", "p2", 2, 5))
    asked = request(project, policy)

    def found(*numbers: int) -> list[Certificate]:
        judges = RewardJudges()
        judges.judges["j"].update(numbers)
        return certificates_for(cast(Client, Shelf(*known)), asked, judges)

    assert [one.prompt_sha for one in found(1)] == ["p1"]
    with pytest.raises(InputError, match=r"judge j \(m, prompt p2\) gave rewards and has no certificate"):
        found(2)
    with pytest.raises(InputError, match="2 judges called j, of other models or prompts, gave rewards"):
        found(1, 2)


def test_rewards_that_no_certificate_can_be_of(client: Client, project: Project, policy: str) -> None:
    """Imported without model and prompt."""
    client.add_certificate(a_certificate(overall=GOOD))
    client.import_samples(sampled("other", reward=1.0), "other")
    client.rank_judge("imported-judge", 1)
    with pytest.raises(InputError, match="12 rewards of imported-judge do not say"):
        launch.start_run(client, project, request(project, policy, dataset="other"))
    assert launch.forecast_run(client, request(project, policy, dataset="toy")).refusal is None
