"""GPUs on the screens of runs, by a program that says what it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from bswirl.project import Project
from bswirl.records import Run
from bswirl.runs.folder import RunFolder
from bswirl.runs.locks import FileLock, this_process
from bswirl_tui import gpus
from bswirl_tui.gpus import Gpu, read_gpus
from bswirl_tui.usage import MachineUse, WorkerUse
from bswirl_tui.widgets import gpu_panel
from bswirl_tui.widgets.gpu_panel import GpuPanel, gpu_line, machine_line
from tests.tui.driving import NARROW, WIDE, opened, press, shown, until
from tests.tui.plain import COLOURS

TWO = (
    "0, NVIDIA H200, 93, 81920, 143771, 61, 512.30\n1, [/foo] \x1b[31mred, [N/A], 10, 143771, [N/A], [N/A]\n"
)


class Program:
    """A `nvidia-smi` in a folder that comes first on the path."""

    def __init__(self, folder: Path) -> None:
        self._says = folder / "says"
        self._calls = folder / "calls"
        self._calls.write_text("")
        self.say(TWO)
        program = folder / "nvidia-smi"
        program.write_text(f'#!/bin/sh\necho "$@" >> {self._calls}\ncat {self._says}\n')
        program.chmod(0o755)

    def say(self, words: str) -> None:
        self._says.write_text(words)

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(gpu_panel, "EVERY_SECONDS", 0.2)
    return Program(folder)


class TestReading:
    """What the program says."""

    def test_numbers_and_what_is_unknown(self, program: Program) -> None:
        first, second = read_gpus() or ()
        assert first == Gpu(0, "NVIDIA H200", 93.0, 81920.0, 143771.0, 61.0, 512.3)
        assert (second.busy, second.degrees) == (None, None)
        assert "--query-gpu=index,name,utilization.gpu,memory.used,memory.total" in program.calls[0]

    @pytest.mark.parametrize("words", ["", "No devices were found\n", "a, b\n", "x, 1, 2, 3, 4, 5, 6\n"])
    def test_no_gpu(self, program: Program, words: str) -> None:
        program.say(words)
        assert read_gpus() == ()

    def test_a_program_that_fails(self, program: Program, tmp_path: Path) -> None:
        """As where its driver is not loaded."""
        (tmp_path / "bin" / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
        assert read_gpus() == ()

    def test_one_of_several_is_lost(self, program: Program, tmp_path: Path) -> None:
        """The others are told of, and the program fails."""
        (tmp_path / "bin" / "nvidia-smi").write_text(
            f"#!/bin/sh\ncat {tmp_path / 'bin' / 'says'}\n"
            "echo 'Unable to determine the device handle for GPU2: 0000:3B:00.0: GPU is lost.'\nexit 15\n"
        )
        assert [gpu.index for gpu in read_gpus() or ()] == [0, 1]

    @pytest.mark.parametrize(
        "cell", ["[N/A]", "[Not Supported]", "[Insufficient Permissions]", "ERR!", "nan", "inf"]
    )
    def test_no_number(self, program: Program, cell: str) -> None:
        """As of a GPU in MIG mode, whose use no one knows as a whole."""
        program.say(f"0, NVIDIA A100-SXM4-40GB, {cell}, 417, 40536, 34, {cell}\n")
        (gpu,) = read_gpus() or ()
        assert (gpu.busy, gpu.used, gpu.watts) == (None, 417.0, None)
        assert "? " in gpu_line(gpu, COLOURS, 120).plain

    async def test_a_program_that_hangs(
        self, shared: Project, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """That there is no GPU is more than anybody knows."""
        monkeypatch.setattr(gpus, "_SECONDS", 0.05)
        (tmp_path / "bin" / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 60\n")
        assert read_gpus() is None
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "v")
            await until(pilot, lambda: "GPU: nvidia-smi does not answer" in shown(pilot))
            assert "No GPU here" not in shown(pilot)

    def test_without_the_program(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert read_gpus() == ()


class TestPanel:
    """A line a GPU above the runs."""

    @pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
    async def test_is_shown_and_follows(
        self, shared: Project, program: Program, size: tuple[int, int]
    ) -> None:
        async with opened(shared, size) as pilot:
            await press(pilot, "v")
            await until(pilot, lambda: "GPU 0" in shown(pilot))
            seen = shown(pilot)
            assert "93% busy" in seen
            assert "80.0 of 140.4 GB" in seen
            assert "GPU 1 [/foo]" in seen
            assert "\x1b" not in seen
            program.say(TWO.replace("93", "7"))
            await until(pilot, lambda: "7% busy" in shown(pilot))
            program.say("")
            await until(pilot, lambda: "No GPU here" in shown(pilot))
            assert "GPU 0" not in shown(pilot)

    async def test_asks_only_while_it_is_in_sight(self, shared: Project, program: Program) -> None:
        """Not on the main screen, and not below another screen."""
        async with opened(shared) as pilot:
            assert program.calls == []
            await press(pilot, "v")
            await until(pilot, lambda: len(program.calls) >= 2)
            await press(pilot, "x", "u")
            before = len(program.calls)
            await pilot.pause(0.8)
            assert len(program.calls) <= before + 1  # one may have been under way
            await press(pilot, "escape", "escape")
            before = len(program.calls)
            await pilot.pause(0.8)
            assert len(program.calls) <= before + 1

    async def test_without_a_gpu_it_says_so(
        self, shared: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Among the runs; a run that has ended needs no such line."""
        monkeypatch.setenv("PATH", str(tmp_path))
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "v")
            assert shown(pilot).splitlines()[1].rstrip() == " No GPU here: runs work on the CPU"
            await press(pilot, "enter")
            assert not pilot.app.screen.query_one(GpuPanel).display

    async def test_without_a_gpu_it_shows_the_worker(
        self, shared: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Here this very process is taken for one that computes."""
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(gpu_panel, "EVERY_SECONDS", 0.2)
        folder = tmp_path / "run"
        folder.mkdir()
        lock = FileLock(RunFolder(folder).lock_file)
        assert lock.acquire(this_process())
        run = Run(7, "7", "train", "demo", "running", {}, str(folder))
        async with opened(shared, NARROW) as pilot:
            await press(pilot, "v")
            panel = pilot.app.screen.query_one(GpuPanel)
            monkeypatch.setattr(panel, "_live", lambda: [run])
            await until(pilot, lambda: panel.use is not None and panel.use.workers[0].cores is not None)
            assert panel.use is not None
            assert panel.use.workers[0].memory > 0
            assert "No GPU here  run 7 " in shown(pilot)
            lock.release()
            await until(pilot, lambda: panel.use is not None and panel.use.workers == ())

    def test_lines_of_80_cells(self) -> None:
        """One worker fits whole."""
        use = MachineUse(16, 12.5, 128.0, (WorkerUse(12, 15.2, 1.9),))
        words = machine_line(use, COLOURS).plain
        assert words == " No GPU here  run 12 15.2 of 16 cores, 1.9 GB  machine 12.5 of 128.0 GB"
        assert len(words) <= 80

    @pytest.mark.parametrize("width", [60, 80, 100, 200])
    def test_line_without_numbers(self, width: int) -> None:
        """A driver may know nothing but the name."""
        words = gpu_line(Gpu(0, "Tesla", None, None, None, None, None), COLOURS, width).plain
        assert "memory unknown" in words
