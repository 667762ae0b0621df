"""Starting runs and following them, for the command line and the app alike."""

from __future__ import annotations

from bswirl.launch.again import command_again, cost_limit, in_project, options_again, stopped_at_limit
from bswirl.launch.conducted import (
    cancel_rounds,
    checked_command,
    continue_rounds,
    form_command,
    form_options,
    split_rule,
    start_rounds,
    values_of,
)
from bswirl.launch.estimate import Estimate, estimate_run
from bswirl.launch.forecast import forecast_run
from bswirl.launch.inputs import NothingToDoError
from bswirl.launch.keys import trust_question
from bswirl.launch.options import (
    Option,
    command_line,
    default_of,
    options_of,
    parse_options,
    refuse_beside_selection,
    typed,
)
from bswirl.launch.requests import (
    RunRequest,
    evaluate_request,
    generate_request,
    judge_request,
    make_request,
    train_request,
)
from bswirl.launch.rounds import Report, Round, Rounds, UntilLive
from bswirl.launch.rounds_record import RoundsWork, rounds_of
from bswirl.launch.start import cancel_run, resume_run, start_run
from bswirl.launch.timing import TimeEstimate, estimate_time
from bswirl.launch.watch import tail_log, wait_run, watch_run

__all__ = [
    "Estimate",
    "NothingToDoError",
    "Option",
    "Report",
    "Round",
    "Rounds",
    "RoundsWork",
    "RunRequest",
    "TimeEstimate",
    "UntilLive",
    "cancel_rounds",
    "cancel_run",
    "checked_command",
    "command_again",
    "command_line",
    "continue_rounds",
    "cost_limit",
    "default_of",
    "estimate_run",
    "estimate_time",
    "evaluate_request",
    "forecast_run",
    "form_command",
    "form_options",
    "generate_request",
    "in_project",
    "judge_request",
    "make_request",
    "options_again",
    "options_of",
    "parse_options",
    "refuse_beside_selection",
    "resume_run",
    "rounds_of",
    "split_rule",
    "start_rounds",
    "start_run",
    "stopped_at_limit",
    "tail_log",
    "train_request",
    "trust_question",
    "typed",
    "values_of",
    "wait_run",
    "watch_run",
]
