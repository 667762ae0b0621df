"""Keys: where they come from, where they may go, and that nothing shows them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from bswirl.errors import BswirlError
from bswirl.launch.keys import check_keys
from bswirl.serving import keys
from bswirl.serving.calls import RefusedError, ServedModel
from bswirl.serving.keys import is_trusted, key_for, trust, trust_file, trust_problem, trusted_pairs

OWN = ServedModel("own", "https://own.example/v1", "m", key_variable="OWN_KEY")
TOGETHER = ServedModel("together", "https://api.together.xyz/v1", "m", key_variable="TOGETHER_API_KEY")
OPEN = ServedModel("local", "http://127.0.0.1:8000/v1", "m")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(keys.CONFIG_VARIABLE, str(tmp_path / "config"))
    monkeypatch.setenv("OWN_KEY", "planted-key")
    return tmp_path / "config"


class TestWhereAKeyMayGo:
    def test_nowhere_before_the_user_says_so(self) -> None:
        """The error names variable, address and command, and not the key."""
        with pytest.raises(RefusedError) as caught:
            key_for(OWN)
        said = str(caught.value)
        assert "$OWN_KEY" in said
        assert "https://own.example/v1" in said
        assert "bswirl doctor --trust own" in said
        assert "planted-key" not in said

    def test_there_once_the_user_has_said_so(self) -> None:
        """Whatever the endpoint is called in a project."""
        trust(OWN.url, "OWN_KEY")
        assert key_for(OWN) == "planted-key"
        assert key_for(ServedModel("other name", OWN.url, "m2", key_variable="OWN_KEY")) == "planted-key"

    def test_nowhere_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another address, or another variable, is another pair."""
        trust(OWN.url, "OWN_KEY")
        monkeypatch.setenv("OTHER_KEY", "x")
        for pair in (
            ("https://evil.example/v1", "OWN_KEY"),
            (OWN.url, "OTHER_KEY"),
            (OWN.url + "/x", "OWN_KEY"),
        ):
            assert not is_trusted(ServedModel("own", pair[0], "m", key_variable=pair[1]))

    def test_togethers_own_pair_needs_no_word(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its key may go to its address, and to no other that a project calls `together`."""
        monkeypatch.setenv("TOGETHER_API_KEY", "t")
        assert key_for(TOGETHER) == "t"
        moved = ServedModel("together", "https://evil.example/v1", "m", key_variable="TOGETHER_API_KEY")
        with pytest.raises(RefusedError):
            key_for(moved)

    def test_a_server_without_a_key_gets_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not even one that lies about."""
        monkeypatch.setenv("TOGETHER_API_KEY", "t")
        assert key_for(OPEN) is None

    @pytest.mark.parametrize("value", [None, "", "  "])
    def test_a_variable_that_is_not_set(self, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
        """Said with its name."""
        if value is None:
            monkeypatch.delenv("OWN_KEY")
        else:
            monkeypatch.setenv("OWN_KEY", value)
        with pytest.raises(RefusedError, match=r"\$OWN_KEY, which is not set"):
            key_for(OWN)

    @pytest.mark.parametrize("value", ["two words", "sk-one\r\nHost: evil", "schlüssel"])
    def test_what_cannot_be_a_key(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        """It would break the request, or add to it; it is not shown."""
        trust(OWN.url, "OWN_KEY")
        monkeypatch.setenv("OWN_KEY", value)
        with pytest.raises(RefusedError) as caught:
            key_for(OWN)
        assert value.split()[0] not in str(caught.value)

    def test_a_line_end_behind_a_key_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As `export X=$(cat file)` in some shells leaves it."""
        trust(OWN.url, "OWN_KEY")
        monkeypatch.setenv("OWN_KEY", "planted-key\n")
        assert key_for(OWN) == "planted-key"


class TestTheFile:
    def test_is_the_users_own(self) -> None:
        """Nobody else reads or writes it, and it holds no key."""
        trust(OWN.url, "OWN_KEY")
        assert stat.S_IMODE(trust_file().stat().st_mode) == 0o600
        assert stat.S_IMODE(trust_file().parent.stat().st_mode) == 0o700
        assert "planted-key" not in trust_file().read_text()
        assert [path.name for path in trust_file().parent.iterdir()] == ["trusted.json"]

    def test_keeps_what_was_said_before(self) -> None:
        """Once each."""
        for pair in (("https://a/v1", "A"), ("https://b/v1", "B"), ("https://a/v1", "A")):
            trust(*pair)
        assert {(pair.url, pair.variable) for pair in trusted_pairs()} == {
            ("https://a/v1", "A"),
            ("https://b/v1", "B"),
        }
        assert len(json.loads(trust_file().read_text())["trusted"]) == 2

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b'{"trusted": [{}]}',
            b'{"trusted": [{"url": 1, "variable": []}]}',
            b"\xff",
            b"[" * 99999,
        ],
    )
    def test_broken_says_nothing_and_is_put_aside(self, folder: Path, content: bytes) -> None:
        """The next word of the user is kept; what was there stays beside it."""
        folder.mkdir()
        trust_file().write_bytes(content)
        trust_file().chmod(0o600)
        assert trusted_pairs() == frozenset()
        assert "not a list of trusted endpoints" in (trust_problem() or "")
        trust(OWN.url, "OWN_KEY")
        assert is_trusted(OWN)
        assert (folder / "trusted.json.broken").read_bytes() == content

    def test_that_others_can_write_is_not_believed(self) -> None:
        """They could add an address of theirs."""
        trust(OWN.url, "OWN_KEY")
        trust_file().chmod(0o666)
        assert not is_trusted(OWN)
        assert "others can write it" in (trust_problem() or "")

    def test_no_file_is_no_problem(self) -> None:
        """Nothing was said yet."""
        assert trust_problem() is None

    @pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere")
    def test_a_folder_that_cannot_be_written_as_a_user(self, folder: Path) -> None:
        """One line."""
        folder.mkdir(mode=0o500)
        with pytest.raises(BswirlError, match=r"trusted\.json"):
            trust(OWN.url, "OWN_KEY")

    def test_a_folder_that_is_none(self, folder: Path) -> None:
        """One line, with the way out."""
        folder.write_text("a file")
        with pytest.raises(BswirlError, match=keys.CONFIG_VARIABLE):
            trust(OWN.url, "OWN_KEY")

    def test_lies_in_the_users_configuration(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Outside of every project."""
        monkeypatch.delenv(keys.CONFIG_VARIABLE)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
        assert trust_file() == tmp_path / "xdg" / "bswirl" / "trusted.json"


class TestBeforeARun:
    def test_a_yes_is_kept(self) -> None:
        """It is asked once for each pair."""
        asked: list[str] = []

        def yes(model: ServedModel) -> bool:
            asked.append(model.url)
            return True

        check_keys([OWN, OWN], yes)
        assert asked == [OWN.url]
        assert is_trusted(OWN)

    def test_a_no_ends_it(self) -> None:
        """Nothing is kept."""
        with pytest.raises(RefusedError, match="not said yet"):
            check_keys([OWN], lambda _: False)
        assert not is_trusted(OWN)

    def test_a_missing_key_is_said_before_anything_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """There would be nothing to send."""
        monkeypatch.delenv("OWN_KEY")
        with pytest.raises(RefusedError, match="not set"):
            check_keys([OWN], lambda _: pytest.fail("asked"))

    def test_servers_without_keys_pass(self) -> None:
        """Unasked."""
        check_keys([OPEN], lambda _: pytest.fail("asked"))
