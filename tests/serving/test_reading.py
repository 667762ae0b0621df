"""Servers' JSON into choices, whatever is in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.serving.calls import Choice
from bswirl.serving.reading import MalformedError, Reading, read_reply, without_key
from tests.serving.engines import KEY, asking
from tests.serving.server import completion


def read(reply: Any, *, n: int = 1, logprobs: bool = False, key: str | None = None) -> Reading:
    return read_reply(json.dumps(reply).encode(), asking("q", n=n, logprobs=logprobs), 400, key)


def with_message(finish: Any = "stop", **message: Any) -> dict[str, Any]:
    return {**completion([]), "choices": [{"index": 0, "finish_reason": finish, "message": message}]}


class TestTexts:
    def test_in_the_order_of_their_indices(self) -> None:
        reply = completion(["a", "b", "c"])
        reply["choices"].reverse()
        assert [choice.text for choice in read(reply, n=3).choices] == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("message", "text", "finish"),
        [
            ({"content": None, "refusal": "I will not."}, "I will not.", "refusal"),
            ({"content": None}, "", "stop"),
            ({"content": ""}, "", "stop"),
            (
                {"content": [{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]},
                "in parts",
                "stop",
            ),
            ({"content": "yes", "reasoning_content": "because"}, "yes", "stop"),
        ],
    )
    def test_contents(self, message: dict[str, Any], text: str, finish: str) -> None:
        (choice,) = read(with_message(**message)).choices
        assert (choice.text, choice.finish) == (text, finish)

    def test_thoughts_stay_apart(self) -> None:
        """The tokens of a reply that was thought about are not those of its text."""
        found = read(with_message(content="yes", reasoning_content="because"))
        assert found.reasoning == ("because",)
        assert found.choices[0].n_tokens is None

    @pytest.mark.parametrize(
        ("given", "finish"),
        [("length", "length"), ("eos", "stop"), (None, "unknown"), (5, "unknown"), ("x" * 500, "x" * 40)],
    )
    def test_finish(self, given: Any, finish: str) -> None:
        assert read(with_message(given, content="t")).choices[0].finish == finish

    @pytest.mark.parametrize("content", [5, {"a": 1}, [], [{"type": "image"}], ["text"], True])
    def test_a_content_that_is_no_text(self, content: Any) -> None:
        with pytest.raises(MalformedError, match="no text"):
            read(with_message(content=content))


class TestTokens:
    @pytest.mark.parametrize(
        "usage",
        [
            None, [], {}, {"prompt_tokens": 5}, {"prompt_tokens": -1, "completion_tokens": 2},
            {"prompt_tokens": "5", "completion_tokens": 2}, {"prompt_tokens": True, "completion_tokens": 2},
            {"prompt_tokens": 10**30, "completion_tokens": 2}, {"prompt_tokens": 2.5, "completion_tokens": 2},
        ],
    )  # fmt: skip
    def test_nonsense_is_estimated(self, usage: Any) -> None:
        found = read({**completion(["x" * 40]), "usage": usage})
        assert found.estimated
        assert (found.prompt_tokens, found.completion_tokens) == (100, 10)

    def test_of_one_choice(self) -> None:
        assert read(completion(["a"], completion_tokens=7)).choices[0].n_tokens == 7
        assert read(completion(["a", "b"], completion_tokens=7), n=2).choices[0].n_tokens is None


class TestLogprobs:
    OPENAI = {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -0.25}]}  # noqa: RUF012
    TOGETHER = {"tokens": ["a", "b"], "token_logprobs": [-0.5, -0.25]}  # noqa: RUF012

    @pytest.mark.parametrize("given", [OPENAI, TOGETHER])
    def test_both_formats(self, given: dict[str, Any]) -> None:
        (choice,) = read(completion(["ab"], logprobs=[given]), logprobs=True).choices
        assert choice == Choice("ab", "stop", 2, -0.75, ("a", "b"), (-0.5, -0.25))

    def test_not_asked_for(self) -> None:
        assert read(completion(["ab"], logprobs=[self.OPENAI])).choices[0].logprob is None

    @pytest.mark.parametrize(
        "given",
        [
            None, 5, [], {}, {"content": "x"}, {"content": [5]}, {"content": [{"token": "a"}]},
            {"content": [{"token": "a", "logprob": "-1"}]}, {"content": [{"token": "a", "logprob": 0.5}]},
            {"content": [{"token": "a", "logprob": -9999.0}]}, {"content": [{"token": 5, "logprob": -1}]},
            {"tokens": ["a"], "token_logprobs": []}, {"tokens": ["a"], "token_logprobs": [None]},
            {"tokens": "a", "token_logprobs": "b"}, {"content": [{"token": "a", "logprob": float("nan")}]},
            {"tokens": ["a"], "token_logprobs": [True]},
        ],
    )  # fmt: skip
    def test_nonsense_is_left_out(self, given: Any) -> None:
        (choice,) = read(completion(["ab"], logprobs=[given]), logprobs=True).choices
        assert (choice.text, choice.logprob, choice.tokens, choice.token_logprobs) == ("ab", None, (), ())

    def test_bytes_spell_what_tokens_do_not(self) -> None:
        """A token with a part of a character; as surrogate escapes, so that they can be written as JSON."""
        given = [("a\ufffd", b"a\xc3", -0.5), ("\ufffd", b"\xa9", -0.25), ("<end>", b"<end>", -1.0)]
        listed = [{"token": token, "bytes": list(own), "logprob": number} for token, own, number in given]
        (choice,) = read(completion(["aé"], logprobs=[{"content": listed}]), logprobs=True).choices
        assert choice.tokens == ("a\udcc3", "\udca9", "<end>")
        assert choice.token_logprobs == (-0.5, -0.25, -1.0)
        assert choice.logprob == -1.75

    @pytest.mark.parametrize("wrong", [None, "a", [300], [-1], ["a"], [10**40], [[1]], {"a": 1}, [97]])
    def test_bytes_that_spell_nothing_are_left_alone(self, wrong: Any) -> None:
        """The tokens stay what they are."""
        listed = [{"token": "\ufffd", "bytes": wrong, "logprob": -0.5}]
        (choice,) = read(completion(["é"], logprobs=[{"content": listed}]), logprobs=True).choices
        assert (choice.tokens, choice.logprob) == (("\ufffd",), -0.5)


class TestMalformed:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"<html>",
            b'{"choices": [',
            b"[]",
            b"5",
            b"{}",
            b'{"choices": {}}',
            b'{"choices": [null]}',
            b"\xff",
        ],
    )
    def test_says_why(self, content: bytes) -> None:
        with pytest.raises(MalformedError, match=r"reply|choice"):
            read_reply(content, asking("q"), 10)

    def test_says_what_it_cost_all_the_same(self) -> None:
        with pytest.raises(MalformedError) as caught:
            read(completion([], prompt_tokens=8, completion_tokens=3))
        assert caught.value.tokens == (8, 3)


class TestKey:
    def test_is_taken_out_of_all_that_is_said(self) -> None:
        reply = with_message(KEY, content=f"a {KEY} b", reasoning=f"{KEY}!")
        reply["choices"][0]["logprobs"] = {"tokens": ["a", KEY], "token_logprobs": [-1, -2]}
        found = read(reply, logprobs=True, key=KEY)
        assert KEY not in repr(found)
        assert found.choices[0].text == "a [key] b"

    def test_tokens_behind_the_text_may_not_hold_it_either(self) -> None:
        """The sum stays."""
        half = len(KEY) // 2
        listed = {"tokens": ["a", KEY[:half], KEY[half:]], "token_logprobs": [-1, -2, -3]}
        (choice,) = read(completion(["a"], logprobs=[listed]), logprobs=True, key=KEY).choices
        assert (choice.tokens, choice.token_logprobs, choice.logprob) == ((), (), -6.0)

    def test_escaped_in_json(self) -> None:
        reply = json.dumps(with_message(content=KEY)).replace("s", "\\u0073").encode()
        with pytest.raises(MalformedError):  # names of fields are escaped along
            read_reply(reply.replace(b"choice", b"chois"), asking("q"), 10, KEY)
        assert read_reply(reply, asking("q"), 10, KEY).choices[0].text == "[key]"

    def test_a_placeholder_is_no_secret(self) -> None:
        assert without_key("EMPTY set", "EMPTY") == "EMPTY set"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "message", "content", "usage", "logprobs", "tokens", "token_logprobs", "index",
             "finish_reason", "prompt_tokens", "completion_tokens", "error", "reasoning_content", "refusal",
             "token"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=30,
)  # fmt: skip


@given(json_values, st.integers(1, 3), st.booleans())
def test_anything_is_read_or_malformed(value: Any, n: int, logprobs: bool) -> None:
    """Nothing else is raised, and what is read is what it should be."""
    call = asking("q", n=n, logprobs=logprobs)
    for reply in (
        value,
        {"choices": value},
        {**completion(["a"]), "usage": value},
        with_message(content=value),
    ):
        try:
            found = read_reply(json.dumps(reply).encode(), call, 100)
        except MalformedError:
            continue
        assert 1 <= len(found.choices) <= n
        assert found.prompt_tokens >= 0
        assert found.completion_tokens >= 0
        for choice in found.choices:
            assert isinstance(choice.text, str)
            assert isinstance(choice.finish, str)


@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    with pytest.raises(MalformedError):
        read_reply(content, asking("q"), 100)
