"""Terminals that show less: ASCII alone, few colours, inside tmux and screen; and that all can be read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color

from bswirl.project import Project
from bswirl_tui import themes
from bswirl_tui.app import BswirlApp
from bswirl_tui.terminal.kind import drop_unfit_colours, multiplexer, takes_mouse
from bswirl_tui.terminal.plain_ascii import to_ascii
from tests.tui.driving import opened, press
from tests.tui.terminal import ROOT, Terminal
from tests.tui.test_terminal import colour_codes

FIRST = b"Step 1: There are 2*3=6 pens."


def rest(terminal: Terminal) -> None:
    """Reads until nothing comes."""
    while terminal.read(0.4):
        pass


class TestAscii:
    """`--ascii` sends ASCII."""

    def test_every_screen(self, shared: Project) -> None:
        """Tree, candidates, help, palette, choices, forms, runs, a run, search: not one other byte."""
        with Terminal(shared.root, size=(80, 24), options=("--ascii", "--fresh", "--no-tour")) as terminal:
            terminal.wait_for(FIRST)
            keys = "j \r w \x1b ? \x1b : \x1b f \x1b x \x1b v \r \x1b \x1b / pens\r L \x1b T"
            opens = {b"?": b"Keys", b"x": b"New run", b"v": b"Runs", b"T": b"each line is a step"}
            for key in keys.encode().split(b" "):
                rest(terminal)
                terminal.press(key)
                terminal.wait_for(opens.get(key, b""))
            rest(terminal)
            assert terminal.output.isascii()

    @given(st.text())
    def test_as_many_cells(self, text: str) -> None:
        shown = to_ascii(text)
        assert shown.isascii()
        visible = re.sub(r"[\x00-\x1f\x7f]", "", text)
        assert len(re.sub(r"[\x00-\x1f\x7f]", "", shown)) == sum(map(cell_len, visible))

    def test_ascii_is_left_alone(self) -> None:
        assert to_ascii("\x1b[1;2Hplain") == "\x1b[1;2Hplain"
        assert to_ascii("─ 漢 …") == "- ?? ~"

    def test_accents_go_and_meanings_stay(self) -> None:
        """A name is readable; a sign that would mean another thing without its stroke is none."""
        assert to_ascii("José Åse ≠ ½") == "Jose Ase ? ?"
        assert to_ascii("3·4 ‹U+FE0F›") == "3*4 <U+FE0F>"


class TestMultiplexers:
    """What the environment says of tmux and screen."""

    @pytest.mark.parametrize(
        ("environment", "inside"),
        [
            ({"TERM": "xterm-256color"}, ""),
            ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"}, "tmux"),
            ({"TERM": "screen", "TMUX": "x", "STY": "y"}, "tmux"),
            ({"TERM": "screen.xterm-256color", "STY": "1.pts"}, "screen"),
            ({"TERM": "screen-256color"}, "screen"),  # reached by SSH from inside one
        ],
    )
    def test_which(self, environment: dict[str, str], inside: str) -> None:
        assert multiplexer(environment) == inside
        environment["COLORTERM"] = "truecolor"
        drop_unfit_colours(environment)
        assert ("COLORTERM" in environment) == (inside != "screen")

    @pytest.mark.parametrize(
        ("environment", "taken"),
        [
            ({"TERM": "screen.xterm-256color", "STY": "1.pts"}, False),
            ({"TERM": "screen", "STY": "1.pts"}, False),
            ({"TERM": "screen.tmux-256color", "STY": "1.pts", "TMUX": "x"}, False),  # screen inside tmux
            ({"TERM": "screen", "TMUX": "x", "STY": "y"}, True),
            ({"TERM": "screen-256color"}, True),  # by SSH from inside tmux, or from inside screen
            ({"TERM": "xterm-256color"}, True),
        ],
    )
    def test_mouse(self, environment: dict[str, str], taken: bool) -> None:
        """It is left alone only where Escape would be held back for it."""
        assert takes_mouse(environment) == taken

    @pytest.mark.parametrize(
        ("term", "codes"), [("screen-256color", {38, 48, 5}), ("screen", set()), ("linux", set())]
    )
    def test_screen_gets_no_true_colour(self, shared: Project, term: str, codes: set[int]) -> None:
        """Whatever COLORTERM was handed on; with 256 colours by number, without any they are the sixteen."""
        claimed = "truecolor" if term != "linux" else ""
        with Terminal(shared.root, TERM=term, COLORTERM=claimed) as terminal:
            terminal.wait_for(b"Step 1")
            rest(terminal)
            assert b"8;2;" not in terminal.output
            found = colour_codes(terminal.output)
            assert codes <= found if codes else not found & {38, 48}

    @pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
    def test_inside_tmux(self, shared: Project, tmp_path: Path) -> None:
        """Drawn whole, keys arrive, and the shell is there again afterwards."""
        tmux = ["tmux", "-S", str(tmp_path / "socket"), "-f", os.devnull]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path / "state")}
        command = f"{sys.executable} -m bswirl.cli -p {shared.root} --no-tour; sleep 60"
        start = [*tmux, "new-session", "-d", "-x", "80", "-y", "24", command]
        subprocess.run(start, check=True, env=environment)

        def screen(words: str) -> str:
            end = time.monotonic() + 30
            while time.monotonic() < end:
                said = subprocess.run(
                    [*tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True
                ).stdout
                if words in said:
                    return said
                time.sleep(0.1)
            raise AssertionError(said)

        try:
            lines = screen("Step 1: There are 2*3").splitlines()
            assert len(lines) == 24
            assert "? help" in lines[-1]
            subprocess.run([*tmux, "send-keys", "?"], check=True)
            screen("esc closes")
            subprocess.run([*tmux, "send-keys", "q"], check=True)
            screen("1 good")
            subprocess.run([*tmux, "send-keys", "J"], check=True)
            screen("3*4=12 pens")
            subprocess.run([*tmux, "send-keys", "q"], check=True)
            end = time.monotonic() + 20
            while "Questions" in screen("") and time.monotonic() < end:
                time.sleep(0.1)
            assert "Questions" not in screen("")
        finally:
            subprocess.run([*tmux, "kill-server"], check=False)


class TestMouse:
    """It is an offer, not a need."""

    @pytest.mark.parametrize(("options", "asked"), [((), True), (("--no-mouse",), False)])
    def test_reports_are_asked_for(self, shared: Project, options: tuple[str, ...], asked: bool) -> None:
        with Terminal(shared.root, options=("--fresh", "--no-tour", *options)) as terminal:
            terminal.wait_for(FIRST)
            assert (b"\x1b[?1000h" in terminal.output) == asked


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2.2, relative luminance)."""

    def luminance(colour: str) -> float:
        parts = [value / 255 for value in Color.parse(colour).get_truecolor()]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


