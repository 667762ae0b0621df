"""The tokens of a step's samples, with their log-probs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bswirl.client import connect
from bswirl.display import safe_text
from bswirl.project import Project
from bswirl.records import Sample
from bswirl.tokens import SampleTokens, StepTokens
from bswirl_tui import glyphs, themes
from bswirl_tui.screens.token_reader import TokenReader
from bswirl_tui.token_lines import Shaded, TokenTable, shown_tokens
from bswirl_tui.tokens_text import MOST_SHOWN, sample_paragraphs
from tests.tui import content
from tests.tui.driving import NARROW, WIDE, main_screen, opened, press, settled, shown

COLOURS = themes._PALETTES[themes.DARK]


@pytest.fixture
def ascii_signs() -> Iterator[None]:
    glyphs.use(glyphs.ASCII)
    yield
    glyphs.use(glyphs.UNICODE)


def found(sizes: tuple[int, ...], logprobs: tuple[float, ...], *, after: str = "") -> SampleTokens:
    sample = Sample(1, 4, 7, "t", 2, 1, False, len(sizes), sum(logprobs), "stop", "small")
    return SampleTokens(sample, StepTokens(sizes, logprobs, "", after))


def lines(tokens: SampleTokens, step: str, width: int = 70) -> list[str]:
    parts = sample_paragraphs(tokens, step, "the one sample", COLOURS)
    return [line.plain.rstrip() for part in parts for line in part.lines(width)]


def first_step() -> SampleTokens:
    sizes = tuple(map(len, content.TOKENS_OF_FIRST))
    return found(sizes, content.LOGPROBS_OF_FIRST, after="\n")


class TestText:
    def test_unlikely_tokens_are_shaded(self) -> None:
        """Below their letters; spaces around words stay free, and what is all but certain has no shade."""
        text = lines(first_step(), content.FIRST)
        assert text[3] == "Step 1: There are 2*3=6 pens.⏎"
        assert text[4] == " " * 8 + "▃▃▃▃▃     ▃▁▁ █ ▅▅▅▅▁"

    def test_sum_mean_and_the_least_likely_first(self) -> None:
        text = lines(first_step(), content.FIRST)
        total = sum(content.LOGPROBS_OF_FIRST)
        assert text[1] == f"sum −{-total:.2f} · mean −{-total / 15:.3f} · 15 tokens"
        place = text.index("Least likely")
        assert text[place + 1] == "  12  −4.90  0.7%  Step 1: There are 2*3=[6] pens.⏎"
        assert [line.split()[0] for line in text[place + 1 : place + 6]] == ["12", "13", "8", "5", "14"]

    def test_every_token_stands_in_the_table(self) -> None:
        """Quoted, with log-prob, probability and a bar of a cell a nat."""
        table = "\n".join(lines(first_step(), content.FIRST))
        for number, (token, logprob) in enumerate(
            zip(content.TOKENS_OF_FIRST, content.LOGPROBS_OF_FIRST, strict=True), start=1
        ):
            quoted = f'{number:>3} "{token.replace(chr(10), "⏎")}"'
            assert quoted in table
            assert f"{math.exp(logprob) * 100:.1f}%".replace("100.0", "100") in table
        assert '"6"' in table
        assert "−4.90  0.7% ━━━━" in table

    def test_in_ascii_nothing_else_is_sent(self, ascii_signs: None) -> None:
        """The shades are signs of their own, not a colour."""
        text = lines(first_step(), content.FIRST)
        assert "".join(text).isascii()
        assert text[4].split() == [":::::", ":..", "#", "====."]

    def test_in_ascii_a_line_ends_where_the_step_s_does(self, ascii_signs: None) -> None:
        """Spelled, and kept in one piece."""
        tokens = shown_tokens(StepTokens((2, 2), (0.0, 0.0)), "a\nb\n")
        shown = [line.plain for line in Shaded(tokens=tokens, colours=COLOURS).lines(20)]
        assert shown == ["a<nl>", "b<nl>"]

    def test_wide_character_behind_a_long_word(self) -> None:
        """Where the word leaves it a single cell, it begins the next line."""
        step = " " + "a" * 19 + "漢bc"
        tokens = shown_tokens(StepTokens((len(step.encode()),), (0.0,)), step)
        shown = [line.plain for line in Shaded(tokens=tokens, colours=COLOURS).lines(20)]
        assert shown == [" ", "a" * 19, "漢bc"]

    def test_columns_fill_a_wide_screen(self) -> None:
        """From top to bottom, each line no wider than there is room."""
        tokens = shown_tokens(first_step().tokens, content.FIRST)  # type: ignore[arg-type]
        narrow, wide = (TokenTable(tokens=tokens, colours=COLOURS).lines(width) for width in (68, 170))
        assert (len(narrow), len(wide)) == (8, 4)
        assert max(line.cell_len for line in wide) > 140
        assert [line.plain.split()[0] for line in narrow] == [str(number) for number in range(1, 9)]

    def test_a_long_step_stays_quick(self) -> None:
        """What is left out is said."""
        step = "x" * 50_000
        text = lines(found((1,) * 50_000, (-0.5,) * 50_000), step)
        assert f"and {50_000 - MOST_SHOWN:,} more" in text[-1]

    def test_why_there_are_none(self) -> None:
        """Imported, from a server without log-probs, or from before."""
        for policy, total, words in (
            ("imported", -1.0, "it was imported"),
            ("big", None, "its server gave no log-probs"),
            ("small", -2.0, "an earlier version sampled it"),
        ):
            sample = Sample(1, 4, 7, "t", 2, 1, False, 3, total, "stop", policy)
            assert words in " ".join(lines(SampleTokens(sample), "abc"))


@given(st.text(max_size=60), st.data(), st.sampled_from([20, 33, 70, 171]))
def test_any_tokens_keep_to_the_width(step: str, data: st.DataObject, width: int) -> None:
    """Whatever they are and wherever they are cut: no control character, no line too wide."""
    spelled = step.encode()
    places = sorted(data.draw(st.lists(st.integers(0, len(spelled)), max_size=20)))
    sizes = [end - start for start, end in zip([0, *places], [*places, len(spelled)], strict=True)]
    logprobs = data.draw(st.lists(st.floats(-9000, 1e-3), min_size=len(sizes), max_size=len(sizes)))
    tokens = shown_tokens(StepTokens(tuple(sizes), tuple(logprobs)), step)
    for part in (Shaded(tokens=tokens, colours=COLOURS), TokenTable(tokens=tokens, colours=COLOURS)):
        for line in part.lines(width):
            assert cell_len(line.plain) <= width
            assert line.plain == safe_text(line.plain, one_line=True)


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


async def test_of_very_many_samples_the_newest_are_read(fresh: Project) -> None:
    """And that is said."""
    with connect(fresh, auditor="alice") as client:
        detail, samples = client.action(1), client.action_tokens(1, limit=3)
    async with opened(fresh) as pilot:
        await pilot.app.push_screen(TokenReader(detail, samples, None))
        await settled(pilot)
        assert "sample 2 of the 3 newest" in reader(pilot.app)
        await press(pilot, "l", "l", "l")
        assert "sample 3 of the 3 newest" in reader(pilot.app)


def reader(app: object) -> str:
    screen = app.screen  # type: ignore[attr-defined]
    assert isinstance(screen, TokenReader)
    return screen.plain


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x50"])
class TestScreen:
    async def test_p_opens_the_newest_sample_with_tokens(self, fresh: Project, size: tuple[int, int]) -> None:
        """] goes to older ones, [ back; each says what it has or why it has nothing."""
        async with opened(fresh, size) as pilot:
            await press(pilot, "p")
            text = reader(pilot.app)
            assert "sample 2 of 5, newest first · run 2, step 1, branch 1 · fresh" in text
            assert "sum −9.25 · mean −9.250 · 1 token" in text
            await press(pilot, "]")
            text = reader(pilot.app)
            assert "sample 3 of 5" in text
            assert "=[6] pens.⏎" in text
            assert [line.split()[:3] for line in text.splitlines() if line.startswith("▸")] == [
                ["▸", "2", "1"]
            ]
            assert "] next sample" in shown(pilot)
            await press(pilot, "]")
            assert "Its tokens are not known: it was imported" in reader(pilot.app)
            await press(pilot, "[", "[", "[", "[")
            text = reader(pilot.app)
            assert "sample 1 of 5" in text
            assert "an earlier version sampled it" in text.replace("\n", " ")
            assert "All samples" in text
            await press(pilot, "escape")
            assert not isinstance(pilot.app.screen, TokenReader)

    async def test_hostile_tokens_are_safe(self, fresh: Project, size: tuple[int, int]) -> None:
        """Escapes, markup, and characters cut in two."""
        with connect(fresh, auditor="alice") as client:
            wild = next(action for action in client.tree("shop:q00").actions if "[/foo]" in action.text)
        async with opened(fresh, size) as pilot:
            main_screen(pilot).tree_view.goto(wild.action_id)
            await press(pilot, "p")
            text = reader(pilot.app)
            assert '"[/"' in text or '"/f"' in text
            assert "‹E2›" in text
            assert "<|im_end|>" in text.replace("\n", "")
            assert not any(sign in text for sign in "\x1b\x07\u202e\u200b\ufe0f")
            for strip in pilot.app.screen._compositor.render_strips():
                assert strip.cell_length == size[0]
