from __future__ import annotations

import subprocess
import sys

import pytest

from bswirl.certificates import CertifiedRates
from bswirl.errors import UsageError
from bswirl.training.settings import OBJECTIVES, TrainSettings, choices, help_texts


class TestDefaults:
    def test_every_setting_has_a_help_text(self) -> None:
        """A form can show every setting."""
        assert set(help_texts()) == set(TrainSettings.from_dict({}).to_dict())
        assert all(len(text) > 3 for text in help_texts().values())

    def test_default_objective_ignores_negative_advantages(self) -> None:
        """The literal loss can collapse a policy; the defaults must not."""
        settings = TrainSettings.from_dict({"objective": "bswirl"})
        assert settings.negative_weight == 0.0
        assert settings.beta > 0
        assert settings.kl_limit > 0

    def test_sft_has_its_own_defaults_which_a_user_overrides(self) -> None:
        """sft learns faster and without KL unless told otherwise."""
        assert TrainSettings.from_dict({"objective": "sft"}).beta == 0.0
        assert TrainSettings.from_dict({"objective": "sft", "beta": 0.3}).beta == 0.3
        assert TrainSettings.from_dict({"objective": "sft", "beta": None}).beta == 0.0

    def test_round_trip(self) -> None:
        """Frozen settings read back as they were written."""
        for objective in OBJECTIVES:
            settings = TrainSettings.from_dict(
                {"objective": objective, "policy": "p", "lora_targets": "q_proj,v_proj"}
            )
            assert TrainSettings.from_dict(settings.to_dict()) == settings

    def test_certified_rates_come_beside_the_settings(self) -> None:
        """They are no setting: no option has them, and they do not go out with the others."""
        rates = {"judge": "j", "depth": None, "fpr": 0.2, "fnr": 0.1}
        settings = TrainSettings.from_dict({"judge_rates": "certificate", "certified_rates": [rates]})
        assert settings.certified_rates == (CertifiedRates("j", None, 0.2, 0.1),)
        assert "certified_rates" not in settings.to_dict()
        with pytest.raises(UsageError, match="certified_rates cannot be read"):
            TrainSettings.from_dict({"certified_rates": [{"judge": "j"}]})

    def test_keys_of_others_are_left_alone(self) -> None:
        """The launcher's own settings may lie beside these."""
        assert TrainSettings.from_dict(
            {"dataset": "gsm8k", "probe_fraction": 0.1}
        ) == TrainSettings.from_dict({})

    def test_importing_loads_no_torch(self) -> None:
        """Command line and app use the settings without the train extra."""
        code = "import sys, bswirl.training.settings; sys.exit('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestValidation:
    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("objective", "dpo", "swirl, bswirl, sft"),
            ("schedule", "step", "linear, cosine, constant"),
            ("sft_source", "all", "rewarded, gold"),
            ("epochs", 0, "at least 1"),
            ("epochs", 1.5, "a whole number"),
            ("batch", True, "a whole number"),
            ("learning_rate", 0, "above 0"),
            ("learning_rate", float("nan"), "a number"),
            ("negative_weight", 1.1, "at least 0 and at most 1"),
            ("warmup", 1.0, "below 1"),
            ("max_steps", "many", "a whole number"),
            ("taper", "yes", "true or false"),
            ("lora_targets", "all-linear,q_proj", "not both"),
            ("lora_targets", " , ", "all-linear"),
        ],
    )
    def test_wrong_value_is_named_with_what_is_allowed(self, name: str, value: object, words: str) -> None:
        """The error names the setting and what it may be."""
        with pytest.raises(UsageError) as caught:
            TrainSettings.from_dict({name: value})
        assert name in str(caught.value)
        assert words in str(caught.value)

    def test_numbers_as_words_are_read(self) -> None:
        """A form hands over text."""
        settings = TrainSettings.from_dict({"epochs": "3", "learning_rate": "1e-4"})
        assert (settings.epochs, settings.learning_rate) == (3, 1e-4)

    def test_choices_list_every_word(self) -> None:
        """Forms offer exactly what validation takes."""
        assert choices()["objective"] == OBJECTIVES
        assert choices()["adapter_dtype"] == ("float32", "bfloat16")
