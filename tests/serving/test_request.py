"""What is sent, and what is left out once a server refuses it."""

from __future__ import annotations

import json

import pytest

from bswirl.serving.calls import Call, ServedModel
from bswirl.serving.request import encode_call, rejected_parameters

MODEL = ServedModel("test", "http://127.0.0.1/v1", "m")
CALL = Call((("system", "You judge."), ("user", "Q1"), ("assistant", "A1"), ("user", "Q2")), 9, n=2, seed=3)
PLAIN = Call((("user", "What is a system prompt?"),), 9)


class TestSystemTurn:
    @pytest.mark.parametrize(
        "said",
        [
            "System role not supported",
            "Conversation roles must alternate user/assistant/user/assistant/...",
            "Developer instruction is not enabled for models/gemma-3-1b-it",
            "Only user and assistant roles are supported, not the role `system`",
            "This model does not support system messages.",
        ],
    )
    def test_refused(self, said: str) -> None:
        """In the words of several servers; once it was left out, and where there was none, it is not it."""
        assert rejected_parameters(CALL, said, ()) == {"system"}
        assert rejected_parameters(CALL, said, {"system"}) == set()
        assert rejected_parameters(PLAIN, said, ()) == set()

    def test_its_text_opens_the_users_turn(self) -> None:
        """Nothing of it is lost, and the other turns stay."""
        sent = json.loads(encode_call(CALL, MODEL, {"system"}))["messages"]
        assert [turn["role"] for turn in sent] == ["user", "assistant", "user"]
        assert sent[0]["content"] == "You judge.\n\nQ1"
        assert json.loads(encode_call(PLAIN, MODEL, {"system"})) == json.loads(encode_call(PLAIN, MODEL))

    @pytest.mark.parametrize(
        "said", ["the system is overloaded", "invalid model", "`n` must be 1", "file system error"]
    )
    def test_other_words(self, said: str) -> None:
        assert "system" not in rejected_parameters(CALL, said, ())
