"""From messages to figures."""

from __future__ import annotations

from typing import Any

import pytest

from bswirl.bench.report import make_report
from bswirl.bench.running import Outcome
from bswirl.bench.settings import BenchSettings
from bswirl.errors import BswirlError

FACTS = {
    "model": {"body": 100, "hidden": 2, "vocabulary": 5},
    "data": {"rows": 4},
    "machine": {"device": "cpu", "threads": 1, "torch": "2"},
}
SETTINGS = BenchSettings(policy={"name": "tiny"})


def outcome(variant: str, seconds: list[float], tokens: int, *, base: int, **more: Any) -> Outcome:
    """A variant that took a warm-up step of a minute and then `seconds`."""
    work = {
        "plain_tokens": tokens - 1,
        "tokens": tokens,
        "head": 3,
        "free_tokens": base,
        "free_head": 3,
    }
    steps = [
        {"seconds": time, "peak": 10 * index, "peak_total": 1000 + index, "work": work}
        for index, time in enumerate([60.0, *seconds])
    ]
    return Outcome(variant, FACTS, steps, **more)


def by_name(*outcomes: Outcome) -> dict[str, dict[str, Any]]:
    return {entry["variant"]: entry for entry in make_report(SETTINGS, outcomes)["variants"]}


class TestFigures:
    def test_ratio_ceiling_and_share(self) -> None:
        """Against (a): times by their medians, FLOPs by the formula, and the share of one in the other."""
        found = by_name(
            outcome("a", [8.0, 10.0, 30.0], 50, base=50),
            outcome("d", [2.0, 2.5, 2.0], 10, base=10),
            outcome("d2", [1.0, 1.0, 1.0], 10, base=0),
        )
        head = 6 * 3 * 2 * 5
        assert found["d"]["flops"] == 6 * 100 * 10 + head
        assert found["d2"]["flops"] == 4 * 100 * 10 + head
        assert (found["d"]["seconds_median"], found["d"]["seconds_min"]) == (2.0, 2.0)
        assert found["d"]["ratio_a"] == 5.0
        assert found["d"]["ceiling_a"] == (6 * 100 * 50 + head) / (6 * 100 * 10 + head)
        assert found["d"]["share_a"] == found["d"]["ratio_a"] / found["d"]["ceiling_a"]
        assert found["a"]["share_a"] == 1.0
        assert found["d"]["ratio_b"] is None
        assert (found["d"]["tokens"], found["d"]["padded_tokens"]) == (9, 10)
        assert found["d"]["peak_bytes"] == 30

    def test_against_a_prefix_a_state(self) -> None:
        """The same against (b)."""
        found = by_name(outcome("b", [6.0], 20, base=20), outcome("d", [3.0], 10, base=10))
        assert found["d"]["ratio_b"] == 2.0
        assert found["d"]["ratio_a"] is None

    def test_an_error_stays_with_its_variant(self) -> None:
        """A variant that failed has its words and no figures, and spoils no other."""
        found = by_name(
            Outcome("a", error="out of memory"),
            outcome("b", [6.0], 20, base=20),
            Outcome("c", error="not installed"),
        )
        assert found["c"]["error"] == "not installed"
        assert found["c"]["ratio_b"] is None
        assert found["b"]["ratio_a"] is None
        assert found["b"]["ratio_b"] == 1.0

    def test_an_error_after_its_steps(self) -> None:
        """What was measured stays, with the words beside it."""
        found = by_name(outcome("d", [2.0], 10, base=10, error="no memory left"))
        assert (found["d"]["seconds_median"], found["d"]["error"]) == (2.0, None)
        assert found["d"]["note"] == "no memory left"

    def test_nothing_measured(self) -> None:
        """Where every variant failed, the first one's words are the error."""
        with pytest.raises(BswirlError, match="no such device"):
            make_report(SETTINGS, [Outcome("a", error="no such device"), Outcome("d", error="neither")])

    def test_share_of_the_matmul_rate(self) -> None:
        """6·N FLOPs a distinct token of (d), 4·N of (d2), over the measured rate."""
        card = {"matmul": 12000.0, "kernel": "flex", "gradient": 1e-3}
        report = make_report(
            SETTINGS,
            [outcome("d", [2.0], 11, base=11), outcome("d2", [1.0], 11, base=0, card=card)],
        )
        device = report["device"]
        assert device["variants"]["d"] == {"tokens_per_second": 5.0, "matmul_share": 6 * 100 * 5 / 12000}
        assert device["variants"]["d2"] == {"tokens_per_second": 10.0, "matmul_share": 4 * 100 * 10 / 12000}
        assert (device["kernel"], device["kernel_gradient_difference"]) == ("flex", 1e-3)
        assert make_report(SETTINGS, [outcome("d", [2.0], 11, base=11)])["device"] is None
