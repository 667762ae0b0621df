"""The best step's adapter, kept beside the last."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bswirl.policies.catalogue import PolicySpec, resolve_policy
from bswirl.policies.local import load_model
from bswirl.project import Project
from bswirl.runs.context import RunContext
from bswirl.training import work
from bswirl.training.adapter import save_adapter
from bswirl.training.work import base_name
from tests.training.runs import VALIDATED, journal, make_run, metric, same_weights, train

SWINGING = {"epochs": 6, "negative_weight": 1.0, "learning_rate": 3e-2, "probe_every": 1, "lora_dropout": 0.0}


class TestByMargin:
    def test_the_highest_margin_wins(self, tmp_path: Path, policy: Path) -> None:
        """Journal and summary name the step; the folder holds that step's weights and PEFT can read them."""
        folder = make_run(tmp_path / "run", policy, keep_checkpoints=99, checkpoint_every=1, **SWINGING)
        summary = train(folder)
        margins = metric(folder, "shift/margin")
        best = max(margins, key=lambda step: (margins[step], -step))
        assert 0 < best < max(margins)  # or the test would show little
        assert (summary["best_step"], summary["best_value"]) == (best, margins[best])
        rows = journal(folder, "best")
        assert rows[-1] == {"t": "best", "step": best, "by": "margin", "value": margins[best]}
        assert [row["value"] for row in rows] == sorted({row["value"] for row in rows})
        then = load_file(folder.checkpoints / f"step-{best:06d}" / "adapter.safetensors")
        kept = load_file(folder.best / "adapter_model.safetensors")
        assert {name.replace(".default.", "."): weight.tolist() for name, weight in then.items()} == {
            name: weight.tolist() for name, weight in kept.items()
        }
        assert not same_weights(folder.adapter, folder.best)

    def test_none_keeps_nothing(self, tmp_path: Path, policy: Path) -> None:
        """No folder, no row, nothing in the summary."""
        folder = make_run(tmp_path / "run", policy, max_steps=2, best_by="none")
        assert "best_step" not in train(folder)
        assert not folder.best.exists()
        assert journal(folder, "best") == []

    def test_without_a_probe_there_is_none(self, tmp_path: Path, policy: Path) -> None:
        """The last step is all there is."""
        folder = make_run(tmp_path / "run", policy, max_steps=2, probe_every=0)
        assert "best_step" not in train(folder)
        assert not folder.best.exists()


class TestByAccuracy:
    def test_the_earliest_of_the_highest(
        self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A tie is no improvement."""
        right = iter([0.25, 0.5, 0.5, 0.375])
        monkeypatch.setattr(
            "bswirl.training.validation.Validation.metrics",
            lambda *_: {
                "validation/accuracy": next(right),
                "validation/accuracy_low": 0.0,
                "validation/accuracy_high": 1.0,
                "validation/mean_tokens": 1.0,
                "validation/unparsed": 0.0,
            },
        )
        folder = make_run(tmp_path / "run", policy, best_by="accuracy", **VALIDATED)
        summary = train(folder)
        assert (summary["best_step"], summary["best_value"]) == (2, 0.5)
        assert [row["step"] for row in journal(folder, "best")] == [0, 2]


class TestResume:
    def test_killed_before_the_best_adapter_was_written(
        self, tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The checkpoint of the best step comes first; the resumed run writes the adapter and the row."""
        straight = make_run(tmp_path / "straight", policy, **SWINGING)
        summary = train(straight)
        folder = make_run(tmp_path / "killed", policy, checkpoint_every=50, **SWINGING)
        best = summary["best_step"]

        def save(model: object, path: Path, dtype: str) -> None:
            if path.name == "best" and journal(folder, "metrics")[-1]["step"] == best:
                raise KeyboardInterrupt
            save_adapter(model, path, dtype)

        monkeypatch.setattr("bswirl.training.loop.save_adapter", save)
        with RunContext(folder) as context, pytest.raises(KeyboardInterrupt):
            work.run(context)
        monkeypatch.undo()
        assert journal(folder, "checkpoint")[-1]["step"] == best
        assert not same_weights(folder.best, straight.best)
        assert train(folder, attempt=2)["best_step"] == best
        assert journal(folder, "best") == journal(straight, "best")
        assert same_weights(folder.best, straight.best)


class TestPolicy:
    def test_name_at_run_best(self, tmp_path: Path, policy: Path) -> None:
        """NAME@RUN/best resolves and loads, and a run on top of it calls its base by that name."""
        project = Project.create(tmp_path / "project")
        project.settings_file.write_text(f'[policies.tiny]\npath = "{policy}"\n')
        folder = make_run(project.run_folder(1), policy, **SWINGING)
        train(folder)
        spec = resolve_policy("tiny@1/best", project)
        assert spec.adapters == (str(folder.best),)
        best, last = (
            load_model(one, device="cpu", dtype=torch.float32).model
            for one in (spec, resolve_policy("tiny@1", project))
        )
        ids = torch.arange(20)[None]
        assert not torch.equal(best(input_ids=ids).logits, last(input_ids=ids).logits)
        assert base_name(spec) == "tiny@1/best"

    @pytest.mark.parametrize(
        ("spec", "name"),
        [
            (PolicySpec("org/model", "org/model"), "org/model"),
            (PolicySpec("/home/kim/models/mine", "/home/kim/models/mine"), "mine"),
            (PolicySpec("mine", "/home/kim/models/mine", ("/home/kim/warm",)), "mine"),
            (PolicySpec("/m@x/mine@7/best", "/m@x/mine", ("a",)), "mine@7/best"),
            (PolicySpec("/m/mine@7/best@9", "/m/mine", ("a", "b")), "mine@7/best@9"),
            (PolicySpec("org/model@7", "org/model", ("a",)), "model@7"),
        ],
    )
    def test_a_base_is_called_by_a_name_never_a_path(self, spec: PolicySpec, name: str) -> None:
        """Also where the policy is itself a run's result."""
        assert base_name(spec) == name
