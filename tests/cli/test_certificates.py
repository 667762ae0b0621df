"""`bswirl audit certify` and `certificates`: with a project and without one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bswirl.project import Project
from bswirl.serving.keys import trust
from tests.cli.conftest import QUESTION, SOLUTION, Call
from tests.serving.server import FaultServer, Request, status

RIGHT = ["Half of 48 is 48/2=24 clips.", "Together 48+24=72 clips."]
ROWS: list[dict[str, Any]] = [
    {"problem": QUESTION, "steps": RIGHT, "label": -1, "final_answer_correct": True},
    {"problem": QUESTION, "steps": [RIGHT[0], "Together 48+24=73 clips.", "So 73."], "label": 1},
    {"problem": f" {QUESTION}\n", "steps": ["In May she sells 48*2=96.", "Together 144."], "label": 0},
    {"problem": "What is 2 + 2?", "steps": ["2 + 2 = 4"], "label": -1},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Four good rows and two bad ones."""
    path = tmp_path / "bench.json"
    bad = ['{"problem": "P", "steps": ["a"], "label": 4}', '{"problem": "\x1b]0;x"}']
    path.write_text("[\n" + ",\n".join([*bad[:1], *map(json.dumps, ROWS), *bad[1:]]) + "\n]")
    return path


@pytest.fixture
def solutions(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps({"question": QUESTION, "answer": f"{SOLUTION}\n#### 72"}) + "\nnonsense\n")
    return path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called from a folder that is no project."""
    monkeypatch.delenv("BSWIRL_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("nowhere")
class TestWithoutAProject:
    def test_figures(self, call: Call, file: Path) -> None:
        """One object on stdout; every rate with its interval; bad rows named with file and line."""
        said = call("audit", "certify", "--judge", "reference", "--on", "processbench", file, "--json")
        assert said.code == 0
        found = said.json
        assert (found["judge"], found["benchmark"], found["file"]) == (
            "reference",
            "processbench",
            "bench.json",
        )
        assert found["file_sha"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert (found["solutions"], found["erroneous"], found["questions"]) == (4, 2, 2)
        assert (found["labelled"], found["judged_share"], found["with_gold"]) == (6, 1.0, 0)
        assert found["accuracy_correct"]["value"] == 1.0
        assert found["accuracy_erroneous"]["value"] == 0.5
        assert found["f1"]["value"] == pytest.approx(2 / 3)
        steps = found["overall"]["steps"]
        assert (steps["tpr"]["value"], steps["tnr"]["value"]) == (1.0, 0.5)
        assert (steps["fpr"]["value"], steps["fnr"]["value"]) == (0.5, 0.0)
        assert 0 < steps["tnr"]["low"] < 0.5 < steps["tnr"]["high"] < 1
        assert found["kappa"]["value"] == pytest.approx(4 / 7)
        assert [(at["depth"], at["steps"]["wrong"]) for at in found["depths"]] == [(1, 1), (2, 1)]
        assert [reject["line"] for reject in found["rejects"]] == [2, 7]
        assert found["rejected"] == 2
        assert f"{file}:2: `label` must be -1 or a step's index" in said.err
        assert f"{file}:7: " in said.err
        assert found["correction"] == []
        assert found["certificate_id"] is None
        assert "not kept" in said.err
        assert "not the reward" in said.err

    def test_gold_solutions(self, call: Call, file: Path, solutions: Path) -> None:
        """Matched however the question is spaced; here they tell what makes progress."""
        words = ("audit", "certify", "--judge", "reference", file, "--json")
        with_gold = call(*words, "--solutions", solutions)
        assert f"{solutions}:2: not JSON" in with_gold.err
        assert with_gold.json["with_gold"] == 3
        assert with_gold.json["solutions_sha"]
        without = call(*words).json
        assert with_gold.json["overall"]["steps"] == without["overall"]["steps"]
        assert (with_gold.json["overall"]["progress"]["wrong"], without["overall"]["progress"]["wrong"]) == (
            1,
            2,
        )

    def test_for_people(self, call: Call, file: Path) -> None:
        """Facts and a table, without a stray control character."""
        said = call("audit", "certify", "--judge", "reference", file)
        assert said.code == 0
        assert "reference (rules, prompt " in said.out
        assert "F1                   0.667" in said.out
        assert "too few to correct rewards with" in said.out
        assert "\x1b" not in said.out + said.err

    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (("--judge", "oracle", "{file}"), 2, "unknown judge 'oracle' — known: reference"),
            (("--judge", "answer-check", "{file}"), 2, "judges final answers alone"),
            (
                ("--judge", "reference", "--votes", "3", "{file}"),
                2,
                "--votes does nothing for judge reference",
            ),
            (("--judge", "reference", "--prompt", "{file}", "{file}"), 2, "goes by rules, not by a prompt"),
            (("{file}",), 2, "Missing option '--judge'"),
            (("--judge", "reference", "--on", "prm", "{file}"), 2, "'prm' is not"),
            (("--judge", "reference", "{folder}/none.json"), 3, "none.json: No such file"),
            (("--judge", "reference", "{folder}/empty.json"), 3, "empty.json is empty"),
            (("--judge", "reference", "{folder}/bad.json"), 3, "no solution could be read from"),
            (("--judge", "reference", "--solutions", "{folder}/bad.json", "{file}"), 3, "give a GSM8K file"),
        ],
    )
    def test_wrong_words_and_files(
        self, call: Call, file: Path, words: tuple[str, ...], code: int, message: str
    ) -> None:
        """The exit code says which; the last line says what."""
        (file.parent / "empty.json").touch()
        (file.parent / "bad.json").write_text("[{}]")
        said = call("audit", "certify", *(word.format(file=file, folder=file.parent) for word in words))
        assert (said.code, said.out) == (code, "")
        assert message in said.err.splitlines()[-1]

    def test_a_project_that_is_named_must_be_one(
        self, call: Call, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By option or variable: nothing is judged for a project that is not there."""
        assert call("-p", "none", "audit", "certify", "--judge", "reference", file).code == 3
        monkeypatch.setenv("BSWIRL_PROJECT", str(file.parent))
        said = call("audit", "certify", "--judge", "reference", file)
        assert (said.code, said.out) == (3, "")

    def test_many_bad_rows_are_counted(self, call: Call, tmp_path: Path) -> None:
        """A hundred are named, the rest counted."""
        path = tmp_path / "many.jsonl"
        path.write_text("{}\n" * 130 + json.dumps(ROWS[0]))
        said = call("audit", "certify", "--judge", "reference", path)
        assert said.code == 0
        assert said.err.count("`problem` is missing") == 100
        assert "30 more rows" in said.err


