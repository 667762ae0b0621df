"""The registry, and what is made from it."""

from __future__ import annotations

from collections import defaultdict

import pytest
from textual.dom import DOMNode
from textual.fuzzy import Matcher

from bswirl_tui import actions
from bswirl_tui.app import BswirlApp
from bswirl_tui.commands import APART, closeness
from bswirl_tui.screens.audit import AuditScreen
from bswirl_tui.screens.audit_report import AuditReportScreen, CellScreen
from bswirl_tui.screens.audit_setup import AuditSetup
from bswirl_tui.screens.comparison import ComparisonScreen, PairScreen
from bswirl_tui.screens.conflicts import ConflictsScreen
from bswirl_tui.screens.curves import CurvesScreen
from bswirl_tui.screens.dialogs import Ask
from bswirl_tui.screens.evaluations import EvaluationsScreen
from bswirl_tui.screens.main import MainScreen
from bswirl_tui.screens.moved import MovedScreen
from bswirl_tui.screens.rounds_view import RoundsView
from bswirl_tui.screens.run_form import RunForm
from bswirl_tui.screens.run_view import RunView
from bswirl_tui.screens.runs import RunsScreen
from bswirl_tui.screens.token_reader import TokenReader
from bswirl_tui.widgets.compare_view import CompareView
from bswirl_tui.widgets.log_view import LogView
from bswirl_tui.widgets.question_list import QuestionList
from bswirl_tui.widgets.text_view import TextView
from bswirl_tui.widgets.tree_view import TreeView

CARRIERS: dict[str, type[DOMNode]] = {
    actions.APP: BswirlApp,
    actions.MAIN: MainScreen,
    actions.ROWS: TreeView,
    actions.CHOICE: QuestionList,
    actions.TREE: TreeView,
    actions.COMPARE: CompareView,
    actions.TEXT: TextView,
    actions.RUNS: RunsScreen,
    actions.RUN: RunView,
    actions.LOG: LogView,
    actions.FORM: RunForm,
    actions.DIALOG: Ask,
    actions.AUDIT: AuditScreen,
    actions.REPORT: AuditReportScreen,
    actions.CELL: CellScreen,
    actions.CONFLICTS: ConflictsScreen,
    actions.SETUP: AuditSetup,
    actions.EVALUATIONS: EvaluationsScreen,
    actions.COMPARISON: ComparisonScreen,
    actions.PAIR: PairScreen,
    actions.CURVES: CurvesScreen,
    actions.MOVED: MovedScreen,
    actions.TOKENS: TokenReader,
    actions.ROUNDS: RoundsView,
}


class TestRegistry:
    """One list, and nothing in it that is not so."""

    def test_ids_are_unique(self) -> None:
        """Settings may map keys to them."""
        ids = [spec.id for spec in actions.ACTIONS]
        assert len(ids) == len(set(ids))

    @pytest.mark.parametrize("spec", actions.ACTIONS, ids=lambda spec: spec.id)
    def test_every_action_is_carried_out(self, spec: actions.ActionSpec) -> None:
        """By each class of its contexts, which also binds its keys."""
        for context in spec.contexts:
            carrier = CARRIERS[context]
            assert callable(getattr(carrier, f"action_{spec.method}", None)), (context, spec.id)
            bound = {binding.id for binding in carrier.BINDINGS if not isinstance(binding, tuple)}
            inherited = {
                binding.id
                for base in carrier.__mro__
                for binding in getattr(base, "BINDINGS", ())
                if not isinstance(binding, tuple)
            }
            assert spec.id in bound | inherited

    def test_no_key_means_two_things_in_one_place(self) -> None:
        """Where contexts meet on one screen, too."""
        together = [
            (actions.APP, actions.MAIN, actions.ROWS, actions.TREE),
            (actions.APP, actions.MAIN, actions.ROWS, actions.CHOICE),
            (actions.APP, actions.MAIN, actions.TEXT),
            (actions.APP, actions.MAIN, actions.COMPARE, actions.TEXT),
            (actions.APP, actions.DIALOG, actions.TEXT, actions.TOKENS),
            (actions.APP, actions.RUNS, actions.ROWS),
            (actions.APP, actions.RUN, actions.TEXT, actions.LOG),
            (actions.APP, actions.ROUNDS, actions.TEXT),
            (actions.APP, actions.FORM),
            (actions.APP, actions.AUDIT, actions.TEXT),
            (actions.APP, actions.REPORT, actions.ROWS, actions.TEXT),
            (actions.APP, actions.CELL, actions.ROWS),
            (actions.APP, actions.CONFLICTS, actions.ROWS, actions.TEXT),
            (actions.APP, actions.SETUP, actions.DIALOG, actions.ROWS),
            (actions.APP, actions.EVALUATIONS, actions.ROWS),
            (actions.APP, actions.COMPARISON, actions.ROWS),
            (actions.APP, actions.PAIR, actions.TEXT),
            (actions.APP, actions.CURVES),
            (actions.APP, actions.MOVED, actions.ROWS),
        ]
        for contexts in together:
            taken: dict[str, set[str]] = defaultdict(set)
            for spec in actions.ACTIONS:
                if set(spec.contexts) & set(contexts):
                    for key in spec.keys:
                        taken[key].add(spec.id)
            assert {key: ids for key, ids in taken.items() if len(ids) > 1} == {}, contexts

    def test_descriptions_are_sentences(self) -> None:
        """They stand in help, palette and documentation as they are."""
        for spec in actions.ACTIONS:
            assert spec.description[0].isupper()
            assert spec.description.endswith(".")

    @pytest.mark.parametrize(
        ("key", "shown"), [("slash", "/"), ("ctrl+s", "^s"), ("escape", "esc"), ("shift+tab", "shift+tab")]
    )
    def test_keys_are_written_as_people_do(self, key: str, shown: str) -> None:
        """Signs as signs, control as ^."""
        assert actions.display_key(key) == shown


class TestPalette:
    """Whoever types a command's name finds it first."""

    @pytest.mark.parametrize("spec", actions.ACTIONS, ids=lambda spec: spec.id)
    def test_its_name_comes_first(self, spec: actions.ActionSpec) -> None:
        """Before whatever else holds these letters; a beginning of the name, too."""
        fuzzy = Matcher(spec.label)
        others = [one for one in actions.ACTIONS if one.label.casefold() != spec.label.casefold()]
        least = closeness(spec.label, spec) * APART
        for other in others:
            score = closeness(spec.label, other) * APART
            assert least > score + max(fuzzy.match(other.description), fuzzy.match(other.label))

    @pytest.mark.parametrize(
        ("words", "better", "worse"),
        [
            ("report", "audit.report", "report.by"),
            ("Report", "audit.report", "audit.open"),
            ("curv", "curves.show", "runs.show"),
            ("evaluations", "evaluations.show", "evaluations.mark"),
            ("log", "log.search", "app.theme_next"),
            ("theme", "app.theme_next", "label.reason"),
        ],
    )
    def test_closer(self, words: str, better: str, worse: str) -> None:
        assert closeness(words, actions.spec(better)) > closeness(words, actions.spec(worse))

    def test_nothing_typed(self) -> None:
        assert closeness(" ", actions.spec("audit.report")) == 0
