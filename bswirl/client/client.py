"""The owner's methods as Python methods that take and return records."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bswirl.certificates import Certificate
from bswirl.client.auditing import Auditing
from bswirl.client.start import wait_until_stopped
from bswirl.errors import InputError
from bswirl.interchange import PlacedQuestion, SampleRow
from bswirl.records import (
    Action,
    ActionDetail,
    Judge,
    Label,
    NewQuestion,
    QuestionRow,
    QuestionShifts,
    QuestionTree,
    Run,
    StoredPrompt,
    Verdict,
    from_json,
    to_json,
)
from bswirl.selections import SavedSelection, Selection, SelectionCounts
from bswirl.tokens import SampleTokens

Metrics = dict[str, list[tuple[int, float]]]
ThinnedMetrics = dict[str, list[tuple[int, float, int, float | None]]]


class Client(Auditing):
    """A project as its users see it. Every method raises BswirlError (of a fitting kind) where it cannot."""

    # reading

    def stats(self) -> dict[str, Any]:
        """Counts of everything in the project."""
        return dict(self.call("stats"))

    def questions(
        self,
        *,
        search: str = "",
        dataset: str | None = None,
        split: str | None = None,
        filter: str = "all",  # noqa: A002 - the word the app and the command line use
        sort: str = "id",
        descending: bool = False,
        offset: int = 0,
        limit: int = 200,
    ) -> tuple[list[QuestionRow], int]:
        """A page of the question list, and how many questions match in all.

        `filter`: all, sampled, unjudged, labelled, live, dead, conflict, unsolved. `sort`: id, actions,
        reward, live, labelled, address.
        """
        page = self.call(
            "questions",
            search=search,
            dataset=dataset,
            split=split,
            filter=filter,
            sort=sort,
            descending=descending,
            offset=offset,
            limit=limit,
        )
        return [from_json(QuestionRow, row) for row in page["rows"]], page["total"]

    def question_place(self, question_id: int, **listing: Any) -> int | None:
        """Where a question stands in the list that `questions` gives for the same words, from 0.

        None where that list does not have it.
        """
        place = self.call("question_place", question_id=question_id, **listing)
        return None if place is None else int(place)

    def datasets(self) -> list[dict[str, Any]]:
        """`{"dataset", "split", "questions"}` for each split of each dataset."""
        return list(self.call("datasets"))

    def tree(self, question: int | str) -> QuestionTree:
        """The tree of a question, by number or `dataset:id`. Raises InputError where there is none."""
        return from_json(QuestionTree, self.call("tree", question=question))

    def action(self, action_id: int) -> ActionDetail:
        """Everything about one action. Raises InputError where there is none of that number."""
        return from_json(ActionDetail, self.call("action", action_id=action_id))

    def action_tokens(self, action_id: int, limit: int = 100) -> list[SampleTokens]:
        """The newest samples of an action, newest first, with their tokens where these are stored."""
        found = self.call("action_tokens", action_id=action_id, limit=limit)
        return [from_json(SampleTokens, sample) for sample in found]

    def group_verdicts(self, action_id: int) -> list[Verdict]:
        """The verdicts in force on an action and its siblings, by action."""
        return [from_json(Verdict, verdict) for verdict in self.call("group_verdicts", action_id=action_id)]

    def prompt(self, sha: str) -> StoredPrompt | None:
        """The prompt of that hash, where a run of this project stored it."""
        found = self.call("prompt", sha=sha)
        return from_json(StoredPrompt, found) if found else None

    def group(self, action_id: int) -> list[Action]:
        """The action with its siblings, in the order of their numbers."""
        detail = self.action(action_id)
        return sorted((detail.action, *detail.siblings), key=lambda action: action.action_id)

    # labels

    def set_label(
        self,
        action_id: int,
        value: str,
        *,
        reason: str | None = None,
        blind: bool | None = None,
        adjudicates: bool = False,
        flagged: bool = False,
        withdraws: str | None = None,
        client_uid: str | None = None,
    ) -> Label:
        """Labels an action `1`, `0`, `unsure` or `skip`; it is on disk when this returns.

        `withdrawn` takes back the label with the uid `withdraws`, else this auditor's newest on that action.
        """
        label = self.call(
            "label_set",
            action_id=action_id,
            value=value,
            reason=reason,
            blind=blind,
            adjudicates=adjudicates,
            flagged=flagged,
            withdraws=withdraws,
            client_uid=client_uid or str(uuid.uuid4()),
        )
        return from_json(Label, label)

    def undo_label(self, auditor: str | None = None, *, client_uid: str | None = None) -> Label | None:
        """Withdraws this auditor's newest label that stands, and returns it; None where there is none."""
        uid = client_uid or str(uuid.uuid4())
        label = self.call("label_undo", auditor=auditor or self.auditor, client_uid=uid)
        return from_json(Label, label) if label else None

    def labels(self, limit: int = 50, *, auditor: str | None = None) -> list[Label]:
        """The newest labels (of one auditor, else of all), newest first, withdrawn ones among them."""
        return [from_json(Label, label) for label in self.call("labels", limit=limit, auditor=auditor)]

    # runs

    def runs(self, kind: str | None = None, limit: int = 200) -> list[Run]:
        """The newest runs, newest first."""
        return [from_json(Run, run) for run in self.call("runs", kind=kind, limit=limit)]

    def run(self, run_id: int) -> Run:
        """One run. Raises InputError where there is none of that number."""
        return from_json(Run, self.call("run", run_id=run_id))

    def metrics(
        self,
        run_id: int,
        *,
        after: int | None = None,
        until: int | None = None,
        most: int | None = None,
        names: Sequence[str] = (),
    ) -> Metrics:
        """A run's curves: for each name its (step, value) points beyond step `after`, up to `until`, by step.

        With `names`, only those curves. With `most`, longer ones are thinned to about as many points; none of
        their extremes is lost.
        """
        asked = {"after": after, "until": until, "most": most, "names": list(names)}
        curves = self.call("metrics", run_id=run_id, **asked)
        return {name: [(step, value) for step, value in points] for name, points in curves.items()}

    def thinned_metrics(
        self,
        run_id: int,
        most: int,
        *,
        after: int | None = None,
        until: int | None = None,
        names: Sequence[str] = (),
    ) -> ThinnedMetrics:
        """As `metrics` with `most`, each point with the number and mean of the finite ones it stands for.

        Those are the ones from the point before it on; the mean is None where there are none.
        """
        asked = {"after": after, "until": until, "most": most, "names": list(names), "shares": True}
        curves = self.call("metrics", run_id=run_id, **asked)
        return {name: [tuple(point) for point in points] for name, points in curves.items()}

    def shifts(self, run_id: int, step: int | None = None) -> list[dict[str, Any]]:
        """Log-prob shifts of held-out actions: `{"step", "action_id", "reward", "shift", "n_tokens"}`."""
        return list(self.call("shifts", run_id=run_id, step=step))

    def question_shifts(self, question_id: int, run_id: int | None = None) -> QuestionShifts:
        """The last log-prob shifts of a question's actions, by that run or the newest that measured any."""
        found = self.call("question_shifts", question_id=question_id, run_id=run_id)
        return from_json(QuestionShifts, found)

    def moved(self, run_id: int, *, until: int | None = None, limit: int = 50) -> dict[str, Any]:
        """The held-out actions that moved most at the newest probe up to step `until`, most first.

        `{"step", "before", "actions", "rows"}`; docs/protocol.md says what is in it.
        """
        return dict(self.call("moved", run_id=run_id, until=until, limit=limit))

    def answers(self, run_id: int) -> list[dict[str, Any]]:
        """What an evaluation's questions were answered, by question.

        Rows: `{"question_id", "address", "text", "strict", "flexible", "is_correct", "n_tokens"}`.
        """
        return list(self.call("answers", run_id=run_id))

    def register_run(self, run_uid: str, kind: str, name: str, config: dict[str, Any], input_sha: str) -> Run:
        """Gives the run whose folder is `runs/.new-UID` a number and renames its folder to that."""
        run = self.call(
            "run_register", run_uid=run_uid, kind=kind, name=name, config=config, input_sha=input_sha
        )
        return from_json(Run, run)

    def attach_run(self, folder: Path) -> Run:
        """Takes in the folder of a run of this project that was worked on elsewhere, journal and all."""
        return from_json(Run, self.call("run_attach", folder=str(folder.resolve())))

    def restart_run(self, run_id: int) -> Run:
        """Queues a lost, failed or cancelled run for another attempt. Raises InputError on others."""
        return from_json(Run, self.call("run_restart", run_id=run_id))

    def select(self, kind: str, **filters: Any) -> Generator[dict[str, Any], None, dict[str, Any]]:
        """The rows that a new run of that kind would work on, ready to be frozen.

        The generator returns what was left out: `{"rows", "considered", "reasons": {reason: n}}`.
        """
        return self.stream("select", kind=kind, **filters)

    # judges

    def judges(self) -> list[Judge]:
        """The judges that ever gave a verdict here or are ranked."""
        return [from_json(Judge, judge) for judge in self.call("judges")]

    def rank_judge(self, name: str, rank: int | None, *, judge_id: int | None = None) -> list[Judge]:
        """Gives a judge (the newest of that name) a rank; the lowest decides, without one it never does."""
        ranked = self.call("judge_rank", name=name, rank=rank, judge_id=judge_id)
        return [from_json(Judge, judge) for judge in ranked]

    def judge_flips(self, a: int | str, b: int | str, *, limit: int = 50) -> dict[str, Any]:
        """How two judges, by number or name, agree where both judged, and which verdicts flipped.

        docs/protocol.md says what is in it. Raises InputError where a judge is unknown or ambiguous.
        """
        return dict(self.call("judge_flips", a=a, b=b, limit=limit))

    def certificates(self) -> list[Certificate]:
        """Judges' certificates, newest first."""
        return [from_json(Certificate, found) for found in self.call("certificates")]

    def add_certificate(self, certificate: Certificate) -> Certificate:
        """Keeps a certificate in the project, under its `client_uid` or one made here."""
        uid = certificate.client_uid or str(uuid.uuid4())
        kept = self.call("certificate_add", certificate={**to_json(certificate), "client_uid": uid})
        return from_json(Certificate, kept)

    # selections

    def selections(self) -> list[SavedSelection]:
        """The saved selections, by name."""
        return [_saved(found) for found in self.call("selections")]

    def selection(self, name: str) -> SavedSelection:
        """The selection saved by that name. Raises InputError where there is none."""
        saved = {found.name: found for found in self.selections()}
        if name not in saved:
            known = ", ".join(saved) or "none yet: `bswirl selections save NAME`"
            raise InputError(f"there is no selection `{name}`", f"selections are {known}")
        return saved[name]

    def save_selection(self, name: str, selection: Selection, *, replace: bool = False) -> SavedSelection:
        """Saves a selection. Raises InputError where another has its name, unless told to `replace`."""
        return _saved(self.call("selection_save", name=name, **selection.to_json(), replace=replace))

    def delete_selection(self, name: str) -> bool:
        """Forgets a selection; whether there was one of that name."""
        return bool(self.call("selection_delete", name=name)["deleted"])

    def count_selection(self, selection: Selection) -> SelectionCounts:
        """What a selection leaves now, and what it leaves out by why."""
        return from_json(SelectionCounts, self.call("selection_counts", **selection.to_json()))

    # import and export

    def import_questions(self, questions: Iterable[NewQuestion]) -> dict[str, Any]:
        """Adds questions: `{"new": n, "known": n, "changed": [addresses left alone, as they differ]}`."""
        return dict(self.upload("import_questions", (to_json(question) for question in questions)))

    def import_samples(self, questions: Iterable[PlacedQuestion], name: str) -> dict[str, Any]:
        """Adds samples as an import run: `{"new": n, "known": n, "conflicts": [{"line", "reason"}], …}`."""
        rows = (to_json(question) for question in questions)
        return dict(self.upload("import_samples", rows, name=name))

    def export_samples(self, dataset: str | None = None) -> Iterator[SampleRow]:
        """Every sample, by dataset, question, trajectory, step and branch."""
        for row in self.stream("export_samples", dataset=dataset):
            yield from_json(SampleRow, row)

    # the owner

    def stop_owner(self) -> None:
        """Makes the owner end, and waits until it has; a later call starts another. Workers go on."""
        self.call("stop")
        self.close()
        wait_until_stopped(self.project)


def _saved(found: dict[str, Any]) -> SavedSelection:
    return from_json(SavedSelection, found)
