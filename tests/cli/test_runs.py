"""Starting runs and looking after them, with real workers of the reference judge."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bswirl.project import Project
from tests.cli.conftest import Call


def hooked(tmp_path: Path, code: str) -> str:
    """A PYTHONPATH with which workers run `code` before they read their input; `self` is their context."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'bswirl.worker' in sys.orig_argv:\n"
        "    import time\n"
        "    from bswirl.errors import InputError\n"
        "    from bswirl.runs.context import RunContext\n"
        "    real = RunContext.input_rows\n"
        "    def input_rows(self):\n"
        f"{textwrap.indent(code, ' ' * 8)}\n"
        "        yield from real(self)\n"
        "    RunContext.input_rows = input_rows\n"
    )
    return os.pathsep.join([str(hook), str(Path(__file__).parents[2])])


class TestJudge:
    """`bswirl judge` on a branched solution."""

    def test_waits_and_prints_the_summary(self, sampled: Call) -> None:
        """The command ends with the run; all actions have verdicts then, and groups are live."""
        said = sampled("judge", "--judge", "reference")
        assert said.code == 0, said.err
        values = sampled("stats", "--json").json
        assert (values["judged"], values["unjudged"], values["live_groups"]) == (6, 0, 3)
        assert values["runs"]["judge"] == 1

    def test_nothing_left_to_do(self, sampled: Call) -> None:
        """A second time says that there is nothing to do, ends with 0 and makes no run."""
        assert sampled("judge").code == 0
        again = sampled("judge")
        assert again.code == 0
        assert "nothing to do" in again.err
        assert sampled("stats", "--json").json["runs"]["judge"] == 1

    def test_json_is_the_run(self, sampled: Call) -> None:
        """`--json` prints the finished run as one object."""
        run = sampled("judge", "--json").json
        assert (run["kind"], run["status"]) == ("judge", "done")

    def test_detach(self, sampled: Call) -> None:
        """`--detach` prints the number and returns; the run ends by itself."""
        said = sampled("judge", "--detach")
        number = int(said.out)
        deadline = time.monotonic() + 60
        while sampled("runs", "show", number, "--json").json["status"] in ("queued", "running"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert sampled("runs", "show", number, "--json").json["status"] == "done"


class TestNames:
    """Names that do not exist fail with 2, also where there is nothing to do."""

    @pytest.mark.parametrize(
        "words",
        [
            ["judge", "--judge", "nobody"],
            ["generate", "--policy", "nobody"],
            ["train", "--objective", "bswirl", "--policy", "nobody"],
            ["evaluate", "--policy", "nobody"],
            ["evaluate", "--policy", "smollm2@seven"],
            ["generate", "--policy", "smollm2", "--device", "tpu"],
            ["train", "--objective", "bswirl", "--policy", "smollm2", "--split", "test"],
            ["train", "--objective", "bswirl", "--policy", "smollm2", "--lora-r", "0"],
            ["generate", "--policy", "smollm2", "--limit", "0"],
        ],
        ids=" ".join,
    )
    def test_wrong_usage(self, on: Call, project: Project, words: list[str]) -> None:
        """One line, code 2, and no run folder."""
        said = on(*words)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
        assert list(project.runs_folder.iterdir()) == []

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (["runs", "show", "9"], 3),
            (["runs", "logs", "9"], 3),
            (["runs", "cancel", "9"], 3),
            (["runs", "resume", "9"], 3),
            (["runs", "attach", "/nowhere"], 3),
            (["evaluate", "--policy", "smollm2@9"], 3),
            (["worker", "/nowhere"], 3),
            (["judges", "rank", "nobody", "1"], 3),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else None,
    )
    def test_what_is_not_there(self, on: Call, words: list[str], code: int) -> None:
        """A run, folder or judge that is not there is one line."""
        said = on(*words)
        assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)

    def test_compare_needs_an_evaluation(self, sampled: Call) -> None:
        """`--compare` with a run of another kind fails before anything is started."""
        sampled("judge")
        number = sampled("runs", "list", "--kind", "judge", "--json").json["runs"][0]["run_id"]
        said = sampled("evaluate", "--policy", "smollm2", "--compare", number)
        assert said.code == 2
        assert "no finished evaluation" in said.err
        assert sampled("stats", "--json").json["runs"]["evaluate"] == 0


class TestRuns:
    """`bswirl runs`."""

    def test_list_show_logs(self, sampled: Call) -> None:
        """A run is listed, shown with its settings, and its log can be read."""
        number = sampled("judge", "--json").json["run_id"]
        assert "reference" in sampled("runs").out
        shown = sampled("runs", "show", number)
        assert "done, attempt 1" in shown.out
        assert sampled("runs", "show", number, "--json").json["config"]["settings"]["judge"] == "reference"
        log = sampled("runs", "logs", number)
        assert "judge run" in log.out
        assert sampled("runs", "logs", number, "--lines", "1").out.count("\n") == 1
        assert sampled("runs", "logs", number, "--follow").out == log.out

    def test_cancel_and_resume_what_has_ended(self, sampled: Call) -> None:
        """A run that is done can be neither cancelled nor resumed; both say so."""
        number = sampled("judge", "--json").json["run_id"]
        assert "is done already" in sampled("runs", "cancel", number).err
        resumed = sampled("runs", "resume", number)
        assert resumed.code != 0
        assert "is done" in resumed.err

    def test_failed_run(self, sampled: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run that fails ends the command with its error and its code; resumed, it can succeed."""
        with monkeypatch.context() as patch:
            path = hooked(tmp_path, "raise InputError('it broke', 'mend it')")
            patch.setenv("PYTHONPATH", path)
            said = sampled("judge")
        assert said.code == 3
        assert "failed: it broke — mend it" in said.err
        number = sampled("runs", "list", "--json").json["runs"][0]["run_id"]
        assert f"`bswirl runs logs {number}`" in said.err
        assert "it broke" in sampled("runs", "show", number).out
        resumed = sampled("runs", "resume", number, "--json")
        assert (resumed.code, resumed.json["status"], resumed.json["attempt"]) == (0, "done", 2)

    def test_worker_on_a_copied_folder(self, sampled: Call, project: Project, tmp_path: Path) -> None:
        """A folder that was worked on elsewhere comes home with `runs attach`."""
        number = sampled("judge", "--json").json["run_id"]
        away = tmp_path / "away"
        subprocess.run(["cp", "-r", project.run_folder(number), away], check=True)
        said = sampled("runs", "attach", away)
        assert said.code == 0, said.err
        assert f"run {number} is done" in said.err


class TestInterrupt:
    """Ctrl-C while a command waits for its run."""

    def test_cancels_and_says_how_to_resume(self, sampled: Call, project: Project, tmp_path: Path) -> None:
        """SIGINT ends the run and the command with 130; resuming finishes the work."""
        command = [sys.executable, "-m", "bswirl.cli", "-p", str(project.root), "judge"]
        path = hooked(tmp_path, "for _ in range(600):\n    self.check_cancelled()\n    time.sleep(0.05)")
        process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 60
        while not (runs := sampled("runs", "list", "--kind", "judge", "--json").json["runs"]) or (
            runs[0]["status"] != "running"
        ):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        number = runs[0]["run_id"]
        assert process.returncode == 130, err
        assert f"`bswirl runs resume {number}`" in err
        assert sampled("runs", "show", number, "--json").json["status"] == "cancelled"
        assert sampled("runs", "resume", number).code == 0
        assert sampled("stats", "--json").json["judged"] == 6
