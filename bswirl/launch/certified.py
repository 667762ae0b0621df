"""A training run's correction by certificates: which judges gave its rewards, and what is certified of them.

A run works by the newest certificate of each judge that is of a whole file. Its rates are frozen into the
run's config, because the worker never sees the store.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bswirl.certificates import LEAST_STEPS, Certificate, certified_rates
from bswirl.client import Client
from bswirl.errors import InputError
from bswirl.judging.catalogue import REFERENCE
from bswirl.launch.requests import RunRequest
from bswirl.records import FrozenTree, Judge, from_json
from bswirl.training.objectives import LEAST_INFORMED

Identity = tuple[str, str, str]  # a judge's name, model and prompt


class RewardJudges:
    """Which judges gave the rewards that a run trains on."""

    def __init__(self) -> None:
        self.judges: dict[str, set[int]] = defaultdict(set)  # their numbers, by name
        self.without_progress: Counter[str] = Counter()  # rewards that do not say what progress is, by name

    def noted(self, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The rows as they are, their judges counted."""
        for row in rows:
            self._add(from_json(FrozenTree, row))
            yield row

    def _add(self, tree: FrozenTree) -> None:
        if tree.probe:
            return
        selected = set(tree.selected)
        for action in tree.tree.actions:
            if action.action_id in selected and action.source == "judge" and action.judge:
                self.judges[action.judge].add(action.judge_id or 0)
                self.without_progress[action.judge] += action.judge_progress is None


def corrects_by_certificate(request: RunRequest) -> bool:
    """Whether the run asks for certified rates."""
    return request.kind == "train" and request.settings["judge_rates"] == "certificate"


def certificates_for(client: Client, request: RunRequest, judges: RewardJudges) -> list[Certificate]:
    """The certificates by which the run corrects rewards: one of each judge that gives any.

    Raises InputError where one is missing, does not suffice, or says that its judge is no better than chance.
    """
    newest: dict[Identity, Certificate] = {}
    parts: dict[Identity, Certificate] = {}
    for certificate in client.certificates():
        (parts if certificate.is_part else newest).setdefault(certificate.identity, certificate)
    if request.settings["objective"] == "swirl-onpolicy":  # the worker judges fresh actions itself
        wanted = [(REFERENCE.name, REFERENCE.model, REFERENCE.prompt_sha)]
    else:
        known = {judge.judge_id: judge for judge in client.judges()}
        wanted = [_identity(name, known, judges) for name in sorted(judges.judges)]
    return [_checked(identity, newest.get(identity), parts.get(identity)) for identity in wanted]


def frozen_rates(certificates: Sequence[Certificate]) -> list[dict[str, Any]]:
    """Their rates as a run's config holds them."""
    return [asdict(rates) for certificate in certificates for rates in certified_rates(certificate)]


def rate_words(certificate: Certificate) -> str:
    """What a run will be corrected by, in a line."""
    overall, *depths = certified_rates(certificate)
    votes = f", {certificate.votes} votes a step" if certificate.votes > 1 else ""
    places = ", ".join(str(rates.depth) for rates in depths)
    return (
        f"rewards of {certificate.judge} for steps with progress are corrected by certificate "
        f"{certificate.certificate_id} ({certificate.benchmark} {certificate.file}, "
        f"{certificate.with_gold} of {certificate.solutions} with a gold solution{votes}): "
        f"FPR {overall.fpr:.3f}, FNR {overall.fnr:.3f}" + (f"; own rates at step {places}" if places else "")
    )


def _identity(name: str, known: Mapping[int, Judge], judges: RewardJudges) -> Identity:
    """The one judge of that name that gave rewards."""
    if judges.without_progress[name]:
        raise InputError(
            f"{judges.without_progress[name]} rewards of {name} do not say correct and progress apart, as "
            "imported ones never do: no certificate is of them",
            "judge the steps here: bswirl judge; or use judge_rates given",
        )
    gave = judges.judges[name]
    if len(gave) > 1:
        raise InputError(
            f"{len(gave)} judges called {name}, of other models or prompts, gave rewards: their rates differ",
            "train on what one of them judged, or judge the steps again",
        )
    judge = known[min(gave)]
    return judge.name, judge.model, judge.prompt_sha


def _checked(identity: Identity, certificate: Certificate | None, part: Certificate | None) -> Certificate:
    name, model, prompt = identity
    who = f"judge {name} ({model}, prompt {prompt[:12]})"
    remedy = f"bswirl audit certify --judge {name} FILE"
    if certificate is None and part is not None:
        raise InputError(
            f"{who} gave rewards and has a certificate of a trial alone: certificate "
            f"{part.certificate_id}, of {part.solutions} of the {part.file_solutions} solutions in "
            f"{part.file}",
            f"{remedy} without --limit",
        )
    if certificate is None:
        raise InputError(f"{who} gave rewards and has no certificate", remedy)
    number, usable = certificate.certificate_id, certified_rates(certificate)
    if not usable:
        raise InputError(
            f"certificate {number} of {who} has too few steps with progress to correct by: it takes "
            f"{LEAST_STEPS} correct and as many wrong ones",
            f"{remedy} on a larger file",
        )
    for rates in usable:
        informed = 1 - rates.fpr - rates.fnr
        if informed < LEAST_INFORMED:
            place = "" if rates.depth is None else f" at step {rates.depth}"
            raise InputError(
                f"certificate {number} of {who}{place}: FPR {rates.fpr:.3f} and FNR {rates.fnr:.3f} leave "
                f"1 - FPR - FNR = {informed:.3f}, below {LEAST_INFORMED:g}: its verdicts cannot be corrected",
                "use a better judge, or labels",
            )
    return certificate
