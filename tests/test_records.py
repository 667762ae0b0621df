"""Records to JSON and back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bswirl.errors import InputError
from bswirl.interchange import PlacedQuestion, PlacedSample, SampleRow
from bswirl.records import (
    Action,
    FrozenTree,
    Label,
    NewQuestion,
    Progress,
    Question,
    QuestionTree,
    Run,
    State,
    Verdict,
    from_json,
    to_json,
)

QUESTION = Question(7, "gsm8k", "test", "test-1", "How many?", "72")
TREE = QuestionTree(
    QUESTION,
    (State(10, 7, 0), State(11, 7, 1, 10, 20), State(12, 7, 2, 11, 22)),
    (
        Action(20, 10, 1, False, "a", samples=2),
        Action(21, 10, 1, False, "b"),
        Action(22, 11, 2, False, "c"),
        Action(23, 12, 3, True, "Answer: 72"),
    ),
)


class TestJson:
    """to_json and from_json."""

    @given(
        st.one_of(
            st.builds(NewQuestion),
            st.builds(Question),
            st.builds(Action),
            st.builds(Verdict),
            st.builds(Label),
            st.builds(SampleRow),
            st.builds(PlacedSample, line=st.integers(0, 9)),
        )
    )
    def test_round_trip(self, record: object) -> None:
        """A record comes back equal from its JSON text."""
        text = json.dumps(to_json(record))
        if "NaN" in text:
            return
        assert from_json(type(record), json.loads(text)) == record

    @pytest.mark.parametrize(
        "record",
        [
            FrozenTree(TREE, (20, 23), probe=True),
            TREE,
            PlacedQuestion(
                NewQuestion("d", "train", "1", "Q"),
                (PlacedSample("t", 2, 0, True, ("a", "b\nc"), "d", False),),
            ),
            Run(
                1,
                "u",
                "judge",
                "n",
                "done",
                {"settings": {"judge": "reference"}},
                "/r",
                progress=Progress(1, 2),
            ),
        ],
    )
    def test_nested_round_trip(self, record: object) -> None:
        """Records in records and tuples of them come back as what they were."""
        assert from_json(type(record), json.loads(json.dumps(to_json(record)))) == record

    def test_unknown_keys_are_left_out(self) -> None:
        """What a newer version added does not stop an older reader."""
        assert from_json(Question, to_json(QUESTION) | {"later": 1}) == QUESTION

    def test_missing_keys(self) -> None:
        """A record without a needed key is refused with its name."""
        with pytest.raises(InputError, match=r"not a Question.*text"):
            from_json(Question, {"question_id": 1, "dataset": "d", "split": "test", "external_id": "1"})


class TestTree:
    """What a question's tree says of its states."""

    def test_groups(self) -> None:
        """A state's group is all its actions, in order; a state without any has an empty one."""
        groups = TREE.by_state()
        assert {state: [action.action_id for action in group] for state, group in groups.items()} == {
            10: [20, 21],
            11: [22],
            12: [23],
        }

    def test_prefixes(self) -> None:
        """A state's prefix is the steps that led there."""
        assert TREE.prefixes() == {10: (), 11: ("a",), 12: ("a", "c")}

    def test_address(self) -> None:
        """A question is named by its dataset and id."""
        assert QUESTION.address == "gsm8k:test-1"


class TestProgress:
    """How long a run still takes."""

    @pytest.mark.parametrize(("progress", "eta"), [(Progress(5, 20, "s", 3.0), 5.0), (Progress(5, 20), None)])
    def test_eta(self, progress: Progress, eta: float | None) -> None:
        """The rest at the current rate; unknown without one."""
        assert progress.eta_seconds == eta
