"""Sequential branching with a real owner, real workers and a served policy on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bswirl import launch
from bswirl.client import Client, connect, stop_owner
from bswirl.errors import BswirlError, CancelledError, InputError, UsageError
from bswirl.launch import rounds_record
from bswirl.launch.rounds import spending_of
from bswirl.launch.rounds_record import read_record
from bswirl.project import Project
from bswirl.records import NewQuestion
from tests.generation.chat import QUESTIONS, solve
from tests.serving.server import FaultServer, Request, status

SETTINGS = """
[endpoints.here]
url = "{url}"
[policies.chat]
endpoint = "here"
model = "served"
price_in = 1.0
price_out = 2.0
"""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(solve) as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, server: FaultServer) -> Iterator[Project]:
    project = Project.create(tmp_path / "p")
    with project.settings_file.open("a") as settings:
        settings.write(SETTINGS.format(url=server.url))
    yield project
    stop_owner(project)


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    questions = [NewQuestion("sums", "train", q.external_id, q.text, q.gold) for q in QUESTIONS[:4]]
    with connect(project) as client:
        client.import_questions(questions)
        yield client


def rounds(client: Client, project: Project, watch: Any = None, **rule: Any) -> launch.Rounds:
    options = {"policy": "chat", "branches": 1, "temperature": 1.0}
    settings = {"judge": "reference", "round_size": 2, "max_branches": 7, **rule}
    return launch.Rounds(client, project, options, launch.UntilLive(**settings), watch=watch)


class TestUntilLive:
    def test_samples_go_where_groups_are_undecided(self, client: Client, project: Project) -> None:
        """Never to a live group, never past the budget; the sums are those of the runs."""
        report = rounds(client, project).run()
        first, *later = report.rounds
        assert (first.samples, first.states) == (4 * 3 * 2, 12)
        assert later
        for before, done in zip(report.rounds, later, strict=False):
            assert done.states == before.undecided
            assert done.samples <= 2 * done.states
            assert done.live >= before.live
        assert report.rounds[-1].undecided == 0
        assert report.stopped == "no group is undecided"
        runs = {run.run_id: run for run in client.runs()}
        spent = sum(spending_of(run).get("cost") or 0 for run in runs.values())
        assert report.total["cost"] == pytest.approx(spent)
        assert report.total["samples"] == sum(run.summary.get("samples", 0) for run in runs.values())
        stats = client.stats()
        assert stats["samples"] == report.total["samples"]
        assert (stats["live_groups"], stats["cost"]) == (report.total["live"], pytest.approx(spent))
        assert stats["cost_per_live_group"] == pytest.approx(spent / stats["live_groups"])
        for question in QUESTIONS[:4]:
            for group in client.tree(f"sums:{question.external_id}").by_state().values():
                rewards = {action.reward for action in group}
                samples = sum(action.samples for action in group)
                assert samples <= 8 or len(rewards) > 1
                assert len(rewards) > 1 or samples > 2 or not group

    def test_an_interrupted_work_goes_on(self, client: Client, project: Project, server: FaultServer) -> None:
        """A run that failed is resumed, nothing is sampled or paid twice; once over, the same begins anew."""
        broken = [True]

        def faults(request: Request) -> Any:
            return status(404, "no such model") if broken[0] and len(server.completed) > 8 else None

        server.faults = faults
        with pytest.raises(BswirlError, match="sample 1"):
            rounds(client, project).run()
        broken[0] = False
        report = rounds(client, project).run()
        assert report.total["undecided"] == 0
        assert len(client.runs(kind="generate")) == len(report.rounds)
        assert max(server.paid().values()) == 1
        again = rounds(client, project)
        assert (again._record.runs, again._record.rounds) == ({}, [])
        assert again._record.after == client.runs(limit=1)[0].run_id

    def test_the_cost_limit_is_of_the_whole_work(self, client: Client, project: Project) -> None:
        """A round's judging gets what its sampling has left, the next round what both have."""
        options = {"policy": "chat", "branches": 1, "max_cost": 0.5}
        work = launch.Rounds(client, project, options, launch.UntilLive("reference"))
        (sampling,) = work._stages.finish([work._sample_stage(1)])
        spent = spending_of(sampling)["cost"]
        assert 0 < spent < 0.5
        assert work._judge_stage(1).options["max_cost"] == pytest.approx(0.5 - spent, rel=1e-9)
        work._finish_round(1)
        assert work._sample_stage(2).options["max_cost"] == pytest.approx(0.5 - spent, rel=1e-9)

    def test_a_human_decides(self, client: Client, project: Project) -> None:
        """A group that a label makes live gets no more samples, others do."""
        work = rounds(client, project, max_branches=3)
        work._finish_round(1)
        tree = client.tree("sums:q2")
        dead = {
            state: group for state, group in tree.by_state().items() if len({a.reward for a in group}) == 1
        }
        state, group = next((state, group) for state, group in dead.items() if len(group) > 1)
        client.set_label(group[0].action_id, "0" if group[0].reward else "1")
        work.run()
        after = client.tree("sums:q2").by_state()
        more = {
            number: sum(a.samples for a in after[number]) - sum(a.samples for a in dead[number])
            for number in dead
        }
        assert more.pop(state) == 0
        assert any(more.values())


