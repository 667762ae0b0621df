"""Answers compared with gold."""

from __future__ import annotations

import pytest

from bswirl.answers import algebra
from bswirl.judging.answer_check import check_answer


class TestAnswerCheck:
    """check_answer."""

    @pytest.mark.parametrize(
        "action", ["Answer: 72", "**Answer:** $72.00", "The answer is 72 clips.", "#### 72"]
    )
    def test_match(self, action: str) -> None:
        """An answer that equals gold earns 1, however it is written."""
        verdict = check_answer(action, "72")
        assert (verdict.status, verdict.correct, verdict.progress, verdict.reward) == (
            "judged",
            True,
            True,
            1.0,
        )

    def test_mismatch_states_both(self) -> None:
        """A wrong answer earns 0, and the reason has both numbers."""
        verdict = check_answer("Answer: 71", "72")
        assert verdict.reward == 0
        assert "71" in verdict.rationale
        assert "72" in verdict.rationale

    def test_unreadable_answer(self) -> None:
        """An answer that cannot be read does not match; this is a comparison, so it is a 0."""
        verdict = check_answer("Answer: ...", "72")
        assert (verdict.status, verdict.reward) == ("judged", 0.0)
        assert "72" in verdict.rationale

    def test_a_formula_nobody_can_compare_stays_unjudged(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is no 0, and the reason says what would help."""
        monkeypatch.setattr(algebra, "is_installed", lambda: False)
        verdict = check_answer("Answer: \\sqrt{16}", "4")
        assert (verdict.status, verdict.correct, verdict.reward) == ("unjudged", None, None)
        assert "pip install 'bswirl[math]'" in verdict.rationale

    @pytest.mark.parametrize("gold", [None, "", " "])
    def test_no_gold(self, gold: str | None) -> None:
        """Without gold there is nothing to say."""
        verdict = check_answer("Answer: 72", gold)
        assert (verdict.status, verdict.correct, verdict.reward) == ("unjudged", None, None)
