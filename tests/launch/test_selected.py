"""Training on a saved selection: looked up when the run is made, refused where it must not be trained on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bswirl import launch
from bswirl.client import Client, connect, stop_owner
from bswirl.errors import InputError, UsageError
from bswirl.launch.selected import provenance, with_selection
from bswirl.project import Project
from bswirl.selections import Selection


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    project = Project.create(tmp_path_factory.mktemp("selected") / "p")
    with connect(project, auditor="ann") as client:
        client.save_selection("hard", Selection(None, "validation", 5, "both", (0.2, 0.8), "question"))
        client.save_selection("tested", Selection(split="test"))
        client.save_selection("plain", Selection(limit=3))
        yield client
    stop_owner(project)


def request(client: Client, **values: Any) -> launch.RunRequest:
    return launch.train_request(client.project, **{"objective": "swirl", "policy": "smollm2", **values})


def test_its_definition_takes_the_place_of_its_name(client: Client) -> None:
    """With the run's own probe; what the config keeps of it says whose it is."""
    asked = request(client, selection="hard", probe_fraction=0.2, seed=4)
    assert asked.select == {"probe_fraction": 0.2, "seed": 4}
    found = with_selection(client, asked)
    definition = {
        "dataset": None,
        "split": "validation",
        "limit": 5,
        "filter": "both",
        "difficulty": [0.2, 0.8],
        "difficulty_by": "question",
    }
    assert found.select == {**definition, "probe_fraction": 0.2, "seed": 4}
    kept = provenance(found)["selection"]
    assert kept == {**definition, "name": "hard", "created_by": "ann", "created_at": kept["created_at"]}
    assert with_selection(client, found) == found


def test_one_without_a_name_is_as_it_was_asked_for(client: Client) -> None:
    """Nothing is looked up, and nothing is kept beside its filters."""
    asked = request(client, filter="process", difficulty="0..0.5")
    assert (asked.select["filter"], asked.select["difficulty"]) == ("process", [0.0, 0.5])
    assert with_selection(client, asked) is asked
    assert provenance(asked) == {}


def test_an_unknown_name(client: Client) -> None:
    """Those that there are are named."""
    with pytest.raises(InputError, match=r"no selection `nope` — selections are hard, plain, tested"):
        launch.forecast_run(client, request(client, selection="nope"))


def test_the_test_split_is_not_for_training(client: Client) -> None:
    """Under a name neither."""
    with pytest.raises(UsageError, match=r"selection tested: the test split .* --allow-test"):
        launch.start_run(client, client.project, request(client, selection="tested"))
    assert client.runs() == []
    allowed = with_selection(client, request(client, selection="tested", allow_test=True))
    assert allowed.select["split"] == "test"


def test_gold_solutions_have_no_rewards_to_choose_by(client: Client) -> None:
    """Filters are refused; dataset, split and limit are not."""
    gold = {"objective": "sft", "sft_source": "gold"}
    with pytest.raises(UsageError, match="gold solutions have no rewards to choose by: filter outcome"):
        request(client, **gold, filter="outcome")
    with pytest.raises(UsageError, match="selection hard: gold solutions"):
        with_selection(client, request(client, **gold, selection="hard"))
    found = with_selection(client, request(client, **gold, selection="plain"))
    assert found.select == {"dataset": None, "split": "train", "limit": 3}


@pytest.mark.parametrize(
    ("option", "value"),
    [("dataset", "toy"), ("split", "validation"), ("limit", 3), ("filter", "both"), ("difficulty", "0..1")],
)
def test_a_name_and_what_it_speaks_for(client: Client, option: str, value: Any) -> None:
    """Exclude each other in a form too, where defaults are always there."""
    with pytest.raises(UsageError, match=rf"--selection hard says all .* not beside --{option}"):
        request(client, selection="hard", **{option: value})
    values = {"objective": "swirl", "policy": "p", "selection": "hard", "split": "train", "filter": "none"}
    assert launch.command_line("train", values) == (
        "bswirl train --objective swirl --policy p --selection hard"
    )
