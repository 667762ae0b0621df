"""Keys of the audit: its queue, report, conflicts and set-up."""

from __future__ import annotations

from bswirl_tui.keys.spec import AUDIT, CELL, CONFLICTS, MAIN, REPORT, SETUP, ActionSpec, placed

AUDITING: tuple[ActionSpec, ...] = (
    *placed(
        "Audit",
        AUDIT,
        (
            ("audit.good", "1", "good", "Vote 1: correct, and it makes progress.", 1),
            ("audit.bad", "0", "not good", "Vote 0.", 2),
            ("audit.unsure", "u", "unsure", "Vote unsure; the judge's verdict stands.", 3),
            ("audit.skip", "s", "skip", "Pass this step on without a word.", 4),
            ("audit.flag", "f", "flag", "Flag this step; your vote carries the flag.", 8),
            (
                "audit.reason",
                "r",
                "reason",
                "Say why, from the short list or in words, for the vote to come.",
                7,
            ),
            (
                "audit.pick",
                "2 3 4 5 6 7 8 9 minus",
                "pick",
                "In the list of reasons: the one with that number, 1 and 0 too; - takes it away.",
                0,
                False,
                True,
            ),
            (
                "audit.undo",
                "backspace",
                "undo",
                "Take your newest vote back and see its step again, as often as you like.",
                5,
            ),
            (
                "audit.change",
                "c",
                "change",
                "Go back to the step you voted on last, and further, to change a vote.",
                6,
            ),
            ("audit.go_on", "enter space", "go on", "Go on to the step to judge.", 9),
            ("audit.tree", "o", "in the tree", "See this step among its siblings.", 10),
            ("audit.guidelines", "t", "guidelines", "Show or hide the project's guidelines.", 11),
            ("audit.order", "O", "set-up", "Choose anew in which order steps come, and what is mixed in."),
            (
                "audit.advance",
                "m",
                "auto-advance",
                "After a vote, show the next step at once, or stay until enter.",
            ),
            ("audit.next_pane", "tab", "pane", "Go to the next pane.", 0, False),
            ("audit.previous_pane", "shift+tab", "pane before", "Go to the pane before.", 0, False),
        ),
    ),
    *placed(
        "Audit",
        MAIN,
        (("audit.open", "a", "audit", "Judge steps one after the other, and go on where you were.", 6),),
    ),
    *placed(
        "Audit",
        (MAIN, AUDIT),
        (
            ("audit.report", "A", "report", "How far people and judges agree.", 12),
            ("audit.conflicts", "C", "conflicts", "Steps on which auditors disagree.", 13),
        ),
    ),
    *placed(
        "Audit report",
        REPORT,
        (
            ("report.cell", "enter l", "steps", "List the steps of a cell of the confusion matrix.", 1),
            ("report.by", "b", "group by", "By judge, by prompt, by depth of the step.", 2),
            ("report.votes", "v", "votes", "All votes, or only those cast before the judge was shown.", 3),
            ("report.both_good", "1", "both good", "List the steps that judge and people call good.", 0),
            ("report.judge_good", "2", "judge good", "List the steps that the judge alone calls good.", 0),
            ("report.people_good", "3", "people good", "List the steps that people alone call good.", 0),
            ("report.both_bad", "4", "both not good", "List the steps that both call not good.", 0),
        ),
    ),
    *placed(
        "Audit report",
        CELL,
        (("cell.open", "enter l", "in the tree", "See this step in its tree.", 1),),
    ),
    *placed(
        "Conflicts",
        CONFLICTS,
        (
            ("conflict.good", "1", "good", "Decide this step: 1, over all other labels.", 1),
            ("conflict.bad", "0", "not good", "Decide this step: 0, over all other labels.", 2),
            ("conflict.open", "enter l o", "in the tree", "See this step in its tree.", 3),
        ),
    ),
    *placed(
        "Audit",
        SETUP,
        (("setup.start", "ctrl+s", "start", "Start the audit as the form says.", 1, False),),
    ),
)
