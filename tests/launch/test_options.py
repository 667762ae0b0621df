"""What runs can be told: one description for the command line and the forms."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.errors import UsageError
from bswirl.launch import command_line, default_of, options_of, parse_options
from bswirl.training.settings import TrainSettings

KINDS = ("generate", "judge", "train", "evaluate")
GIVEN: dict[str, dict[str, Any]] = {
    "generate": {"policy": "demo"},
    "judge": {},
    "train": {"policy": "demo", "objective": "bswirl"},
    "evaluate": {"policy": "demo"},
}


class TestDescriptions:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_option_has_a_help_and_a_default_that_it_takes(self, kind: str) -> None:
        """A form filled with the shown defaults is a valid one."""
        for option in options_of(kind):
            assert option.help
            if option.shown_default:
                assert option.check(option.shown_default) == option.default

    @pytest.mark.parametrize("kind", KINDS)
    def test_required_and_basic_ones_come_first(self, kind: str) -> None:
        """Forms and help begin with what matters."""
        ranks = [(not option.required, not option.basic) for option in options_of(kind)]
        assert ranks == sorted(ranks)

    def test_training_options_are_the_settings_of_training(self) -> None:
        """No setting of a training run is out of reach."""
        names = {option.name for option in options_of("train")}
        assert names >= set(TrainSettings.from_dict({}).to_dict())
        assert "certified_rates" not in names
        assert names >= {"split", "allow_test", "probe_fraction"}

    def test_an_unknown_kind_is_refused(self) -> None:
        """The kinds are listed."""
        with pytest.raises(UsageError, match="generate, judge, train, evaluate"):
            options_of("dream")


class TestValues:
    def test_missing_none_and_blank_mean_the_default(self) -> None:
        """A form's empty field and an option not given are the same."""
        options = parse_options("generate", {"policy": "demo", "limit": "", "branches": None, "seed": " "})
        assert (options["limit"], options["branches"], options["seed"]) == (None, 4, 0)

    def test_typed_texts_are_read(self) -> None:
        """Forms hand over texts."""
        options = parse_options(
            "train",
            {
                **GIVEN["train"],
                "max_steps": "12",
                "learning_rate": "1e-3",
                "taper": "yes",
                "lora_targets": "q_proj, v_proj",
            },
        )
        assert (options["max_steps"], options["learning_rate"], options["taper"]) == (12, 1e-3, True)
        assert options["lora_targets"] == ("q_proj", "v_proj")

    def test_some_defaults_depend_on_the_objective(self) -> None:
        """A warm start learns faster and needs no KL."""
        sft = parse_options("train", {"policy": "demo", "objective": "sft"})
        assert (sft["learning_rate"], sft["beta"]) == (1e-3, 0.0)
        assert parse_options("train", {"policy": "demo", "objective": "bswirl"})["beta"] == 0.05
        rate = next(option for option in options_of("train") if option.name == "learning_rate")
        assert default_of(rate, objective="sft") == 1e-3

    @pytest.mark.parametrize(
        ("kind", "name", "value", "words"),
        [
            ("generate", "branches", -1, "--branches must be a whole number at least 0"),
            ("generate", "branches", 1.5, "--branches must be a whole number"),
            ("generate", "branches", True, "--branches must be a whole number"),
            ("generate", "temperature", "warm", "--temperature must be a number"),
            ("generate", "temperature", float("nan"), "--temperature must be a number"),
            ("generate", "limit", 0, "--limit must be a whole number at least 1"),
            ("generate", "split", "dev", "--split takes train, validation, test"),
            ("train", "objective", "ppo", "unknown objective 'ppo'"),
            ("train", "lora_dropout", 1, "and below 1"),
            ("train", "load_in_4bit", "perhaps", "--load-in-4bit must be yes or no"),
            ("evaluate", "device", 3, "--device must be a text"),
            ("judge", "colour", "red", "judge runs have no option 'colour'"),
        ],
    )
    def test_wrong_values_name_the_option(self, kind: str, name: str, value: Any, words: str) -> None:
        """One line: which option, what it takes, what was given."""
        with pytest.raises(UsageError) as caught:
            parse_options(kind, {**GIVEN[kind], name: value})
        assert words in str(caught.value)

    def test_a_missing_required_option_is_named(self) -> None:
        """The first one that is missing."""
        with pytest.raises(UsageError, match="generate needs --policy"):
            parse_options("generate", {"branches": 2})

    @given(st.sampled_from(KINDS), st.data())
    def test_whatever_is_typed_parses_or_is_refused_clearly(self, kind: str, data: st.DataObject) -> None:
        """No value of any option ends in anything but a UsageError."""
        option = data.draw(st.sampled_from(options_of(kind)))
        value = data.draw(st.text() | st.floats() | st.integers() | st.booleans())
        try:
            parsed = parse_options(kind, {**GIVEN[kind], option.name: value})
        except UsageError:
            return
        assert parse_options(kind, parsed) == parsed


class TestCommandLine:
    def test_only_what_differs_is_spelled_out(self) -> None:
        """The shortest command that does the same."""
        assert command_line("judge", {"judge": "reference", "limit": None}) == "bswirl judge"
        assert (
            command_line("generate", {"policy": "my model", "branches": "2", "temperature": 1})
            == "bswirl generate --policy 'my model' --branches 2"
        )

    def test_flags_and_objective_defaults(self) -> None:
        """A flag stands alone; what the objective sets by itself is left out."""
        line = command_line(
            "train",
            {"objective": "sft", "policy": "demo", "learning_rate": "0.001", "taper": True, "beta": 0.1},
        )
        assert shlex.split(line)[2:] == ["--objective", "sft", "--policy", "demo", "--beta", "0.1", "--taper"]
