"""Keys of runs: their list, logs, evaluations, curves and the form."""

from __future__ import annotations

from bswirl_tui.keys.spec import (
    COMPARISON,
    CURVES,
    EVALUATIONS,
    FORM,
    LOG,
    MAIN,
    MOVED,
    PAIR,
    ROUNDS,
    RUN,
    RUNS,
    ActionSpec,
    placed,
)

RUNNING: tuple[ActionSpec, ...] = (
    *placed(
        "Runs",
        (MAIN, RUNS),
        (("run.new", "x", "new run", "Generate, judge, train or evaluate.", 6),),
    ),
    *placed(
        "Runs",
        MAIN,
        (("runs.show", "v", "runs", "See the runs: progress, logs, curves.", 7),),
    ),
    *placed(
        "Runs",
        RUNS,
        (("runs.open", "enter l", "open", "Look into this run.", 1),),
    ),
    *placed(
        "Runs",
        (RUNS, RUN, ROUNDS),
        (
            ("run.cancel", "c", "cancel", "Stop this run; what it did is kept, and it can be resumed.", 3),
            (
                "run.resume",
                "S",
                "resume",
                "Let a run that ended early go on from where it was; past its cost limit with a higher one.",
                4,
            ),
            ("run.clone", "C", "clone", "Fill the form with this run's settings, for another one.", 10),
            ("run.copy", "y", "copy command", "Copy the command line that starts this run once more."),
        ),
    ),
    *placed(
        "Runs",
        RUN,
        (
            ("run.next_pane", "tab", "pane", "Go to the next pane.", 1, False),
            ("run.previous_pane", "shift+tab", "pane before", "Go to the pane before.", 0, False),
        ),
    ),
    *placed(
        "Runs",
        (RUN, LOG),
        (("log.search", "slash", "search", "Search the whole log for words, upwards from here.", 6),),
    ),
    *placed(
        "Runs",
        LOG,
        (
            ("log.follow", "f", "follow", "Keep the newest line in sight, or stop doing so.", 2),
            ("log.next", "n", "next match", "Go to the next line below that has the words.", 0),
            ("log.previous", "N", "match before", "Go to the next line above that has the words.", 0),
        ),
    ),
    *placed(
        "Evaluations",
        (MAIN, RUNS),
        (("evaluations.show", "M", "evaluations", "See the accuracy of policies side by side.", 9),),
    ),
    *placed(
        "Evaluations",
        EVALUATIONS,
        (
            ("evaluations.mark", "space", "mark", "Mark the evaluation that others are compared with.", 1),
            (
                "evaluations.open",
                "enter l",
                "compare",
                "Compare this evaluation with the marked one; without a mark, look into its run.",
                2,
            ),
            ("evaluations.sort", "o", "sort", "Order by number, accuracy or policy.", 3),
        ),
    ),
    *placed(
        "Evaluations",
        COMPARISON,
        (
            ("comparison.open", "enter l", "answers", "See both answers to this question side by side.", 1),
            ("comparison.filter", "f", "filter", "Choose: changed, fixed, broken, or other questions.", 2),
            ("comparison.turn", "o", "turn around", "Compare the other way around.", 4),
        ),
    ),
    *placed(
        "Evaluations",
        PAIR,
        (
            ("pair.next", "J", "next question", "Go to the next question of the comparison.", 1),
            ("pair.previous", "K", "question before", "Go to the question before.", 2),
            ("pair.pane", "tab", "pane", "Go to the other answer.", 4, False),
        ),
    ),
    *placed(
        "Evaluations",
        (COMPARISON, PAIR),
        (("comparison.tree", "t", "tree", "Go to this question's tree.", 3),),
    ),
    *placed(
        "Curves",
        (MAIN, RUNS, RUN),
        (("curves.show", "V", "curves", "See curves of training runs, several over each other.", 8),),
    ),
    *placed(
        "Curves",
        CURVES,
        (
            ("curves.left", "h left", "left", "Move the cursor to the points before.", 0, False),
            ("curves.right", "l right", "right", "Move the cursor to the points after.", 0, False),
            ("curves.far_left", "H", "far left", "Move the cursor ten columns back.", 0, False),
            ("curves.far_right", "L", "far right", "Move the cursor ten columns on.", 0, False),
            ("curves.first", "g home", "first", "Move the cursor to the panel's first point.", 0, False),
            ("curves.newest", "G end", "newest", "Let the cursor go; values are the newest again."),
            ("curves.next", "tab", "panel", "Go to the next panel.", 0, False),
            ("curves.previous", "shift+tab", "panel before", "Go to the panel before.", 0, False),
            ("curves.down", "j down", "panel below", "Go to the panel below.", 0, False),
            ("curves.up", "k up", "panel above", "Go to the panel above.", 0, False),
            ("curves.page_down", "ctrl+d pagedown", "next page", "Go to the next page of panels.", 0, False),
            ("curves.page_up", "ctrl+u pageup", "page before", "Go to the page of panels before.", 0, False),
            ("curves.runs", "r", "runs", "Choose the runs that are drawn over each other.", 1),
            ("curves.filter", "slash", "filter", "Show only curves whose name matches an expression.", 2),
            (
                "curves.alone",
                "enter z",
                "one panel",
                "Let one panel fill the screen, or go back to the grid.",
                4,
            ),
            (
                "curves.smooth",
                "s",
                "smooth",
                "Smooth the curves more; after the longest half-life, not at all.",
                5,
            ),
            ("curves.log", "y", "log", "Switch this panel between a linear and a logarithmic scale.", 6),
            ("curves.zoom_in", "plus equals_sign", "zoom", "Show half the steps, around the cursor.", 7),
            ("curves.zoom_out", "minus", "zoom out", "Show twice the steps."),
            ("curves.zoom_reset", "0", "all steps", "Show all steps again."),
            (
                "curves.moved",
                "m",
                "moved most",
                "List the held-out actions that moved most up to this step.",
                3,
            ),
            ("curves.csv", "w", "CSV", "Write this panel's points to a CSV file.", 8),
        ),
    ),
    *placed(
        "Curves",
        MOVED,
        (("moved.open", "enter l right", "open", "Open this action in its tree.", 1),),
    ),
    *placed(
        "Form",
        FORM,
        (
            ("form.start", "ctrl+s", "start", "Start the run as the form says.", 1),
            ("form.advanced", "ctrl+o", "all settings", "Show or hide the settings that few runs change.", 2),
            (
                "form.forecast",
                "ctrl+t",
                "forecast",
                "Say what the run would be: a training's groups, memory and time, a served model's calls and"
                " dollars, how long another takes; start nothing.",
                3,
            ),
            ("form.names", "ctrl+n", "names", "Choose among the policies, judges or datasets there are.", 4),
            ("form.copy", "ctrl+y", "copy", "Copy the command line that does the same.", 5),
            ("form.reset", "ctrl+r", "defaults", "Set every field back to its default.", 6),
            ("form.next", "down enter", "next field", "Go to the next field.", 0, False),
            ("form.previous", "up", "field before", "Go to the field before.", 0, False),
        ),
    ),
)
