"""The demo project: what the recipe packs is what `create_demo` unpacks."""

import gzip
import importlib.util
import json
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bswirl import demo, launch
from bswirl.cli import main
from bswirl.client import Client, connect, stop_owner
from bswirl.demo import create_demo
from bswirl.errors import InputError
from bswirl.problems import make_problems, solution_steps
from bswirl.project import Project
from bswirl.records import Question, from_json
from bswirl.runs.folder import RunFolder, now
from bswirl.runs.journal import JournalWriter

ROOT = Path(__file__).resolve().parents[1]


def recipe() -> ModuleType:
    """data/make_demo.py as a module."""
    spec = importlib.util.spec_from_file_location("make_demo", ROOT / "data" / "make_demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sample(text: str, branch_id: int | None = None) -> dict[str, Any]:
    """A sampled step as journals hold it."""
    row = {
        "text": text,
        "is_answer": text.startswith("Answer"),
        "n_tokens": 9,
        "logprob": -1.0,
        "finish": "stop",
    }
    return row if branch_id is None else {**row, "branch_id": branch_id}


def journal_of(question: Question) -> Iterator[dict[str, Any]]:
    """The rows of a right solution with one wrong branch at each state."""
    assert question.solution is not None
    steps = solution_steps(question.solution, question.gold or "")
    place = {
        "question_id": question.question_id,
        "number": 0,
        "seed": 0,
        "temperature": 1.0,
        "prompt_sha": "0",
    }
    yield {
        "t": "trajectory",
        **place,
        "policy": "demo",
        "steps": [sample(step) for step in steps],
        "answer": question.gold,
        "is_correct": True,
        "unparsed": None,
    }
    for step, _ in enumerate(steps, start=1):
        wrong = sample(f"Step {step}: That makes 1 + 1 = 3.", branch_id=1)
        yield {"t": "branches", **place, "step": step, "samples": [wrong], "unparsed": []}


def generate(client: Client, project: Project) -> None:
    """A finished generate run, as a worker would have left it."""
    rows = list(client.select("generate"))
    run_uid = str(uuid.uuid4())
    folder = RunFolder.create(
        project.runs_folder / f".new-{run_uid}",
        kind="generate",
        name="demo",
        run_uid=run_uid,
        rows=rows,
        settings={"policy": "demo"},
        policies={"demo": {"name": "demo", "adapters": [str(demo.demo_folder() / "adapter")]}},
    )
    with closing(JournalWriter(folder.journal_file)) as journal:
        journal.append(
            [{"t": "start", "attempt": 1, "pid": 1, "host": "h", "at": now(), "code_version": "0"}]
        )
        for row in rows:
            journal.append(list(journal_of(from_json(Question, row))))
        journal.append(
            [{"t": "end", "status": "done", "error": None, "exit_code": 0, "summary": {}, "at": now()}]
        )
    folder.log_file.write_text(f"{now()} worked in {project.root}\n/lib/x.py:1: UserWarning: hm\n")
    config = folder.read_config()
    run = client.register_run(run_uid, "generate", "demo", config, config["input_sha256"])
    assert launch.wait_run(client, run.run_id).status == "done"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Packed demo data of a small project, and that project's stats and labels."""
    base = tmp_path_factory.mktemp("made")
    data = base / "data"
    (data / "demo" / "adapter").mkdir(parents=True)
    (data / "demo" / "adapter" / "adapter_config.json").write_text("{}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "demo_folder", lambda: data / "demo")
        patch.setattr(demo, "data_folder", lambda: data)
        packer = recipe()
        patch.setattr(packer, "demo_folder", lambda: data / "demo")
        patch.setattr(packer, "data_folder", lambda: data)
        project = Project.create(base / "work")
        with connect(project, auditor="kim") as client:
            client.import_questions(make_problems(1, 4, 2, 2))
            generate(client, project)
            run = launch.start_run(client, project, launch.judge_request(project))
            assert launch.wait_run(client, run.run_id).status == "done"
            client.set_label(2, "1", reason="why not")
            client.set_label(3, "0")
            client.undo_label()
            packer.pack(client, project)
            kept = {"stats": client.stats(), "labels": client.labels(), "runs": client.runs()}
        stop_owner(project)
    return data, kept


@pytest.fixture
def shipped(
    made: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, dict[str, Any]]:
    """A copy of the packed data, shipped with bswirl as far as this test can tell."""
    data = tmp_path / "data"
    shutil.copytree(made[0], data)
    monkeypatch.setattr(demo, "demo_folder", lambda: data / "demo")
    monkeypatch.setattr(demo, "data_folder", lambda: data)
    return data / "demo", made[1]


class TestCreateDemo:
    """Making the demo project."""

    def test_equals_what_was_packed(self, shipped: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
        """Counts, rewards, labels with their times and auditors, and runs are those of the packed project."""
        project = create_demo(tmp_path / "new" / "demo")
        assert project.root == tmp_path / "new" / "demo"
        assert [path.name for path in project.root.parent.iterdir()] == ["demo"]
        with connect(project) as client:
            assert client.stats() == shipped[1]["stats"]
            assert client.labels() == shipped[1]["labels"]
            assert [(run.run_id, run.kind, run.status, run.summary) for run in client.runs()] == [
                (run.run_id, run.kind, run.status, run.summary) for run in shipped[1]["runs"]
            ]
            adapter = client.run(1).config["policies"]["demo"]["adapters"][0]
            log = "".join(launch.tail_log(client.run(1)))
        stop_owner(project)
        assert adapter == str(demo.demo_folder() / "adapter")
        assert log.endswith("Z worked in demo-project")

    def test_leaves_no_owner(self, shipped: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
        """The owner that built the project has ended, and nothing of it is left."""
        project = create_demo(tmp_path / "demo")
        assert not stop_owner(project)
        assert list(project.state_folder.iterdir()) == []

    def test_takes_an_empty_folder(self, shipped: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
        """A folder that is there and empty stays the same folder."""
        (tmp_path / "demo").mkdir()
        inode = (tmp_path / "demo").stat().st_ino
        project = create_demo(tmp_path / "demo")
        assert project.root.stat().st_ino == inode
        with connect(project) as client:
            assert client.stats() == shipped[1]["stats"]
        stop_owner(project)

    def test_refuses_what_is_not_empty(self, shipped: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
        """A project or other files in the way are left alone."""
        Project.create(tmp_path / "project")
        with pytest.raises(InputError, match="already holds"):
            create_demo(tmp_path / "project")
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "notes.txt").write_text("mine")
        with pytest.raises(InputError, match="not an empty folder"):
            create_demo(tmp_path / "other")
        assert [path.name for path in (tmp_path / "other").iterdir()] == ["notes.txt"]


class TestDamagedData:
    """Demo data that cannot be used leaves nothing half-made."""

    @pytest.mark.parametrize(
        "name", ["questions.jsonl.gz", "runs/1/journal.jsonl.gz", "adapter/adapter_config.json"]
    )
    def test_changed_file(self, shipped: tuple[Path, dict[str, Any]], tmp_path: Path, name: str) -> None:
        """A file that is not as it was packed is named."""
        with (shipped[0] / name).open("ab") as file:
            file.write(b" ")
        with pytest.raises(InputError, match=name.rpartition("/")[2]):
            create_demo(tmp_path / "new" / "demo")
        assert not (tmp_path / "new").exists() or list((tmp_path / "new").iterdir()) == []

    def test_missing_data(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An installation without the data says so."""
        monkeypatch.setattr(demo, "demo_folder", lambda: tmp_path / "none")
        with pytest.raises(InputError, match="missing or damaged"):
            create_demo(tmp_path / "demo")

    def test_other_actions(self, shipped: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
        """Runs about other steps than the store makes now are refused, and the folder is not made."""
        data = shipped[0]
        journal = data / "runs" / "1" / "journal.jsonl.gz"
        rows = [json.loads(line) for line in gzip.decompress(journal.read_bytes()).splitlines()]
        next(row for row in rows if row["t"] == "trajectory")["steps"][0]["text"] += " or so"
        journal.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
        manifest = json.loads((data / "manifest.json").read_text())
        manifest["files"]["runs/1/journal.jsonl.gz"] = demo.file_sha(journal)
        (data / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(InputError, match="does not fit this version"):
            create_demo(tmp_path / "new" / "demo")
        assert list((tmp_path / "new").iterdir()) == []


class TestShippedDemo:
    """The demo data in this repository."""

    def test_holds_what_it_promises(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """`init --demo` makes a project with all actions judged, both trainings' curves and a few labels."""
        root = str(tmp_path / "demo")
        assert main(["init", root, "--demo"]) == 0
        capsys.readouterr()
        try:
            assert main(["-p", root, "stats", "--json"]) == 0
            values = json.loads(capsys.readouterr().out)
        finally:
            stop_owner(Project.open(Path(root)))
        assert values["questions"] >= 200
        assert values["samples"] >= 4000
        assert (values["judged"], values["unjudged"]) == (values["actions"], 0)
        assert values["labels"] > 0
        curves = {curve["name"]: curve["points"] for curve in values["curves"]}
        assert {name.split()[0] for name in curves} == {"swirl", "bswirl"}
        assert all(points["loss"] >= 20 and points["kl"] >= 20 for points in curves.values())
        assert len(values["evaluations"]) == 3

    def test_is_compact(self) -> None:
        """What ships stays small enough to clone without a thought."""
        assert sum(path.stat().st_size for path in (ROOT / "data").rglob("*") if path.is_file()) < 12e6

    def test_names_no_machine(self) -> None:
        """No path of the machine that made it is in the data."""
        for path in (ROOT / "data" / "demo").rglob("*"):
            content = path.read_bytes() if path.is_file() and path.suffix in (".json", ".gz") else b""
            content = gzip.decompress(content) if path.suffix == ".gz" else content
            assert not re.search(rb"/(home|root|work|tmp)/", content), path
