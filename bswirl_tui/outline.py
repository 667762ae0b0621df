"""A question's tree as the lines of an outline: which are open, how they are indented, what each leads to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bswirl.records import Action, ActionShift, QuestionShifts, QuestionTree
from bswirl_tui.glyphs import glyphs

ROOT = 0  # the line of the question itself, in place of an action's number


@dataclass(frozen=True, slots=True)
class Group:
    """The candidates of one state, summed up."""

    state_id: int
    actions: tuple[Action, ...]

    @property
    def samples(self) -> int:
        return sum(action.samples for action in self.actions)

    @property
    def backbone(self) -> Action:
        """The first candidate that lies on a backbone, else the first."""
        return next((action for action in self.actions if action.backbone), self.actions[0])

    @property
    def rated(self) -> tuple[Action, ...]:
        return tuple(action for action in self.actions if action.reward is not None)

    @property
    def kind(self) -> Literal["live", "dead", "unrated"]:
        """Live: rewards differ. Dead: all equal. Unrated: no reward yet."""
        rewards = {action.reward for action in self.rated}
        return "live" if len(rewards) > 1 else "dead" if rewards else "unrated"

    @property
    def mean(self) -> float | None:
        """Mean effective reward over samples of rated actions."""
        weights = [(action.reward, max(1, action.samples)) for action in self.rated]
        total = sum(weight for _, weight in weights)
        return sum((reward or 0.0) * weight for reward, weight in weights) / total if total else None


@dataclass(frozen=True, slots=True)
class Line:
    """One line: the question (`action` None) or an action; `group` is what follows it, if anything."""

    action: Action | None
    group: Group | None
    guides: str  # the lines that join it to what it follows
    opened: bool

    @property
    def key(self) -> int:
        return self.action.action_id if self.action else ROOT


class Outline:
    """The lines of a tree. Only what is open is ever built; `opened` holds action numbers (and ROOT)."""

    def __init__(
        self, tree: QuestionTree, opened: set[int] | None = None, shifts: QuestionShifts | None = None
    ) -> None:
        self.tree = tree
        self.shifts = shifts or QuestionShifts()
        self.opened = {ROOT} if opened is None else opened
        groups = {
            state: Group(state, tuple(actions)) for state, actions in tree.by_state().items() if actions
        }
        self._groups = groups
        self._first = next((state.state_id for state in tree.states if state.parent_state_id is None), None)
        self._leads_to = {
            state.via_action_id: state.state_id for state in tree.states if state.via_action_id is not None
        }
        self._action = {action.action_id: action for action in tree.actions}
        self._parent = {state: action for action, state in self._leads_to.items()}
        self._prefixes: dict[int, tuple[str, ...]] | None = None
        self.lines: list[Line] = []
        self.rebuild()

    # what is where

    def action(self, key: int) -> Action | None:
        return self._action.get(key)

    def group_of(self, action: Action) -> Group:
        """The group that an action belongs to."""
        return self._groups[action.state_id]

    def group_after(self, key: int) -> Group | None:
        """The group that follows an action, or the question for ROOT; None where nothing does."""
        state = self._first if key == ROOT else self._leads_to.get(key)
        return self._groups.get(state) if state is not None else None

    def parent(self, key: int) -> int:
        """The action before it; ROOT for a first step."""
        action = self._action.get(key)
        return self._parent.get(action.state_id, ROOT) if action else ROOT

    def prefix(self, action: Action) -> tuple[str, ...]:
        """The steps before it."""
        if self._prefixes is None:
            self._prefixes = self.tree.prefixes()
        return self._prefixes.get(action.state_id, ())

    def shift(self, action: Action) -> ActionShift | None:
        """What the probe measured on an action."""
        return self._shifts.get(action.action_id)

    @property
    def shifts(self) -> QuestionShifts:
        """What a training run's probe measured on this question."""
        return self._measured

    @shifts.setter
    def shifts(self, shifts: QuestionShifts) -> None:
        self._measured = shifts
        self._shifts = {shift.action_id: shift for shift in shifts.shifts}

    # words searched for

    def matches(self, words: str) -> list[int]:
        """The lines with those words, open or not, from top to bottom; ROOT for the question."""
        wanted = words.lower()
        question = self.tree.question
        found = [ROOT] if wanted in f"{question.address} {question.text}".lower() else []
        return found + [action.action_id for action in self._in_order() if wanted in action.text.lower()]

    def match_beside(self, key: int, words: str, direction: int) -> int | None:
        """The next line with those words below (1) or above (-1) a line."""
        order = {ROOT: 0} | {action.action_id: n for n, action in enumerate(self._in_order(), 1)}
        here = order.get(key, 0)
        matches = self.matches(words)[::direction]
        return next((match for match in matches if (order[match] - here) * direction > 0), None)

    def _in_order(self) -> Iterator[Action]:
        """Every action, as the lines would stand if all were open."""
        group = self.group_after(ROOT)
        waiting = list(reversed(group.actions)) if group else []
        while waiting:
            action = waiting.pop()
            yield action
            after = self.group_after(action.action_id)
            waiting += reversed(after.actions) if after else ()

    # where lines are

    def index(self, key: int) -> int | None:
        """The line of an action; None where it is not in sight."""
        return next((index for index, line in enumerate(self.lines) if line.key == key), None)

    def backbone(self, key: int = ROOT) -> list[int]:
        """The actions from there on along its first backbone, to the end."""
        path: list[int] = []
        group = self.group_after(key)
        while group is not None:
            chosen = next((action for action in group.actions if action.backbone), None)
            if chosen is None:
                break
            path.append(chosen.action_id)
            group = self.group_after(chosen.action_id)
        return path

    # opening and closing

    def set_open(self, key: int, opened: bool) -> bool:
        """Opens or closes a line; says whether that changed anything."""
        if self.group_after(key) is None or (key in self.opened) == opened:
            return False
        if opened:
            self.opened.add(key)
        else:
            self.opened.discard(key)
        self.rebuild()
        return True

    def open_path(self, keys: list[int]) -> None:
        """Opens several lines at once."""
        self.opened.update(keys)
        self.rebuild()

    def open_below(self, key: int) -> None:
        """Opens a line and everything below it."""
        waiting = [key]
        while waiting:
            current = waiting.pop()
            group = self.group_after(current)
            if group is not None:
                self.opened.add(current)
                waiting += [action.action_id for action in group.actions]
        self.rebuild()

    def close_all(self) -> None:
        self.opened.clear()
        self.opened.add(ROOT)
        self.rebuild()

    def reveal(self, key: int) -> None:
        """Opens what hides a line."""
        while key != ROOT:
            key = self.parent(key)
            self.opened.add(key)
        self.rebuild()

    def rebuild(self) -> None:
        """Makes `lines` anew."""
        self.lines = list(self._walk())

    def _walk(self) -> Iterator[Line]:
        signs = glyphs()
        root = self.group_after(ROOT)
        yield Line(None, root, "", ROOT in self.opened)
        # Each entry: an action and the guides of its children; the last in the list is drawn next.
        waiting: list[tuple[Action, str, bool]] = []

        def push(group: Group | None, guides: str) -> None:
            if group is not None:
                last = len(group.actions) - 1
                waiting.extend(
                    (action, guides, number == last)
                    for number, action in reversed(list(enumerate(group.actions)))
                )

        push(root if ROOT in self.opened else None, "")
        while waiting:
            action, guides, is_last = waiting.pop()
            group = self.group_after(action.action_id)
            opened = action.action_id in self.opened and group is not None
            yield Line(action, group, guides + (signs.guide_last if is_last else signs.guide_branch), opened)
            if opened:
                push(group, guides + ("  " if is_last else signs.guide_down))
