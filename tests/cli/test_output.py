"""What commands print."""

import json

import pytest
from rich.console import Console
from rich.text import Text

from bswirl.cli.output import fitting, number, print_json, print_table


class TestNumber:
    """Numbers for people."""

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (None, "–"),
            (1.0, "1"),
            (0.0, "0"),
            (-2.5, "-2.500"),
            (0.12345, "0.123"),
            (0.000465, "4.65e-04"),
            (float("nan"), "nan"),
            (float("inf"), "inf"),
        ],
    )
    def test_is_short(self, value: float | None, shown: str) -> None:
        """Whole numbers stay whole, others get three decimals, tiny ones three digits."""
        assert number(value) == shown

    def test_signed(self) -> None:
        """Advantages carry their sign."""
        assert [number(value, signed=True) for value in (0.25, -0.25, 1.0)] == ["+0.250", "-0.250", "+1"]


class TestJson:
    """One object on stdout."""

    def test_has_no_number_that_json_lacks(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A NaN or an infinite metric becomes null."""
        print_json({"loss": [float("nan"), 1.5], "kl": float("inf"), "n": 3})
        assert json.loads(capsys.readouterr().out) == {"loss": [None, 1.5], "kl": None, "n": 3}

    def test_is_ascii(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Text comes out unchanged, and no byte of it reaches the terminal raw."""
        print_json({"text": "é\x1b[2J\u202e\ud800"})
        out = capsys.readouterr().out
        assert out.isascii()
        assert "\x1b" not in out
        assert json.loads(out)["text"] == "é\x1b[2J\u202e\ud800"


class TestTable:
    """Tables on a stdout that is no terminal."""

    def test_cuts_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Long cells stay whole, markup is plain text, lines have no trailing blanks."""
        print_table(("a", "b"), [(1, "x" * 500), (None, "[red]\x1b]")], right=("a",))
        lines = capsys.readouterr().out.splitlines()
        assert lines == ["a  b", "1  " + "x" * 500, "–  [red]␛]"]

    def test_a_column_that_wraps_in_a_narrow_terminal(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It goes on in the next line, the others keep their width, and no word is lost."""
        from rich.console import Console

        monkeypatch.setattr("bswirl.cli.output._console", lambda: Console(width=30))
        print_table(
            ("", "about", "found"), [("note", "endpoint x", "export COLORTERM=truecolor")], wraps="found"
        )
        lines = capsys.readouterr().out.splitlines()
        assert lines[1].startswith("note  endpoint x  export")
        assert "".join(line[18:] for line in lines[1:]).replace(" ", "") == "exportCOLORTERM=truecolor"


HEADINGS = ("judge", "model", "depth", "judge1 human0", "accuracy")
ROWS = [("in force", "", "all", "12", "98.1 (90.2–99.4)"), ("reference", "", "3", "4", "–")]


class TestFitting:
    """Tables on a terminal."""

    def shown(self, width: int) -> list[str]:
        console = Console(width=width, highlight=False)
        rows = [[Text(value) for value in row] for row in ROWS]
        with console.capture() as capture:
            console.print(fitting(HEADINGS, rows, width))
        return [line.rstrip() for line in capture.get().splitlines()]

    @pytest.mark.parametrize("width", [200, 52, 45, 40, 30])
    def test_no_line_is_wider_and_nothing_is_lost(self, width: int) -> None:
        lines = self.shown(width)
        assert max(map(len, lines)) <= width
        words = " ".join(" ".join(lines).split())
        for cell in ("in force", "98.1 (90.2–99.4)", "reference", "12", "accuracy", "judge1", "human0"):
            assert cell in words

    def test_headings_wrap_before_rows_do(self) -> None:
        """A column that is empty in every row is not there."""
        assert len(self.shown(200)) == 3
        assert "model" not in self.shown(200)[0]
        assert self.shown(45) == [
            "                  judge1",
            "judge      depth  human0  accuracy",
            "in force   all    12      98.1 (90.2–99.4)",
            "reference  3      4       –",
        ]

    def test_blocks_where_columns_do_not_fit(self) -> None:
        lines = self.shown(30)
        assert lines[0] == "in force"
        assert lines[1].split() == ["depth", "all"]
        assert "reference" in lines
