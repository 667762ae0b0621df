"""The detail pane: a question, or one step with everything known of it."""

from __future__ import annotations

from rich.text import Text

from bswirl.records import ActionDetail
from bswirl_tui.document import Document, Reader, question_document, step_document
from bswirl_tui.gold import Gold
from bswirl_tui.outline import Outline
from bswirl_tui.themes import palette
from bswirl_tui.widgets.text_view import TextView


class DetailView(TextView):
    """Shows at once what the tree knows, and the rest when it comes."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, placeholder="What is known of the step under the cursor.")
        self.name_pane(Text(" Detail "))
        self.auditor = ""
        self.show_gold = Gold.HIDDEN
        self._outline: Outline | None = None
        self._key = 0
        self._detail: ActionDetail | None = None

    @property
    def detail(self) -> ActionDetail | None:
        """What the owner said of the step that is shown."""
        return self._detail

    def show_step(self, outline: Outline | None, key: int, detail: ActionDetail | None) -> None:
        """Shows an action of the outline, or its question. The same step again keeps its place."""
        same = self._key == key and _question(self._outline) == _question(outline)
        known = detail or (self._detail if same else None)
        self._outline, self._key, self._detail = outline, key, known
        self._draw(keep_scroll=same)

    def toggle_gold(self) -> None:
        """Shows the gold solution, then as its dataset has it where that differs, or hides it."""
        solution = self._outline.tree.question.solution if self._outline is not None else None
        self.show_gold = self.show_gold.next_for(solution)
        document = self._document()
        self.show(document.paragraphs, focus=document.gold or document.focus)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_mounted:
            self._draw(keep_scroll=True)

    def _draw(self, *, keep_scroll: bool) -> None:
        document = self._document()
        self.show(document.paragraphs, focus=document.focus, keep_scroll=keep_scroll)

    def _document(self) -> Document:
        if self._outline is None:
            return Document([])
        reader = Reader(palette(self.app), self.auditor, self.show_gold)
        action = self._outline.action(self._key)
        if action is None:
            return question_document(self._outline, reader)
        return step_document(self._outline, action, self._detail, reader)


def _question(outline: Outline | None) -> int | None:
    return outline.tree.question.question_id if outline else None