class TestInAProject:
    def test_kept_and_listed(self, on: Call, project: Project, file: Path, solutions: Path) -> None:
        """Newest first, with what was found; in the project's own folder no option is needed."""
        words = ("audit", "certify", "--judge", "reference", file)
        first = on(*words, "--json")
        assert (first.code, first.json["certificate_id"]) == (0, 1)
        assert "kept as certificate 1" in first.err
        second = on(*words, "--solutions", solutions, "--json").json
        listed = on("audit", "certificates", "--json").json["certificates"]
        assert [one["certificate_id"] for one in listed] == [2, 1]
        for made, kept in ((second, listed[0]), (first.json, listed[1])):
            assert kept == {
                name: value for name, value in made.items() if name not in ("rejected", "rejects")
            }
        assert listed[0]["created_at"] >= listed[1]["created_at"] > ""
        lines = on("audit", "certificates").out.splitlines()
        assert lines[0].split()[:4] == ["number", "judge", "model", "prompt"]
        assert "processbench bench.json 4 3 0.667 1 0.500 0.571" in " ".join(lines[1].split())

    def test_a_trial(self, on: Call, project: Project, file: Path) -> None:
        """A certificate of some solutions says so wherever it is shown."""
        words = ("audit", "certify", "--judge", "reference", file, "--limit", "2")
        said = on(*words)
        assert said.code == 0
        assert "2 of 4 solutions" in said.out
        assert "by which nothing is corrected" in said.out
        assert "a trial: 2 of 4 solutions were judged" in said.err
        made = on(*words, "--json").json
        assert (made["is_part"], made["solutions"], made["file_solutions"]) == (True, 2, 4)
        assert " 2/4 " in on("audit", "certificates").out
        assert on(*words[:-1], "0").code == 2

    def test_an_empty_list(self, on: Call) -> None:
        """No certificate yet."""
        assert on("audit", "certificates", "--json").json == {"certificates": []}


