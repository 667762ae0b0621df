"""A window with the tokens of an action's samples, one sample at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType

from bswirl.records import ActionDetail, QuestionShifts
from bswirl.tokens import SampleTokens
from bswirl_tui import actions
from bswirl_tui.inspection import logprob_paragraphs
from bswirl_tui.screens.reader import Reader
from bswirl_tui.text import BLANK, Paragraph
from bswirl_tui.themes import palette
from bswirl_tui.tokens_text import sample_paragraphs
from bswirl_tui.widgets.text_view import TextView


class TokenReader(Reader):
    """Opens at the newest sample whose tokens are there; keys go from sample to sample."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings(actions.TOKENS)]

    def __init__(
        self, detail: ActionDetail, samples: Sequence[SampleTokens], shifts: QuestionShifts | None
    ) -> None:
        super().__init__(f"Action {detail.action.action_id}: log-probs", ())
        self._detail = detail
        self._samples = samples
        self._shifts = shifts
        self._at = next((at for at, sample in enumerate(samples) if sample.tokens is not None), 0)

    def on_mount(self) -> None:
        """Before that of Reader, which shows what is written here."""
        self._paragraphs = self._written()
        box = self.query_one(".dialog")
        box.add_class("broad")
        if len(self._samples) > 1:
            keys = [actions.spec(name).key_display for name in ("tokens.next", "tokens.previous")]
            closes = actions.spec("screen.back").key_display
            box.border_subtitle = Text(f"{keys[0]} next sample, {keys[1]} the one before, {closes} closes")

    def _written(self) -> list[Paragraph]:
        """The sample at hand, then what is known of all."""
        colours = palette(self.app)
        if not self._samples:
            return logprob_paragraphs(self._detail, self._shifts, colours)
        found = self._samples[self._at]
        return [
            *sample_paragraphs(found, self._detail.action.text, self._place(), colours),
            BLANK,
            *logprob_paragraphs(self._detail, self._shifts, colours, found.sample),
        ]

    def _place(self) -> str:
        """Which of how many samples is shown; of very many only the newest are here."""
        number = len(self._samples)
        if number == 1:
            return "the one sample"
        if number < len(self._detail.samples):
            return f"sample {self._at + 1} of the {number:,} newest"
        return f"sample {self._at + 1} of {number:,}, newest first"

    def action_tokens_next(self) -> None:
        self._go(1)

    def action_tokens_previous(self) -> None:
        self._go(-1)

    def _go(self, by: int) -> None:
        at = min(max(self._at + by, 0), len(self._samples) - 1)
        if at != self._at:
            self._at = at
            self.query_one(TextView).show(self._written())
