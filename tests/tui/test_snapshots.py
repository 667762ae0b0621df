"""Every screen as a picture, at 80×24 and 200×50. `pytest --snapshot-update` takes new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from bswirl.client import connect
from bswirl.errors import BswirlError
from bswirl.launch import forecast as launch_forecast
from bswirl.project import Project
from bswirl.selections import Selection
from bswirl_tui import glyphs, inspection, runs_text
from bswirl_tui.app import BswirlApp
from bswirl_tui.gpus import Gpu
from bswirl_tui.screens.run_form import RunForm
from bswirl_tui.themes import LIGHT
from bswirl_tui.widgets import gpu_panel
from tests.tui import content, evaluated
from tests.tui.driving import NARROW, WIDE, press, settled, shown, typed, until
from tests.tui.test_rounds import record as rounds_record
from tests.tui.trained import trained

Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def _fixed_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs were made five minutes ago and took one, whenever the pictures are taken."""
    monkeypatch.setattr(runs_text, "moment", lambda stamp: "2026-01-02 03:04" if stamp else "")
    monkeypatch.setattr(runs_text, "age", lambda stamp, now: "5m")
    monkeypatch.setattr(runs_text, "took", lambda run: "1m 00s")
    monkeypatch.setattr(runs_text, "_input_words", lambda config: "2 rows, sha256 0123456789ab")
    monkeypatch.setattr(launch_forecast, "_shape", lambda spec: None)  # whether or not its files are here


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with labels, one of them in dispute."""
    project = Project.create(tmp_path_factory.mktemp("labelled") / "pens")
    with connect(project, auditor="alice") as alice, connect(project, auditor="bob") as bob:
        content.fill(alice)
        actions = alice.tree("shop:q00").actions
        alice.set_label(actions[0].action_id, "0")
        bob.set_label(actions[0].action_id, "1")
        alice.set_label(actions[1].action_id, "1")
        alice.set_label(actions[2].action_id, "unsure")
        yield project
        alice.stop_owner()


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project in which a judge's votes decide."""
    folder = tmp_path_factory.mktemp("voted")
    project = Project.create(folder / "pens")
    with connect(project, auditor="alice") as alice:
        content.fill(alice)
        content.voted(project, alice, folder / "judge", "shop:q00")
        yield project
        alice.stop_owner()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with two evaluations."""
    folder = tmp_path_factory.mktemp("measured")
    project = Project.create(folder / "pens")
    with connect(project, auditor="alice") as client:
        content.fill(client)
        evaluated.evaluation(client, folder / "a", "demo", evaluated.BEFORE, number=1)
        evaluated.evaluation(client, folder / "b", "demo@7", evaluated.AFTER, number=2)
        yield project
        client.stop_owner()


@pytest.fixture(scope="module")
def trained_twice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with two training runs."""
    folder = tmp_path_factory.mktemp("trained")
    project = Project.create(folder / "pens")
    with connect(project, auditor="alice") as client:
        content.fill(client)
        trained(client, folder / "one", 1)
        trained(client, folder / "two", 2)
        yield project
        client.stop_owner()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with samples that have tokens."""
    folder = tmp_path_factory.mktemp("fresh")
    project = Project.create(folder / "pens")
    with connect(project, auditor="alice") as client:
        content.fill(client)
        content.sampled_tokens(client, folder / "run")
        yield project
        client.stop_owner()


def pressing(*keys: str, words: str = "") -> Callable[[Pilot[Any]], Any]:
    """What to do before the picture is taken: press keys, wait for words."""

    async def before(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await press(pilot, *keys)
        await until(pilot, lambda: words in shown(pilot))

    return before


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
class TestScreens:
    """What a person sees."""

    def test_main(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """On opening, without a key press."""
        app = BswirlApp(shared, "alice")
        assert snap_compare(app, terminal_size=size, run_before=pressing())

    def test_gold_solution(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """With the gold solution, two steps on."""
        app = BswirlApp(shared, "alice")
        assert snap_compare(app, terminal_size=size, run_before=pressing("j", "j", "s"))

    def test_comparison(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """A group's candidates side by side, what differs marked, with their log-prob shifts."""
        app = BswirlApp(shared, "alice")
        before = pressing("J", "enter", "w", words="0.50")
        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_judges_words(
        self, voted: Project, snap_compare: Compare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A judge's prompt and its raw reply, over a comparison with votes."""
        monkeypatch.setattr(inspection, "moment", lambda stamp: "2026-01-02 03:04")
        app = BswirlApp(voted, "alice")
        before = pressing("enter", "i", words="sha256")
        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_tokens(self, fresh: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """The tokens of one of a step's samples, shaded, in a table, and the least likely ones."""
        app = BswirlApp(fresh, "alice")
        before = pressing("p", "right_square_bracket", words="sample 3 of 5")
        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_search(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """Steps with the words searched for."""
        app = BswirlApp(shared, "alice")
        before = pressing("slash", "s", "a", "l", "e", "enter", words="sale")
        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_runs(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """The list of runs."""
        app = BswirlApp(shared, "alice")
        assert snap_compare(app, terminal_size=size, run_before=pressing("v"))

    def test_training_run(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """With its curves."""
        app = BswirlApp(shared, "alice")
        before = pressing("v", "j", "enter", words="+1.92")
        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_evaluation_run(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """With its answers."""
        app = BswirlApp(shared, "alice")
        before = pressing("v", "enter", words="66.7%")
        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_curves(self, trained_twice: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """Two runs over each other, smoothed, with the cursor in the middle."""
        app = BswirlApp(trained_twice, "alice")

        async def before(pilot: Pilot[Any]) -> None:
            await pressing("V", words="newest step")(pilot)
            await press(pilot, "r", "j", "space", "enter")
            await until(pilot, lambda: "B 2" in shown(pilot))
            await press(pilot, "s", "tab", "tab", "H", "H")

        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_moved(self, trained_twice: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """The actions behind a point of the shift curve."""
        app = BswirlApp(trained_twice, "alice")

        async def before(pilot: Pilot[Any]) -> None:
            await pressing("V", words="newest step")(pilot)
            await press(pilot, "tab", "m")
            await until(pilot, lambda: "probe at step" in shown(pilot))

        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_help(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """The keys of the main screen."""
        app = BswirlApp(shared, "alice")
        assert snap_compare(app, terminal_size=size, run_before=pressing("question_mark"))

    def test_generate_form(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """With every setting."""
        app = BswirlApp(shared, "alice")
        before = pressing("x", "g", "ctrl+o", words="$ bswirl generate --policy demo")
        assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
class TestRunScreens:
    """Starting runs, and what came of them."""

    def test_evaluations(self, measured: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """Side by side."""
        before = pressing("M", "j", words="18.8")
        app = BswirlApp(measured, "alice")
        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_comparison(self, measured: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """What changed between two."""
        before = pressing("M", "j", "space", "k", "enter", words="McNemar")
        app = BswirlApp(measured, "alice")
        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_both_answers(self, measured: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """To a question that was fixed."""
        before = pressing("M", "j", "space", "k", "enter", "j", "enter", words="gold")
        app = BswirlApp(measured, "alice")
        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_runs_with_gpus(
        self, measured: Project, snap_compare: Compare, size: tuple[int, int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        """How busy they are, above the runs."""
        gpus = (
            Gpu(0, "NVIDIA H200", 93.0, 81920.0, 143771.0, 61.0, 512.3),
            Gpu(1, "NVIDIA H200", 0.0, 4.0, 143771.0, 30.0, 75.0),
        )
        monkeypatch.setattr(gpu_panel, "has_gpu_tool", lambda: True)
        monkeypatch.setattr(gpu_panel, "read_gpus", lambda: gpus)
        app = BswirlApp(measured, "alice")
        assert snap_compare(app, terminal_size=size, run_before=pressing("v", words="93% busy"))

    @pytest.mark.parametrize("keys", [("v",), ("v", "enter")], ids=["list", "screen"])
    def test_rounds(
        self, project: Project, snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...]
    ) -> None:
        """Over their runs, and by themselves."""
        rounds_record(project, status="cancelled", stopped="cancelled", ended="2026-03-01T11:20:00.000Z")
        app = BswirlApp(project, "alice")
        assert snap_compare(app, terminal_size=size, run_before=pressing(*keys, words="cancelled"))

    def test_log_searched(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """The line that was found is marked."""

        async def before(pilot: Pilot[Any]) -> None:
            await pressing("v", "j", "enter", words="+1.92")(pilot)
            await press(pilot, "tab", "slash")
            await typed(pilot, "step 2")
            await press(pilot, "enter")
            await until(pilot, lambda: "▸" in shown(pilot))

        app = BswirlApp(shared, "alice")
        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_clone(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """The form filled with a training run's settings."""
        before = pressing("v", "j", "C", words="--policy demo")
        app = BswirlApp(shared, "alice")
        assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose every step was drawn and labelled, with one conflict."""
    project = Project.create(tmp_path_factory.mktemp("audited") / "pens")
    with connect(project, auditor="alice") as alice, connect(project, auditor="bob") as bob:
        content.fill(alice)
        content.audit_all(alice)
        bob.set_label(1, "0", reason="no progress")
        yield project
        alice.stop_owner()


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
class TestAudit:
    """The queue and what comes of it."""

    def test_setup(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """The orders, and what is mixed in."""
        before = pressing("a", "j", words="closest to a tie")
        assert snap_compare(BswirlApp(shared, "alice"), terminal_size=size, run_before=before)

    def test_queue(self, project: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """A step to judge, and what the judge said of the one before."""
        with project.settings_file.open("a") as file:
            file.write("\n[audit]\nslice = 0.0\nrepeats = 0.0\n")
        before = pressing("a", "G", "enter", "r", "2", "1", "1", "0", "c", "1", words="turned 1 of 3")
        assert snap_compare(BswirlApp(project, "alice"), terminal_size=size, run_before=before)

    def test_report(self, audited: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """Rates, the confusion matrix, auditors, effects."""
        before = pressing("A", words="kappa")
        assert snap_compare(BswirlApp(audited, "alice"), terminal_size=size, run_before=before)

    def test_conflicts(self, audited: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """Both sides of one."""
        before = pressing("C", words="bob · not good")
        assert snap_compare(BswirlApp(audited, "alice"), terminal_size=size, run_before=before)


class TestVariants:
    """The same under other circumstances."""

    def test_empty_project(self, empty: Project, snap_compare: Compare) -> None:
        """It says what to do."""
        assert snap_compare(BswirlApp(empty, "alice"), run_before=pressing())

    def test_choice(self, shared: Project, snap_compare: Compare) -> None:
        """A dialog over the main screen."""
        assert snap_compare(BswirlApp(shared, "alice"), run_before=pressing("f"))

    def test_labels(self, labelled: Project, snap_compare: Compare) -> None:
        """Labels, and auditors who disagree."""
        assert snap_compare(BswirlApp(labelled, "alice"), run_before=pressing("E"))

    def test_certificate(self, project: Project, snap_compare: Compare) -> None:
        """What is certified of the judge, below its verdict."""
        with connect(project, auditor="alice") as alice:
            alice.add_certificate(content.certificate())
        assert snap_compare(BswirlApp(project, "alice"), terminal_size=(120, 40), run_before=pressing())

    def test_training_form(self, project: Project, snap_compare: Compare) -> None:
        """With a saved selection chosen, what it leaves, and what the run would be."""
        with connect(project, auditor="alice") as alice:
            alice.save_selection("good", Selection(filter="process"))

        async def before(pilot: Pilot[Any]) -> None:
            await pressing("x", "t")(pilot)
            form = pilot.app.screen
            assert isinstance(form, RunForm)
            policy, selection = form.field("policy"), form.field("selection")
            assert policy is not None
            assert selection is not None
            policy.fill("smollm2")
            selection.fill("good")
            selection.editor.focus()
            await until(pilot, lambda: "live" in selection.about)
            await press(pilot, "ctrl+t")
            await until(pilot, lambda: "memory" in shown(pilot))

        assert snap_compare(BswirlApp(project, "alice"), terminal_size=(120, 40), run_before=before)

    def test_light_theme(self, shared: Project, snap_compare: Compare) -> None:
        """Dark on light."""
        app = BswirlApp(shared, "alice")
        app.theme = LIGHT
        assert snap_compare(app, terminal_size=(120, 30), run_before=pressing())

    def test_tokens_without_colour(
        self, fresh: Project, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In plain ASCII, signs shade."""
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setattr(glyphs, "_active", glyphs.ASCII)
        app = BswirlApp(fresh, "alice")
        before = pressing("p", "right_square_bracket", words="sample 3 of 5")
        assert snap_compare(app, terminal_size=(100, 40), run_before=before)

    @pytest.mark.parametrize("signs", [glyphs.UNICODE, glyphs.ASCII], ids=["unicode", "ascii"])
    def test_curves_without_colour(
        self,
        trained_twice: Project,
        snap_compare: Compare,
        monkeypatch: pytest.MonkeyPatch,
        signs: glyphs.Glyphs,
    ) -> None:
        """Letters, shapes and shades tell lines apart."""
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setattr(glyphs, "_active", signs)

        async def before(pilot: Pilot[Any]) -> None:
            await pressing("V", words="newest step")(pilot)
            await press(pilot, "r", "j", "space", "enter", "tab", "tab", "enter", "H", "H")
            await until(pilot, lambda: "Bn" in shown(pilot))

        app = BswirlApp(trained_twice, "alice")
        assert snap_compare(app, terminal_size=(100, 30), run_before=before)

    def test_no_color(self, shared: Project, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every fact without colour."""
        monkeypatch.setenv("NO_COLOR", "1")
        app = BswirlApp(shared, "alice")
        assert snap_compare(app, terminal_size=(120, 30), run_before=pressing())


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
class TestWays:
    """What the way through the app looks like."""

    def test_from_a_list(self, labelled: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """A step opened from the conflicts: the foot says where escape leads."""
        app = BswirlApp(labelled, "alice")
        before = pressing("C", "enter", words="back to conflicts")
        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_problems(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """Failures in the background, one of them again and again."""
        app = BswirlApp(shared, "alice")

        async def before(pilot: Pilot[Any]) -> None:
            await settled(pilot)
            for _ in range(3):
                app.tell_problem(BswirlError("the log cannot be read", "look at the disk"))
            app.tell_problem(BswirlError("the owner went away", "any key that needs it starts another"))
            await settled(pilot)

        assert snap_compare(app, terminal_size=size, run_before=before)

    def test_long_message(self, shared: Project, snap_compare: Compare, size: tuple[int, int]) -> None:
        """At the foot, whole."""
        app = BswirlApp(shared, "alice")

        async def before(pilot: Pilot[Any]) -> None:
            await settled(pilot)
            app.warn(
                "A message that is longer than a line of a small terminal is shown whole: " + "on and on " * 9
            )
            await settled(pilot)

        assert snap_compare(app, terminal_size=size, run_before=before)