class TestThemes:
    """Dark, light, high contrast, and the terminal's own colours."""

    @pytest.mark.parametrize(
        ("name", "least", "under_cursor"),
        [(themes.DARK, 4.5, 3), (themes.LIGHT, 4.5, 3), (themes.CONTRAST, 7, 4.5)],
    )
    def test_can_be_read(self, name: str, least: float, under_cursor: float) -> None:
        """Everything that is more than a rule, on the background and under the cursor."""
        theme = next(theme for theme in themes.THEMES if theme.name == name)
        palette = themes._PALETTES[name]
        for meaning in ("good", "bad", "warn", "accent", "human", "answer", "muted", "strong"):
            colour = getattr(palette, meaning).color.name
            assert contrast(colour, str(theme.background)) >= least, meaning
            assert contrast(colour, theme.variables["cursor"]) >= under_cursor, meaning

    @pytest.mark.parametrize("asked", ["dark", "light", "contrast", "plain", "", "nonsense"])
    def test_by_environment(self, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
        monkeypatch.setenv("BSWIRL_THEME", asked)
        expected = {"light": themes.LIGHT, "contrast": themes.CONTRAST, "plain": themes.PLAIN}
        assert themes.fitting_theme("truecolor", no_color=False) == expected.get(asked, themes.DARK)
        assert themes.fitting_theme("standard", no_color=False) == themes.PLAIN
        assert themes.fitting_theme("truecolor", no_color=True) == themes.PLAIN

    async def test_a_key_goes_through_all(self, shared: Project) -> None:
        async with opened(shared) as pilot:
            assert isinstance(pilot.app, BswirlApp)
            seen = []
            for _ in themes.ORDER:
                await press(pilot, "f9")
                seen.append(pilot.app.theme)
            assert set(seen) == set(themes.ORDER)
