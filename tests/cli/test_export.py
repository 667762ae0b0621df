"""`bswirl export adapter`, and the documentation's way to load what it writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from bswirl.cli.reference import DOCS
from bswirl.exporting.trained import read_trained
from bswirl.policies.base import SampleRequest
from bswirl.policies.catalogue import PolicySpec
from bswirl.policies.local import LocalPolicy, load_model
from bswirl.project import Project
from bswirl.runs.folder import RunFolder
from tests.cli.conftest import Call
from tests.exporting.kit import make_run, save_adapter
from tests.tiny import save_tiny_policy


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_policy(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def run(base: Path, tmp_path: Path) -> RunFolder:
    """A run's folder that belongs to no project."""
    made = make_run(tmp_path / "copied", PolicySpec("mine", str(base)))
    save_adapter(made.adapter)
    return made


class TestExportAdapter:
    def test_of_a_run_folder_needs_no_project(
        self, call: Call, run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By a path, relative as well; words go to stderr."""
        monkeypatch.delenv("BSWIRL_PROJECT", raising=False)
        monkeypatch.chdir(tmp_path)
        said = call("export", "adapter", "./copied", "out")
        assert (said.code, said.out) == (0, "")
        assert "out: the adapter of run 7" in said.err
        assert (tmp_path / "out" / "adapter_config.json").is_file()

    def test_of_a_run_number_is_the_projects(
        self, on: Call, project: Project, base: Path, tmp_path: Path
    ) -> None:
        """Both forms, as one JSON object."""
        made = make_run(project.run_folder(7), PolicySpec("mine", str(base)))
        save_adapter(made.adapter)
        adapter = on("export", "adapter", 7, tmp_path / "a", "--json").json
        merged = on("export", "adapter", 7, tmp_path / "m", "--merged", "--dtype", "bfloat16", "--json").json
        assert (adapter["form"], adapter["run"], adapter["base"]) == ("adapter", "run 7", str(base))
        assert (merged["form"], merged["dtype"]) == ("merged", "bfloat16")
        assert set(merged["files"]) == {path.name for path in (tmp_path / "m").iterdir()}

    def test_refusals_are_one_line(self, on: Call, run: RunFolder, tmp_path: Path) -> None:
        """No such run, no adapter, a folder that is taken, a format that does not exist."""
        full = tmp_path / "full"
        (full / "x").mkdir(parents=True)
        for words, code, part in [
            (("adapter", 99, tmp_path / "o"), 3, "there is no run 99"),
            (("adapter", tmp_path / "nowhere", tmp_path / "o"), 3, "is no run folder"),
            (("adapter", run.path, tmp_path / "o", "--best"), 3, "has kept no best adapter"),
            (("adapter", run.path, full), 3, "is not empty"),
            (("onnx", tmp_path / "o"), 2, "onnx"),
        ]:
            said = on("export", *words)
            assert (said.code, said.err.count("\n")) == (code, 1), said.err
            assert part in said.err
        assert not (tmp_path / "o").exists()


class TestTheDocumentedWay:
    def test_its_ten_lines_run(
        self,
        call: Call,
        run: RunFolder,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """The page's own code, on an export in the folder that it names, answers like the policy."""
        (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "export.md").read_text(), flags=re.DOTALL)
        lines = [line for line in code.splitlines() if line.strip()]
        assert len(lines) <= 10
        monkeypatch.chdir(tmp_path)
        assert call("export", "adapter", run.path, "my-adapter").code == 0
        names: dict[str, Any] = {}
        exec(compile(code.replace("max_new_tokens=200", "max_new_tokens=20"), "export.md", "exec"), names)
        answer = capsys.readouterr().out
        spec = PolicySpec("mine", read_trained(run).base, (str(run.adapter),))
        policy = LocalPolicy(spec, load_model(spec, device="cpu", dtype=torch.float32))
        asked = SampleRequest(names["chat"][0]["content"], stop="solution")
        sample = policy.sample([asked], temperature=1.0, max_tokens=20, seed=0, greedy=True)[0][0]
        assert answer == sample.text + "\n"