PROMPT = '''name = "mine"
purpose = "judge"
user = """Q: {question}
G: {solution}
S: {steps}
J: {step}"""
'''


class TestServedJudge:
    """A judge behind an endpoint, over a real server."""

    @pytest.fixture
    def settings(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[[FaultServer], None]:
        """Names the judge `far` at a server, whose key may be sent."""
        monkeypatch.setenv("FAR_KEY", "s3cret-0123456789")
        monkeypatch.setenv("BSWIRL_CONFIG", str(project.root / "config"))

        def write(server: FaultServer) -> None:
            trust(server.url, "FAR_KEY")
            project.settings_file.write_text(
                f'[endpoints.far]\nurl = "{server.url}"\nkey = "FAR_KEY"\n'
                '[judges.far]\nendpoint = "far"\nmodel = "m"\nprice_in = 1.0\nprice_out = 1.0\n'
            )

        return write

    @staticmethod
    def reply(request: Request) -> str:
        """Finds wrong sums by their results alone."""
        step = request.prompt.rsplit("<step_to_judge>")[-1].rsplit("J: ")[-1]
        correct = "no" if "73" in step or "96" in step else "yes"
        return f"Looked at.\nCorrect: {correct}\nProgress: yes"

    def test_certified_once_paid(
        self, on: Call, project: Project, settings: Callable[[FaultServer], None], file: Path
    ) -> None:
        """The trial's replies serve the whole; votes and cost are told."""
        words = ("audit", "certify", "--judge", "far", file, "--json")
        with FaultServer(self.reply, latency=0.01) as server:
            settings(server)
            trial = on(*words, "--limit", 2)
            assert (trial.code, trial.json["is_part"]) == (0, True)
            tried = len(server.completed)
            whole = on(*words)
            assert 0 < tried < len(server.completed) == 5  # two solutions begin alike
            assert (whole.code, whole.json["f1"]["value"], whole.json["votes"]) == (0, 1.0, 1)
            assert (whole.json["model"], whole.json["is_part"]) == ("m", False)
            assert "5 calls for $0.0" in whole.err
            voted = on(*words, "--votes", "3", "--limit", "1")
            assert voted.json["votes"] == 3
        assert "s3cret" not in "".join(path.read_text() for path in project.root.rglob("calls.jsonl"))

    def test_gold_solutions_where_the_prompt_shows_them(
        self, on: Call, settings: Callable[[FaultServer], None], file: Path, solutions: Path, tmp_path: Path
    ) -> None:
        """The shipped prompt shows none, and then none counts; a prompt of one's own makes another judge."""
        prompt = tmp_path / "mine.toml"
        prompt.write_text(PROMPT)
        words = ("audit", "certify", "--judge", "far", file, "--json", "--solutions", solutions)
        with FaultServer(self.reply) as server:
            settings(server)
            plain = on(*words)
            assert (plain.json["with_gold"], plain.json["solutions_sha"]) == (0, None)
            assert "does not show {solution}" in plain.err
            own = on(*words, "--prompt", prompt)
            assert own.json["with_gold"] == 3
            assert own.json["prompt_sha"] != plain.json["prompt_sha"]
            shown = [request.prompt for request in server.completed if request.prompt.startswith("Q: ")]
            assert sum("<<48/2=24>>" in prompt for prompt in shown) == 4
            assert sum("G: (none)" in prompt for prompt in shown) == 1

    def test_what_stops_it(
        self, on: Call, settings: Callable[[FaultServer], None], file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A missing key before a request, a limit and an outage after; nothing is kept as a certificate."""
        words = ("audit", "certify", "--judge", "far", file)
        with FaultServer(self.reply, faults=lambda _: status(422, "no such thing")) as server:
            settings(server)
            ended = on(*words)
            assert (ended.code, ended.out) == (1, "")
            assert "refuses every call" in ended.err
            assert on(*words, "--max-cost", "0.0000001").code == 1
            asked = len(server.requests)
            monkeypatch.delenv("FAR_KEY")
            ended = on(*words)
            assert "$FAR_KEY, which is not set" in ended.err
            assert len(server.requests) == asked
        assert on("audit", "certificates", "--json").json == {"certificates": []}
