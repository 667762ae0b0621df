"""Opening screens again as they described themselves, where what they showed is still there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from bswirl.errors import BswirlError

if TYPE_CHECKING:
    from bswirl.client import Client
    from bswirl.settings.audit import AuditSettings
    from bswirl_tui.app import BswirlApp
    from bswirl_tui.screens.base import ProjectScreen
    from bswirl_tui.votes_cast import QueueOptions

T = TypeVar("T")
Opening = Callable[["BswirlApp"], None]
Kept = Mapping[str, Any]


def openings(client: Client, places: Sequence[Kept]) -> list[Opening]:
    """What opens these screens, up to the first that cannot be. For threads: it reads and imports."""
    found: list[Opening] = []
    for place in places:
        prepare = _PREPARE.get(str(place.get("screen")))
        try:
            opening = prepare(client, place) if prepare is not None else None
        except (BswirlError, KeyError, TypeError, ValueError):
            break
        if opening is None:
            break
        found.append(opening)
    return found


def _pushing(make: Callable[[BswirlApp], ProjectScreen], place: Kept) -> Opening:
    def push(app: BswirlApp) -> None:
        screen = make(app)
        screen.kept = dict(place)
        app.push_screen(screen)

    return push


def _curves(client: Client, place: Kept) -> Opening | None:
    from bswirl.curves import name_pattern
    from bswirl_tui.charts.view import HALF_LIVES, View
    from bswirl_tui.screens.curves import CurvesScreen

    known = {run.run_id for run in client.runs(kind="train", limit=1000)}
    view = made(View, place["view"])
    view.runs = tuple(run_id for run_id in view.runs if run_id in known)
    if not view.runs or view.half_life not in HALF_LIVES:
        return None
    name_pattern(view.pattern)

    def make(app: BswirlApp) -> ProjectScreen:
        app.state.curves = view
        return CurvesScreen(app.state)

    return _pushing(make, place)


def _moved(client: Client, place: Kept) -> Opening:
    from bswirl_tui.screens.moved import MovedScreen

    run_id, step = client.run(int(place["run"])).run_id, place["step"]
    return _pushing(lambda app: MovedScreen(app.state, run_id, None if step is None else int(step)), place)


def _runs(_client: Client, place: Kept) -> Opening:
    from bswirl_tui.screens.runs import RunsScreen

    return _pushing(lambda app: RunsScreen(app.state), place)


def _run(client: Client, place: Kept) -> Opening:
    from bswirl_tui.screens.run_view import RunView

    run = client.run(int(place["run"]))
    return _pushing(lambda app: RunView(app.state, run), place)


def _rounds(client: Client, place: Kept) -> Opening | None:
    from bswirl.launch import rounds_of
    from bswirl_tui.screens.rounds_view import RoundsView

    work = next((work for work in rounds_of(client.project) if work.begun == place["begun"]), None)
    return None if work is None else _pushing(lambda app: RoundsView(app.state, work), place)


def _report(_client: Client, place: Kept) -> Opening:
    import bswirl_tui.report_text  # noqa: F401 - what the screen would import while one waits
    from bswirl_tui.screens.audit_report import AuditReportScreen

    return _pushing(lambda app: AuditReportScreen(app.state), place)


def _conflicts(_client: Client, place: Kept) -> Opening:
    from bswirl_tui.screens.conflicts import ConflictsScreen

    return _pushing(lambda app: ConflictsScreen(app.state), place)


def _evaluations(_client: Client, place: Kept) -> Opening:
    from bswirl_tui.screens.evaluations import EvaluationsScreen

    return _pushing(lambda app: EvaluationsScreen(app.state), place)


def _comparison(client: Client, place: Kept) -> Opening:
    from bswirl_tui.evaluations import evaluation_of
    from bswirl_tui.screens.comparison import ComparisonScreen

    a, b = (evaluation_of(client.run(int(place[name]))) for name in "ab")
    return _pushing(lambda app: ComparisonScreen(app.state, a, b), place)


def _audit(client: Client, place: Kept) -> Opening | None:
    from bswirl.project import load_settings
    from bswirl_tui.screens.audit import AuditScreen, new_sitting

    position = client.audit_position()
    options = options_kept(place["options"], position.order, load_settings(client.project).audit)
    if position.item is None or options is None:
        return None

    def open_queue(app: BswirlApp) -> None:
        app.sitting = new_sitting(app, options, position)
        app.push_screen(AuditScreen(app.state, app.sitting))

    return open_queue


def _within(_client: Client, place: Kept) -> Opening:
    """A screen that the one below it opens, once it has read what it shows."""
    return lambda app: setattr(app.screen, "kept_within", dict(place))


def options_kept(kept: Any, order: str | None, settings: AuditSettings) -> QueueOptions | None:
    """How the audit queue was set up; None where that is unknown or was for another order.

    What the set-up does not ask is as the project's settings have it now.
    """
    if not kept:
        return None
    from bswirl_tui.audit_text import ORDERS
    from bswirl_tui.votes_cast import QueueOptions

    try:
        options = made(QueueOptions, kept)
    except (TypeError, ValueError):
        return None
    if options.order != order or order not in ORDERS:
        return None
    return replace(options, reserve_minutes=settings.reserve_minutes)


def made(kind: type[T], kept: Any) -> T:
    """A dataclass from what was kept of it as JSON; fields that it does not know are left out.

    Raises TypeError or ValueError where a field is not what its default is like.
    """
    if not isinstance(kept, Mapping):
        raise TypeError("not a mapping")
    usual, values = kind(), {}
    for field in fields(kind):  # type: ignore[arg-type]
        if field.name not in kept:
            continue
        value, default = kept[field.name], getattr(usual, field.name)
        if isinstance(value, list):
            value = set(value) if isinstance(default, set) else tuple(value)
        if default is not None and not isinstance(value, type(default)) and type(value) is not type(default):
            value = type(default)(value)
        values[field.name] = value
    return kind(**values)


_PREPARE: dict[str, Callable[[Client, Kept], Opening | None]] = {
    "curves": _curves,
    "moved": _moved,
    "runs": _runs,
    "run": _run,
    "rounds": _rounds,
    "report": _report,
    "cell": _within,
    "conflicts": _conflicts,
    "evaluations": _evaluations,
    "comparison": _comparison,
    "pair": _within,
    "audit": _audit,
}
