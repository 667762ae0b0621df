"""`bswirl import`, `export` and `problems`."""

import json
from pathlib import Path

from bswirl.project import Project
from tests.cli.conftest import Call, branched_lines, gsm8k_lines


class TestImportGsm8k:
    """Importing GSM8K's own JSONL."""

    def test_twice_adds_nothing(self, on: Call, tmp_path: Path) -> None:
        """The second import knows every question."""
        file = tmp_path / "test.jsonl"
        file.write_text(gsm8k_lines(1, 2, 3))
        assert on("import", "gsm8k", file, "--json").json["new"] == 3
        again = on("import", "gsm8k", file, "--json")
        assert (again.code, again.json["new"], again.json["known"]) == (0, 0, 3)
        assert on("stats", "--json").json["questions"] == 3

    def test_bad_lines_stop_no_other(self, on: Call, project: Project, tmp_path: Path) -> None:
        """Bad lines are named with file and line, kept, and the import ends with 0."""
        file = tmp_path / "train.jsonl"
        file.write_text(gsm8k_lines(1) + "nonsense\n" + '{"question": "x"}\n' + gsm8k_lines(4))
        said = on("import", "gsm8k", file)
        assert said.code == 0
        assert f"{file}:2: not JSON" in said.err
        assert f"{file}:3: `answer` is missing" in said.err
        assert "2 lines rejected" in said.err
        assert said.out == ""
        kept = [json.loads(line) for line in next(project.rejects_folder.iterdir()).read_text().splitlines()]
        assert [(row["line"], row["raw"]) for row in kept] == [(2, "nonsense"), (3, '{"question": "x"}')]
        assert on("stats", "--json").json["questions"] == 2

    def test_many_bad_lines_are_counted(self, on: Call, tmp_path: Path) -> None:
        """Only the first few are named."""
        file = tmp_path / "train.jsonl"
        file.write_text(gsm8k_lines(1) + "[1]\n" * 40)
        said = on("import", "gsm8k", file)
        assert said.err.count("not a JSON object") == 5
        assert "40 lines rejected (35 more)" in said.err

    def test_no_good_line(self, on: Call, tmp_path: Path) -> None:
        """A file without a usable line ends with 3."""
        file = tmp_path / "train.jsonl"
        file.write_text("nonsense\n")
        said = on("import", "gsm8k", file)
        assert said.code == 3
        assert "no line could be imported" in said.err

    def test_missing_file_imports_nothing(self, on: Call, tmp_path: Path) -> None:
        """Where one of several files is missing, nothing is imported."""
        file = tmp_path / "test.jsonl"
        file.write_text(gsm8k_lines(1))
        said = on("import", "gsm8k", file, tmp_path / "none.jsonl")
        assert said.code == 3
        assert "none.jsonl: No such file" in said.err
        assert on("stats", "--json").json["questions"] == 0

    def test_dataset_and_split(self, on: Call, tmp_path: Path) -> None:
        """The split comes from the file's name, options go before it."""
        file = tmp_path / "test.jsonl"
        file.write_text(gsm8k_lines(1))
        on("import", "gsm8k", file)
        on("import", "gsm8k", file, "--dataset", "mine", "--split", "validation")
        rows = on("questions", "--json").json["questions"]
        assert [(row["address"], row["split"]) for row in rows] == [
            ("gsm8k:test-1", "test"),
            ("mine:validation-1", "validation"),
        ]

    def test_unknown_format(self, on: Call, tmp_path: Path) -> None:
        """A format that does not exist is wrong usage."""
        assert on("import", "csv", tmp_path / "x").code == 2

    def test_changed_content_is_left_alone(self, on: Call, tmp_path: Path) -> None:
        """A known address with other content is named and not touched."""
        file = tmp_path / "test.jsonl"
        file.write_text(gsm8k_lines(1))
        on("import", "gsm8k", file)
        file.write_text(gsm8k_lines(2))
        said = on("import", "gsm8k", file)
        assert "gsm8k:test-1" in said.err
        assert on("tree", "gsm8k:test-1", "--json").json["question"]["gold"] == "1"


class TestBranched:
    """Importing and exporting the interchange format."""

    def test_round_trip(self, sampled: Call, call: Call, tmp_path: Path) -> None:
        """What was exported, imported into an empty project and exported again, is the same."""
        first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
        sampled("audit", "set", self.first_action(sampled), "0", "--reason", "why")
        assert sampled("export", "branched", first).code == 0
        assert len(first.read_text().splitlines()) == 6
        call("init", tmp_path / "other")
        assert call("-p", tmp_path / "other", "import", "branched", first).code == 0
        assert call("-p", tmp_path / "other", "export", "branched", second).code == 0
        call("-p", tmp_path / "other", "owner", "stop")
        assert second.read_text() == first.read_text()

    def test_export_to_stdout(self, sampled: Call) -> None:
        """`-` writes the rows to stdout and nothing else."""
        said = sampled("export", "branched", "-")
        assert [json.loads(line)["step"] for line in said.out.splitlines()] == [1, 1, 2, 2, 3, 3]
        assert said.err == ""

    def test_importing_again_adds_nothing(self, sampled: Call, tmp_path: Path) -> None:
        """Samples are known by their place."""
        again = sampled("import", "branched", tmp_path / "clips.jsonl", "--json")
        assert (again.code, again.json["new"], again.json["known"]) == (0, 0, 6)

    def test_conflicting_row(self, sampled: Call, tmp_path: Path) -> None:
        """Another action in a place that is taken is rejected with its line."""
        rows = branched_lines().splitlines()
        rows[0] = rows[0].replace("48/2=24", "48/2=25")
        file = tmp_path / "other.jsonl"
        file.write_text("\n".join(rows[:1]) + "\n")
        said = sampled("import", "branched", file)
        assert "other.jsonl:1:" in said.err

    def test_unwritable_file(self, sampled: Call, tmp_path: Path) -> None:
        """An export that cannot be written is one line, and leaves nothing."""
        said = sampled("export", "branched", tmp_path / "none" / "out.jsonl")
        assert said.code == 3
        assert said.err.count("\n") == 1

    @staticmethod
    def first_action(on: Call) -> int:
        return int(on("tree", "clips:q1", "--json").json["actions"][0]["action_id"])


class TestProblems:
    """Writing templated problems."""

    def test_can_be_imported(self, on: Call, tmp_path: Path) -> None:
        """The file is GSM8K-style JSONL with annotated solutions, the same for the same seed."""
        file = tmp_path / "test.jsonl"
        assert on("problems", file, "--seed", "7", "--split", "test", "--count", "5").code == 0
        first = file.read_text()
        assert on("problems", file, "--seed", "7", "--split", "test", "--count", "5").code == 0
        assert file.read_text() == first
        assert "<<" in first
        assert on("import", "gsm8k", file, "--dataset", "mine", "--json").json["new"] == 5
        tree = on("tree", "mine:test-1", "--json").json
        assert tree["question"]["gold"]
