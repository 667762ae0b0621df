"""What is certified of a judge stands below its verdict."""

from __future__ import annotations

from bswirl.certificates import Estimate
from bswirl.client import Client
from bswirl.project import Project
from bswirl_tui.document import certificate_words
from tests.certified import a_certificate
from tests.tui import content
from tests.tui.driving import lines_of, main_screen, opened, press, until


def detail_of(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


async def test_below_the_newest_verdict_of_its_judge(project: Project, bob: Client) -> None:
    """In all, and at the step's depth where that was measured; the newest alone, as soon as it is there."""
    async with opened(project) as pilot:
        detail = main_screen(pilot).detail_view
        assert "certified" not in detail_of(lines_of(detail))
        bob.add_certificate(content.certificate())
        await until(pilot, lambda: "certified on" in detail_of(lines_of(detail)))
        words = detail_of(lines_of(detail))
        assert "`correct` certified on bench␛[2J[/x]: TPR 0.90, TNR 0.60 (0.50 to 0.70), F1 0.50" in words
        assert "F1 0.50; at step 1 TNR 0.10 (0.02 to 0.40)" in words
        bob.add_certificate(content.certificate())
        await press(pilot, "j")
        words = detail_of(lines_of(detail))
        assert words.count("certified on") == 1
        assert "at step" not in words


def test_what_could_not_be_measured() -> None:
    """No rate where there was no step, and nothing of depths that were not seen."""
    words = certificate_words(a_certificate(f1=Estimate(), depths=()), 3)
    assert words.endswith("F1 –")
    assert "step" not in words
