"""Every helper of the client against a real owner."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from bswirl.client import Client, connect, stop_owner
from bswirl.errors import InputError
from bswirl.interchange import PlacedQuestion, PlacedSample
from bswirl.project import Project
from bswirl.records import NewQuestion

QUESTION = NewQuestion("toy", "train", "a/1", "Ada has 2 pens and gets 3. How many?", "5", "2+3=<<2+3=5>>5")
HOSTILE = "Step 1: 2 + 3 = 6 [/b] \x1b[31m \x00 \u202e\n"


def placed(branch: int, action: str, reward: float | None) -> PlacedSample:
    return PlacedSample(
        trajectory_id="t",
        step=1,
        branch_id=branch,
        is_backbone=branch == 0,
        prefix=(),
        action=action,
        is_answer=False,
        reward=reward,
        judge="somebody" if reward is not None else None,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project.create(tmp_path_factory.mktemp("client") / "p")
    yield project
    stop_owner(project)


@pytest.fixture(scope="module")
def client(project: Project) -> Iterator[Client]:
    with connect(project, auditor="ada") as client:
        samples = (placed(0, "Step 1: 2 + 3 = 5", 1.0), placed(1, HOSTILE, 0.0))
        client.import_samples([PlacedQuestion(QUESTION, samples)], "toy")
        yield client


class TestReading:
    def test_the_list_and_its_page(self, client: Client) -> None:
        """Rows as records, with the number of all that match."""
        rows, total = client.questions(search="pens", filter="sampled", sort="actions", descending=True)
        assert (total, [row.address for row in rows]) == (1, ["toy:a/1"])
        assert client.questions(filter="labelled")[1] == 0
        assert client.datasets() == [{"dataset": "toy", "split": "train", "questions": 1}]

    def test_a_tree_by_number_and_by_address(self, client: Client) -> None:
        """Both names lead to the same tree; text is as it was imported."""
        tree = client.tree("toy:a/1")
        assert client.tree(tree.question.question_id) == tree
        assert {action.text for action in tree.actions} == {"Step 1: 2 + 3 = 5", HOSTILE}
        with pytest.raises(InputError):
            client.tree("toy:none")

    def test_an_action_with_its_siblings(self, client: Client) -> None:
        """The group comes in the order of numbers."""
        first, second = client.tree("toy:a/1").actions
        detail = client.action(second.action_id)
        assert [action.action_id for action in detail.siblings] == [first.action_id]
        assert [action.action_id for action in client.group(second.action_id)] == [
            first.action_id,
            second.action_id,
        ]
        with pytest.raises(InputError):
            client.action(12345)

    def test_runs_and_what_they_hold(self, client: Client) -> None:
        """An import is a run; it has no curves."""
        (run,) = client.runs(kind="import")
        assert client.run(run.run_id) == run
        assert run.status == "done"
        assert client.metrics(run.run_id) == {}
        assert client.shifts(run.run_id) == client.answers(run.run_id) == []
        with pytest.raises(InputError):
            client.run(999)

    def test_selecting_says_what_was_left_out(self, client: Client) -> None:
        """The stream's result counts by reason."""
        stream = client.select("generate", split="validation")
        with pytest.raises(StopIteration) as end:
            next(stream)
        assert end.value.value["considered"] == 1
        assert end.value.value["rows"] == 0


class TestWriting:
    def test_importing_again_adds_nothing(self, client: Client) -> None:
        """Known questions are counted as such, changed ones are named and left alone."""
        other = NewQuestion("toy", "train", "a/1", "Another text")
        assert client.import_questions([QUESTION])["known"] == 1
        assert client.import_questions([other])["changed"] == ["toy:a/1"]
        assert client.tree("toy:a/1").question.text == QUESTION.text

    def test_labels_are_set_and_undone(self, client: Client) -> None:
        """A label decides until it is withdrawn; the same uid sets it once."""
        action = client.tree("toy:a/1").actions[1]
        uid = "6b1f3a52-7f3d-4a4c-9c59-0d7d8a1e2f00"
        label = client.set_label(action.action_id, "1", reason="fine", blind=True, client_uid=uid)
        assert (label.auditor, label.value, label.reason, label.blind) == ("ada", "1", "fine", True)
        assert client.set_label(action.action_id, "1", client_uid=uid).label_id == label.label_id
        changed = client.action(action.action_id).action
        assert (changed.reward, changed.source) == (1.0, "human")
        undone = client.undo_label()
        assert undone is not None
        assert undone.client_uid == uid
        assert client.action(action.action_id).action.label is None
        assert client.undo_label() is None
        assert [entry.value for entry in client.labels(limit=2, auditor="ada")] == ["withdrawn", "1"]

    def test_ranking_decides(self, client: Client) -> None:
        """A judge without a rank decides nothing, with one it does."""
        (judge,) = (judge for judge in client.judges() if judge.name == "somebody")
        assert judge.verdicts == 2
        ranked = client.rank_judge("somebody", 1)
        assert next(entry.rank for entry in ranked if entry.name == "somebody") == 1
        rewards = {action.text: action.judge_reward for action in client.tree("toy:a/1").actions}
        assert rewards == {"Step 1: 2 + 3 = 5": 1.0, HOSTILE: 0.0}

    def test_an_export_holds_every_sample(self, client: Client) -> None:
        """Rows as records, hostile text as it was."""
        rows = list(client.export_samples())
        assert [(row.question_id, row.branch_id) for row in rows] == [("a/1", 0), ("a/1", 1)]
        assert rows[1].action == HOSTILE
        assert list(client.export_samples(dataset="toy")) == rows


class TestEvents:
    def test_what_one_client_does_another_hears(self, client: Client, project: Project) -> None:
        """A label from a second client arrives as an event."""
        stop = threading.Event()
        events = client.events(stop)
        connected = next(events)
        assert (connected["event"], connected["pid"]) == ("connected", client.owner["pid"])
        with connect(project, auditor="grace") as other:
            assert other.owner["told"] == connected["told"]
            other.set_label(client.tree("toy:a/1").actions[0].action_id, "unsure")
        event = next(events)
        assert event["event"] == "changed"
        assert "labels" in event["topics"]
        stop.set()
        assert list(events) == []

    def test_what_was_missed_before_listening_can_be_seen(self, client: Client, project: Project) -> None:
        """The count of the topic went up since hello, and no other's."""
        with connect(project, auditor="grace") as other:
            before = other.owner["told"]
        client.set_label(client.tree("toy:a/1").actions[0].action_id, "unsure")
        told = next(client.events(threading.Event()))["told"]
        differing = {topic for topic in told if told[topic] != before.get(topic)}
        assert differing == {"labels"}
