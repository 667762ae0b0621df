"""The mode of the main screen in which siblings stand side by side."""

from __future__ import annotations

from textual import on
from textual.widgets import Input

from bswirl.records import Verdict
from bswirl_tui.candidates import Comparison
from bswirl_tui.outline import ROOT
from bswirl_tui.screens.finding import Finding
from bswirl_tui.widgets.bars import KeyBar
from bswirl_tui.widgets.compare_view import CompareView
from bswirl_tui.widgets.tour import Tour
from bswirl_tui.widgets.tree_view import TreeView

KEPT_GROUPS = 60  # whose verdicts are remembered


class Comparing(Finding):
    """The part of the main screen that compares. The tree's cursor says which candidate is chosen."""

    def __init__(self, *about: object) -> None:
        super().__init__(*about)
        self._comparing = False
        self._shown_way: int | str | None = None  # where the line of keys says that escape leads
        self._verdicts: dict[int, dict[int, Verdict]] = {}  # in force, by state and action
        self._stale: set[int] = set()  # states of which they may have changed

    @property
    def compare_view(self) -> CompareView:
        return self.query_one(CompareView)

    @property
    def comparing(self) -> bool:
        return self._comparing

    def set_comparing(self, comparing: bool) -> None:
        if comparing == self._comparing:
            return
        self._comparing = comparing
        self.set_class(comparing, "-comparing")
        self.query_one(Tour).show_comparing(comparing)
        if not isinstance(self.focused, Input):  # letters that are being typed shall not become keys
            (self.compare_view if comparing else self.tree_view).focus()

    def forget_verdicts(self) -> None:
        """They may have changed: they are shown until others are read, so that no line jumps."""
        self._stale |= self._verdicts.keys()

    def show_candidates(self) -> None:
        """Shows the group under the cursor; before a first step, the question's first group."""
        outline, key = self.tree_view.outline, self.tree_view.key
        if outline is None or key is None:
            self.compare_view.compare(None)
            return
        action = outline.action(key)
        if action is None:
            group = outline.group_after(ROOT)
            if group is None:
                self.set_comparing(False)
                self.show_step()
            else:
                self.tree_view.goto(group.backbone.action_id)
            return
        verdicts = self._verdicts.get(action.state_id)
        shifts = {shift.action_id: shift for shift in outline.shifts.shifts}
        self.compare_view.compare(
            Comparison(outline, outline.group_of(action), key, verdicts or {}, shifts or None)
        )
        if verdicts is None or action.state_id in self._stale:
            self._load_verdicts(action.state_id, key)

    def _load_verdicts(self, state_id: int, action_id: int) -> None:
        def done(verdicts: list[Verdict]) -> None:
            self._verdicts.pop(state_id, None)
            self._verdicts[state_id] = {verdict.action_id: verdict for verdict in verdicts}
            self._stale.discard(state_id)
            while len(self._verdicts) > KEPT_GROUPS:
                self._verdicts.pop(next(iter(self._verdicts)))
            action = self.tree_view.action_here
            if self._comparing and action is not None and action.state_id == state_id:
                self.show_candidates()

        self.bswirl.ask_owner(self, "group", lambda client: client.group_verdicts(action_id), done)

    @on(TreeView.CompareWanted)
    def _compare_wanted(self) -> None:
        outline = self.tree_view.outline
        if outline is None or outline.group_after(ROOT) is None:
            self.tell("There are no steps to compare yet.")
            return
        self.seen()
        self.set_comparing(True)
        self.show_candidates()
        self.seen()

    @on(CompareView.CandidateWanted)
    def _candidate_wanted(self, event: CompareView.CandidateWanted) -> None:
        self.tree_view.goto(event.action_id)

    @on(CompareView.Alone)
    def _alone(self) -> None:
        self.tell("Only one candidate is here: there are no others whose words could differ.")

    def leave_comparing(self) -> None:
        """Back to the outline, with the cursor on the candidate."""
        self.set_comparing(False)
        self.show_step()
        self.seen()

    def show_step(self) -> None:
        """Shows the step under the cursor in the detail pane."""
        raise NotImplementedError

    # where escape leads

    @property
    def _way_out(self) -> int | str | None:
        """The number of a list, `outline`, or None where escape leads nowhere."""
        newest = self.bswirl.way_back.newest
        if self._comparing and (newest is None or self.visits.came_from is None):
            return "outline"
        return newest

    def show_ways(self) -> None:
        way_out, back = self._way_out, self.bswirl.way_back
        if way_out == self._shown_way:
            return
        self._shown_way = way_out
        labels = {"compare.leave": f"back to {back.name_of(way_out)}"} if isinstance(way_out, int) else {}
        self.query_one(KeyBar).name_keys(labels)
        self.refresh_bindings()

    def on_screen_resume(self) -> None:
        self.show_ways()

    def action_compare_leave(self) -> None:
        way_out = self._way_out
        if isinstance(way_out, int):
            self.seen()
            self.bswirl.way_back.return_to(way_out)
        elif way_out is not None:
            self.leave_comparing()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is no key here where it leads nowhere."""
        if action == "compare_leave":
            return self._way_out is not None
        return super().check_action(action, parameters)
