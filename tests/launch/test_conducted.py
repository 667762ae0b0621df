"""What a form may say about rounds until groups are live."""

from __future__ import annotations

from typing import Any

import pytest

from bswirl.cli.generating import generate
from bswirl.errors import UsageError
from bswirl.launch import form_command, form_options, split_rule
from bswirl.launch.conducted import ROUND_OPTIONS
from bswirl.launch.rounds import UntilLive

FILLED: dict[str, Any] = {
    "policy": "demo", "until_live": True, "judge": "the judge", "round_size": "3", "dead_below": None,
}  # fmt: skip


class TestRule:
    def test_the_command_has_the_rule(self) -> None:
        """Quoted, and without what is as usual."""
        assert form_command("generate", FILLED) == (
            "bswirl generate --policy demo --until-live --judge 'the judge' --round-size 3"
        )

    def test_options_and_rule_are_told_apart(self) -> None:
        options, rule = split_rule(FILLED)
        assert options == {"policy": "demo"}
        assert UntilLive(**rule) == UntilLive("the judge", round_size=3)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"until_live": False, "judge": "j"}, "--judge: only with --until-live"),
            ({"until_live": True, "judge": None}, "--judge is needed"),
            ({"until_live": True, "judge": "j", "dead_below": "1"}, "--dead-below must be"),
        ],
    )
    def test_what_makes_no_sense(self, values: dict[str, Any], words: str) -> None:
        with pytest.raises(UsageError, match=words):
            form_command("generate", {"policy": "demo", **values})

    def test_defaults_are_those_of_the_rounds(self) -> None:
        """And the shell knows each of the flags."""
        rule = UntilLive("j")
        for option in ROUND_OPTIONS[2:]:
            assert option.default == getattr(rule, option.name)
        known = {flag for parameter in generate.params for flag in parameter.opts}
        assert {option.flag for option in ROUND_OPTIONS} <= known

    def test_other_runs_have_none(self) -> None:
        """A judge of a judge run is no judge of rounds."""
        assert split_rule({"judge": "reference"}) == ({"judge": "reference"}, {})
        assert not {option.name for option in form_options("evaluate")} & {"until_live"}
