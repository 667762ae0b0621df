"""Keys of one's own: what works, what is refused and where, and that everything follows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key
from textual.pilot import Pilot

from bswirl.client import Client
from bswirl.errors import ExitCode, InputError
from bswirl.project import Project, load_settings
from bswirl_tui import actions, keymap
from bswirl_tui.app import BswirlApp
from bswirl_tui.screens.dialogs import Choose, Confirm, Problem
from bswirl_tui.screens.reader import Reader
from bswirl_tui.sitting import Sitting
from tests.cli.conftest import Call, call
from tests.tui.driving import main_screen, opened, press, says, shown, until

__all__ = ["call"]  # a fixture


@pytest.fixture(autouse=True)
def usual_keys() -> Iterator[None]:
    """The registry as it was."""
    yield
    actions.use(actions.DEFAULTS)


def settings(project: Project, *lines: str) -> int:
    """Adds a table [keys] to the settings; the line of its first entry."""
    text = project.settings_file.read_text()
    project.settings_file.write_text(text + "\n[keys]\n" + "\n".join(lines) + "\n")
    return text.count("\n") + 3


class TestRefused:
    """Before the app opens, with the line."""

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('"label.goood" = "x"', "the app has no action `label.goood` — did you mean `label.good`?"),
            ('"label.good" = "j"', "`j` for `label.good` is a key of `move.down` in the same place"),
            ('"label.good" = "0"', "a key of `label.bad`"),
            ('"tree.backbone" = "?"', "a key of `app.help`"),
            ('"label.good" = "hyper+x"', "that is no key"),
            ('"label.good" = "\\u0007"', "that is no key"),
            ('"label.good" = "ctrl+"', "that is no key"),
            ('"label.good" = 1', "a text or a list of texts"),
            ('"label.good" = []', "a text or a list of texts"),
            ('"compare.pick" = "a"', "digits that count"),
            ('"label.good" = "ctrl+1"', "terminals send no `^1`"),
            ('"label.good" = "shift+slash"', "terminals send no `shift+/`"),
            ('"label.good" = "ctrl+shift+x"', "terminals send no `^shift+x`"),
            ('"label.good" = "ctrl+i"', "`tab` for `label.good` is a key of `view.next_pane`"),
            ('"view.tour" = ["^b", "ctrl+B", "^L"]', "`^l` for `view.tour` is a key of `app.refresh`"),
        ],
    )
    def test_with_file_and_line(self, tmp_path: Path, line: str, words: str) -> None:
        project = Project.create(tmp_path / "p")
        number = settings(project, line)
        with pytest.raises(InputError) as refused:
            keymap.mapped(load_settings(project).keys)
        assert f"{project.settings_file}, line {number}" in str(refused.value)
        assert words in str(refused.value)

    def test_same_key_in_two_lines(self, tmp_path: Path) -> None:
        project = Project.create(tmp_path / "p")
        settings(project, '"label.good" = "x"', '"label.bad" = "x"')
        with pytest.raises(InputError, match="line"):
            keymap.mapped(load_settings(project).keys)

    def test_what_cannot_be_mapped_is_not_offered(self, tmp_path: Path) -> None:
        """A digit that counts stays one."""
        project = Project.create(tmp_path / "p")
        settings(project, '"label.unsure" = "2"')
        with pytest.raises(InputError) as refused:
            keymap.mapped(load_settings(project).keys)
        assert "is a key of `compare.pick`" in refused.value.message
        assert refused.value.remedy == "give `label.unsure` another key"

    async def test_app_says_so_and_has_the_usual_keys(self, project: Project) -> None:
        """Nobody is locked out."""
        settings(project, '"label.good" = "j"', '"label.bad" = "x"')
        async with opened(project) as pilot:
            assert isinstance(pilot.app.screen, Problem)
            assert "is a key of `move.down`" in pilot.app.screen._error.message
            assert "That did not work" in shown(pilot)
            await press(pilot, "enter")
            assert "0 bad" in says(pilot)


class TestUnreadSettings:
    """Keys that cannot be read are missed, whatever else is wrong in the file."""

    @pytest.mark.parametrize(
        "wrong",
        ['[audit]\nslice = "x"\n[keys]\n"label.good" = "0"\n', "keys = 3\n", '[keys]\n"label.bad" = []\n'],
    )
    def test_whatever_the_mistake(self, tmp_path: Path, wrong: str) -> None:
        project = Project.create(tmp_path / "p")
        project.settings_file.write_text(wrong)
        problem = BswirlApp(project, "alice")._keys_problem
        assert problem is not None
        assert "bswirl.toml, line" in problem.message

    async def test_app_says_so_where_the_owner_runs(self, project: Project, bob: Client) -> None:
        """It reads no settings any more, and who labels was said on the command line."""
        text = project.settings_file.read_text()
        project.settings_file.write_text(text + '\n[audit]\nslice = "x"\n')
        async with opened(project) as pilot:
            assert isinstance(pilot.app.screen, Problem)
            assert "[audit]: `slice`" in pilot.app.screen._error.message
        project.settings_file.write_text(text)

    async def test_mended_keys_hold_once_the_owner_answers(self, project: Project) -> None:
        """Where the same mistake had kept it away; nobody starts the app anew."""
        project.settings_file.write_text('auditor = 3\n[keys]\n"app.help" = "f2"\n')
        async with opened(project, auditor=None) as pilot:
            await until(pilot, lambda: isinstance(pilot.app.screen, Problem))
            await press(pilot, "enter")
            assert len(pilot.app.screen_stack) == 1
            project.settings_file.write_text('[keys]\n"app.help" = "f2"\n')
            await until(pilot, lambda: "f2 help" in says(pilot))


class TestAllowed:
    """What people write for a key, and keys that change places."""

    @pytest.mark.parametrize(
        ("written", "key"),
        [("x", "X"), ("?", "?"), ("+", "+"), ("^x", "^x"), ("ctrl+x", "^x"), ("F2", "f2"), ("esc", "esc"),
         ("space", "space"), ("question_mark", "?"), ("pgdn", "pgdn"), ("ä", "ä")],
    )  # fmt: skip
    def test_names(self, written: str, key: str) -> None:
        found, *_ = keymap._keys(written, "here")
        assert actions.display_key(found).lower() == key.lower()

    @pytest.mark.parametrize(
        ("written", "sent"),
        [("^X", "\x18"), ("shift+d", "D"), ("ctrl+J", "\n"), ("ctrl+/", "\x1f"), ("ctrl+space", "\x00"),
         ("ctrl+i", "\t"), ("ctrl+m", "\r"), ("ctrl+h", "\x08"), ("ctrl+[", "\x1b"), ("ctrl+@", "\x00"),
         ("alt+X", "\x1bX"), ("alt+f", "\x1bf"), ("shift+ctrl+left", "\x1b[1;6D"), ("^X", "\x1b[120;5u"),
         ("ctrl+/", "\x1b[47;5u"), ("ctrl+i", "\x1b[105;5u"), ("shift+d", "\x1b[100;2;68u")],
    )  # fmt: skip
    def test_names_are_those_of_what_terminals_send(self, written: str, sent: str) -> None:
        """The old ones, and those that tell every key apart."""
        parser = XTermParser()
        told = [event.key for event in (*parser.feed(sent), *parser.feed("")) if isinstance(event, Key)]
        assert set(told) <= set(keymap._keys(written, "here"))
        assert len(told) == 1

    def test_two_actions_change_places(self, tmp_path: Path) -> None:
        project = Project.create(tmp_path / "p")
        settings(project, '"label.good" = "0"', 'label.bad = ["1", "f2"]')
        BswirlApp(project)
        assert actions.spec("label.good").keys == ("0",)
        assert actions.spec("label.bad").keys == ("1", "f2")

    def test_places_know_every_context(self) -> None:
        contexts = {context for spec in actions.DEFAULTS for context in spec.contexts}
        assert frozenset().union(*keymap.PLACES) <= contexts


def labelled(pilot: Pilot[int]) -> bool:
    """Whether the step under the cursor has a label."""
    action = main_screen(pilot).tree_view.action_here
    return action is not None and action.label is not None


async def test_everything_follows(project: Project) -> None:
    """Key, footer, help and hints; the old key does nothing any more."""
    settings(project, '"label.good" = "ctrl+g"', '"app.help" = "f2"', '"screen.back" = "f4"')
    async with opened(project) as pilot:
        assert "^g good" in says(pilot)
        assert "f2 help" in says(pilot)
        await press(pilot, "j", "1")
        assert not labelled(pilot)
        await press(pilot, "r")
        assert "^g, 0 or u sets one, R one with a reason" in says(pilot)
        await press(pilot, "enter")
        assert "0 and ^g label it" in shown(pilot)
        await press(pilot, "q", "ctrl+g")
        await until(pilot, lambda: labelled(pilot))
        await press(pilot, "question_mark")
        assert len(pilot.app.screen_stack) == 1
        await press(pilot, "f2")
        assert isinstance(pilot.app.screen, Reader)
        assert "^g" in pilot.app.screen.plain
        assert "f4 closes" in shown(pilot)
        await press(pilot, "f4")
        assert len(pilot.app.screen_stack) == 1


def test_words_name_the_keys_that_hold(tmp_path: Path) -> None:
    """In the hints of windows, and where a key is not taken."""
    project = Project.create(tmp_path / "p")
    settings(
        project, '"audit.good" = "y"', '"audit.undo" = "z"', '"screen.back" = "f4"', '"move.choose" = "f6"'
    )
    BswirlApp(project)
    assert Confirm("Sure?", "Yes or no.")._hint.endswith("n or f4: no")
    assert Choose("Which?", [])._hint.startswith("f6 chooses")
    said: list[str] = []
    voted = SimpleNamespace(takes=lambda: True, looked_at=object(), _said=said.append)
    assert not Sitting.vote(voted, "skip")  # type: ignore[arg-type]
    assert said == ["A skip is not taken here: y, 0 or u votes anew, z undoes."]


def test_keys_command(call: Call, tmp_path: Path) -> None:
    """Lists what holds in the project; without a project the usual keys."""
    project = Project.create(tmp_path / "p")
    settings(project, '"label.good" = ["x", "?"]', '"app.help" = "f1"', '"run.new" = "X"')
    found = {entry["action"]: entry for entry in call("-p", project.root, "keys", "--json").json["actions"]}
    assert found["label.good"]["keys"] == ["x", "?"]
    assert found["label.bad"]["keys"] == ["0"]
    assert len(found) == len(actions.DEFAULTS)
    said = call("-p", project.root, "keys")
    assert "x ?" in said.out
    assert "label.good" in said.out
    settings(Project.create(tmp_path / "q"), '"nothing" = "x"')
    assert call("-p", tmp_path / "q", "keys").code == ExitCode.BAD_INPUT
    assert call("keys").code == 0
