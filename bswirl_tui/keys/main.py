"""Keys of the main screen: labels, questions, tree, siblings, detail, view."""

from __future__ import annotations

from bswirl_tui.keys.spec import COMPARE, MAIN, TOKENS, TREE, ActionSpec, placed

READING: tuple[ActionSpec, ...] = (
    *placed(
        "Labels",
        MAIN,
        (
            ("label.good", "1", "good", "Label this step 1: correct, and it makes progress.", 1),
            ("label.bad", "0", "bad", "Label this step 0.", 2),
            ("label.unsure", "u", "unsure", "Label this step as unsure; the judge's verdict stands.", 3),
            ("label.with_reason", "R", "with reason", "Label this step and say why."),
            ("label.reason", "r", "reason", "Write or change the reason of your label on this step.", 5),
            ("label.undo", "backspace", "undo", "Withdraw your newest label, wherever it is.", 4),
        ),
    ),
    *placed(
        "Questions",
        MAIN,
        (
            ("question.search", "slash", "search", "Find words in questions and in their steps.", 11),
            ("question.match", "n", "next match", "Go to the next step with the words searched for."),
            ("question.match_back", "N", "match before", "Go to the step with those words before."),
            ("question.filter", "f", "filter", "Choose which questions the list shows.", 10),
            (
                "question.sort",
                "o",
                "sort",
                "Choose the list's order; the same one again turns it around.",
            ),
            ("question.dataset", "d", "dataset", "Show one dataset or split alone."),
            ("question.clear", "c", "clear", "Show all questions again."),
            ("question.next", "J", "next question", "Go to the next question, from any pane."),
            ("question.previous", "K", "previous question", "Go to the question before, from any pane."),
        ),
    ),
    *placed(
        "Tree",
        TREE,
        (
            ("tree.open", "l right", "open", "Open the steps that follow, then go to the first of them."),
            ("tree.close", "h left", "close", "Close the steps that follow, then go to the step before."),
            ("tree.toggle", "space", "open/close", "Open or close the steps that follow."),
            ("tree.compare", "enter", "compare", "See this step beside its siblings.", 9),
            (
                "tree.sibling_next",
                "right_curly_bracket",
                "next sibling",
                "Go to the group's next step.",
            ),
            (
                "tree.sibling_previous",
                "left_curly_bracket",
                "previous sibling",
                "Go to the group's step before.",
            ),
            ("tree.backbone", "b", "backbone", "Open the tree along this step's backbone, to the answer."),
            ("tree.open_all", "e", "open all", "Open everything below this step."),
            ("tree.close_all", "E", "close all", "Close the whole tree."),
        ),
    ),
    *placed(
        "Siblings side by side",
        COMPARE,
        (
            ("compare.next", "l right right_curly_bracket", "next", "Go to the next candidate.", 0, False),
            (
                "compare.previous",
                "h left left_curly_bracket",
                "previous",
                "Go to the candidate before.",
                0,
                False,
            ),
            (
                "compare.pick",
                "2 3 4 5 6 7 8 9",
                "candidate",
                "Go to the candidate with that digit.",
                0,
                False,
                True,
            ),
            ("compare.words", "w", "differences", "Highlight the words in which candidates differ.", 6),
            ("compare.against", "W", "compare with", "Compare the others' words with this candidate's.", 7),
            ("compare.follow", "enter", "what follows", "Go on to the candidates that follow this one.", 9),
            ("compare.before", "minus", "what led here", "Go back to the candidates of the step before."),
        ),
    ),
    *placed(
        "Detail",
        MAIN,
        (
            ("detail.judge", "i", "judge", "Read the judge's exact prompt and its raw reply."),
            ("detail.labels", "L", "label history", "Read who labelled this step, when, why, and how."),
            (
                "detail.logprobs",
                "p",
                "log-probs",
                "Read the samples' tokens with their log-probs, and the shift.",
            ),
            ("detail.run", "P", "shift's run", "Choose the training run whose log-prob shift is shown."),
        ),
    ),
    *placed(
        "Log-probs",
        TOKENS,
        (
            ("tokens.next", "right_square_bracket l right", "next sample", "See an older sample.", 0, False),
            (
                "tokens.previous",
                "left_square_bracket h left",
                "sample before",
                "See a newer sample.",
                0,
                False,
            ),
        ),
    ),
    *placed(
        "View",
        MAIN,
        (
            ("view.gold", "s", "gold", "Show the gold solution, then as the dataset has it, or hide it.", 8),
            ("view.back", "left_square_bracket", "back", "Go back to what you looked at before."),
            ("view.forward", "right_square_bracket", "forward", "Go forward again."),
            (
                "compare.leave",
                "escape",
                "outline",
                "Go back to the list that this step was opened from, else from candidates to the outline.",
                20,
            ),
            ("view.list", "t", "list", "Show or hide the list of questions.", 12),
            ("view.tour", "T", "tour", "Show or hide the few lines for who is here for the first time."),
            ("view.next_pane", "tab", "pane", "Go to the next pane.", 0, False),
            ("view.previous_pane", "shift+tab", "pane before", "Go to the pane before.", 0, False),
        ),
    ),
)