class TestRecord:
    """What others see of rounds, and do about them."""

    def test_a_work_that_is_over_stays(self, client: Client, project: Project) -> None:
        report = rounds(client, project).run()
        (work,) = launch.rounds_of(project)
        assert (work.status, work.stopped) == ("done", "no group is undecided")
        assert work.rounds == report.rounds
        assert set(work.stages) == {run.run_id for run in client.runs()}
        assert work.cost_per_live_group == pytest.approx(report.total["cost_per_live_group"])
        assert all(done.seconds > 0 for done in work.rounds)
        with pytest.raises(InputError, match="done already"):
            launch.cancel_rounds(client, project, replace(work, path=work.path.with_name("gone.json")))
        with pytest.raises(InputError, match="rounds are done"):
            launch.continue_rounds(client, project, work)

    def test_cancelled_and_gone_on_with(self, client: Client, project: Project, server: FaultServer) -> None:
        """By a mark that its process looks for: from any process, on any machine. Nothing is paid twice."""

        def cancel(_stage: str, _run: Any) -> None:
            (work,) = launch.rounds_of(project)
            assert work.status == "running"
            launch.cancel_rounds(client, project, work)

        with pytest.raises(CancelledError):
            rounds(client, project, watch=cancel).run()
        (work,) = launch.rounds_of(project)
        assert (work.status, work.stopped) == ("cancelled", "cancelled")
        assert not any(run.status in ("queued", "running") for run in client.runs())
        with pytest.raises(InputError, match="cancelled already"):
            launch.cancel_rounds(client, project, work)
        again = launch.Rounds(client, project, dict(work.options), launch.UntilLive(**work.rule))
        assert again.record.path == work.path
        again.run()
        (work,) = launch.rounds_of(project)
        assert work.status == "done"
        assert max(server.paid().values()) == 1

    def test_one_process_at_a_time(self, client: Client, project: Project) -> None:
        """While it lives; a killed one is told from one that works."""
        work = rounds(client, project)
        work._finish_round(1)
        assert [found.status for found in launch.rounds_of(project)] == ["lost"]
        with work.record.conducted():
            assert [found.status for found in launch.rounds_of(project)] == ["running"]
            with pytest.raises(InputError, match="under way already: process"):
                rounds(client, project).run()

    def test_a_record_is_read_again_only_where_it_changed(
        self, client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Lists look every few seconds; whether its process lives is asked each time."""
        work = rounds(client, project)
        work._finish_round(1)
        read: list[Path] = []

        def counted(path: Path) -> rounds_record.RoundsRecord:
            read.append(path)
            return read_record(path)

        monkeypatch.setattr(rounds_record, "read_record", counted)
        assert [len(found.rounds) for found in launch.rounds_of(project)] == [1]
        read.clear()
        assert [found.status for found in launch.rounds_of(project)] == ["lost"]
        assert read == []
        with work.record.conducted():
            assert [found.status for found in launch.rounds_of(project)] == ["running"]
            assert len(read) == 1  # its beginning is noted
            work._finish_round(2)
            assert [len(found.rounds) for found in launch.rounds_of(project)] == [2]
            assert len(read) == 2
        work.record.finish("over")
        for _ in range(3):
            assert [found.status for found in launch.rounds_of(project)] == ["done"]
        assert len(read) == 3

    def test_a_failure_is_kept(self, client: Client, project: Project, server: FaultServer) -> None:
        server.faults = lambda _request: status(404, "no such model")
        with pytest.raises(BswirlError):
            rounds(client, project).run()
        (work,) = launch.rounds_of(project)
        assert work.status == "failed"
        assert "no such model" in work.stopped

    def test_defaults_that_are_spelled_out_are_the_same_work(self, client: Client, project: Project) -> None:
        """A form gives every field, a shell only what was typed."""
        typed = {
            "policy": "chat",
            "branches": "1",
            "limit": "",
            "batch_size": None,
            "seed": 0,
            "reuse": False,
        }
        rule = launch.UntilLive("reference", round_size=2, max_branches=7)
        made = launch.Rounds(client, project, typed, rule)
        assert made.record.path == rounds(client, project).record.path


class TestRefusals:
    @pytest.mark.parametrize(
        ("rule", "words"),
        [
            ({"judge": "nobody"}, "unknown judge"),
            ({"round_size": 0}, "--round-size 0"),
            ({"max_branches": 0}, "--max-branches 0"),
            ({"dead_below": 1.0}, "--dead-below 1"),
        ],
    )
    def test_what_makes_no_sense(
        self, client: Client, project: Project, rule: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(UsageError, match=words):
            rounds(client, project, **rule)

    def test_a_judge_that_decides_nothing(self, client: Client, project: Project) -> None:
        """Before anything is paid: no group could ever become live."""
        text = project.settings_file.read_text()
        judge = '[judges.model]\nendpoint = "here"\nmodel = "served"\n'
        project.settings_file.write_text(text + judge)
        with pytest.raises(UsageError, match="not in the project's ranking"):
            rounds(client, project, judge="model")
