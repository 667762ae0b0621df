"""Long readings about the step under the cursor, each on a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bswirl.records import ActionDetail, StoredPrompt
from bswirl_tui.inspection import judge_paragraphs, label_paragraphs
from bswirl_tui.screens.dialogs import Choice, Choose
from bswirl_tui.screens.labelling import Labelling
from bswirl_tui.screens.reader import Reader
from bswirl_tui.text import Paragraph
from bswirl_tui.themes import palette

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.tokens import SampleTokens

Found = tuple[ActionDetail, dict[str, StoredPrompt]]


class Inspecting(Labelling):
    """The part of the main screen that opens windows to read in."""

    shift_run: int | None = None  # whose log-prob shifts are shown; None: the newest that measured any

    def reload_shifts(self) -> None:
        raise NotImplementedError

    def action_detail_judge(self) -> None:
        self._read("judge", lambda found: judge_paragraphs(*found, palette(self.app)))

    def action_detail_labels(self) -> None:
        auditor = self.state.auditor
        self._read("labels", lambda found: label_paragraphs(found[0], auditor, palette(self.app)))

    def action_detail_logprobs(self) -> None:
        outline = self.tree_view.outline
        shifts = outline.shifts if outline is not None else None
        action = self.step_here()
        if action is None:
            return
        action_id = action.action_id

        def work(client: Client) -> tuple[ActionDetail, list[SampleTokens]]:
            return client.action(action_id), client.action_tokens(action_id)

        def done(found: tuple[ActionDetail, list[SampleTokens]]) -> None:
            from bswirl_tui.screens.token_reader import TokenReader  # only who reads tokens needs it

            self.keep_detail(found[0])
            self.app.push_screen(TokenReader(*found, shifts))

        self.bswirl.ask_owner(self, "inspect", work, done, opens=True)

    def _read(self, what: str, paragraphs: Callable[[Found], list[Paragraph]]) -> None:
        action = self.step_here()
        if action is None:
            return
        action_id, with_prompts = action.action_id, what == "judge"

        def work(client: Client) -> Found:
            detail = client.action(action_id)
            shas = {verdict.prompt_sha for verdict in detail.verdicts if verdict.prompt_sha}
            prompts = [client.prompt(sha) for sha in sorted(shas)] if with_prompts else []
            return detail, {prompt.sha: prompt for prompt in prompts if prompt is not None}

        def done(found: Found) -> None:
            self.keep_detail(found[0])
            self.app.push_screen(Reader(f"Action {action_id}: {what}", paragraphs(found)))

        self.bswirl.ask_owner(self, "inspect", work, done, opens=True)

    def action_detail_run(self) -> None:
        outline = self.tree_view.outline
        runs = outline.shifts.runs if outline is not None else ()
        if not runs:
            self.tell("No training run has measured this question: only held-out ones are probed.")
            return
        choices = [Choice("", "newest", "of the runs that measured a question")]
        choices += [Choice(str(run), f"run {run}") for run in runs]

        def chosen(run: str | None) -> None:
            if run is not None:
                self.shift_run = int(run) if run else None
                self.reload_shifts()

        self.app.push_screen(Choose("Log-prob shift of", choices, str(self.shift_run or "")), chosen)
