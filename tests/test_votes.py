"""Votes, probabilities and costs in words."""

from __future__ import annotations

from typing import Any

import pytest

from bswirl.records import Verdict
from bswirl.votes import votes_words


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({}, ""),
        ({"votes": {"correct": [1, 0], "progress": [0, 1], "asked": 1}, "cost": 0.0021}, "$0.0021"),
        ({"votes": {"correct": [1, 0], "progress": [0, 1], "asked": 3}}, "3 replies"),
        (
            {"votes": {"correct": [2, 1], "progress": [3, 0], "asked": 4}, "cost": 1.5},
            "votes correct 2:1, progress 3:0; 4 replies; $1.5",
        ),
        ({"votes": {"correct": 0.931, "progress": 0.2}}, "P(correct) 0.93, P(progress) 0.20"),
        ({"duplicate_of": 17}, "copied from action 17"),
        ({"votes": {"correct": "x", "progress": [1, "\x1b[2J"]}}, ""),
        ({"votes": {"other": 1}}, ""),
    ],
)
def test_words(about: dict[str, Any], words: str) -> None:
    """Only what says something; what a journal from elsewhere holds is not taken on trust."""
    assert votes_words(Verdict(1, 2, 3, "mine", "m", "p", "judged", **about)) == words
