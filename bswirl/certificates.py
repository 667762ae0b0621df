"""A judge's certificate: how often its `correct` agrees with people, and what training may take from it."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_STEPS = (
    50  # of each kind behind a rate that rewards are corrected with: a standard error of at most 0.07
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95% interval; None where nothing could be measured."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def complement(self) -> Estimate:
        """1 − the figure: FPR of a TNR, FNR of a TPR."""
        if self.value is None or self.low is None or self.high is None:
            return Estimate()
        return Estimate(1 - self.value, 1 - self.high, 1 - self.low)


@dataclass(frozen=True, slots=True)
class Rates:
    """Judged steps by what people and the judge said of them; positive is *correct*."""

    true_positive: int = 0
    false_negative: int = 0  # correct steps that the judge calls wrong
    false_positive: int = 0  # wrong steps that the judge calls correct
    true_negative: int = 0
    tpr_low: float | None = None
    tpr_high: float | None = None
    tnr_low: float | None = None
    tnr_high: float | None = None

    @property
    def correct(self) -> int:
        """Steps that people call correct."""
        return self.true_positive + self.false_negative

    @property
    def wrong(self) -> int:
        """Steps that people call wrong."""
        return self.false_positive + self.true_negative

    @property
    def tpr(self) -> Estimate:
        """Share of the correct steps that the judge calls correct."""
        return _share(self.true_positive, self.correct, self.tpr_low, self.tpr_high)

    @property
    def tnr(self) -> Estimate:
        """Share of the wrong steps that the judge calls wrong."""
        return _share(self.true_negative, self.wrong, self.tnr_low, self.tnr_high)

    @property
    def fpr(self) -> Estimate:
        """Share of the wrong steps that the judge calls correct."""
        return self.tnr.complement

    @property
    def fnr(self) -> Estimate:
        """Share of the correct steps that the judge calls wrong."""
        return self.tpr.complement


def _share(part: int, whole: int, low: float | None, high: float | None) -> Estimate:
    return Estimate(part / whole, low, high) if whole else Estimate()


@dataclass(frozen=True, slots=True)
class DepthRates:
    """Rates at one depth (a step's number, from 1), or over all depths (None)."""

    depth: int | None
    unjudged: int  # steps with a human label and no readable verdict: they are in none of the rates
    steps: Rates
    progress: Rates  # of those steps alone that the judge says make progress


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a judge got on a benchmark of human step labels. It is of `correct`, never of the reward."""

    judge: str
    model: str
    prompt_sha: str
    benchmark: str
    file: str  # its name
    file_sha: str  # SHA-256 of its bytes
    solutions_sha: str | None  # of the gold solutions that the judge was given; None without any
    file_solutions: int  # that could be read from it
    solutions: int  # that the judge was asked about
    erroneous: int  # of these, solutions with a wrong step
    questions: int
    with_gold: int  # solutions to questions with a gold solution
    votes: int  # that the judge gave on each step
    undetermined: int  # solutions whose first error an unjudged step leaves open: misses in the F1
    f1: Estimate
    accuracy_erroneous: Estimate
    accuracy_correct: Estimate
    kappa: Estimate
    overall: DepthRates
    depths: tuple[DepthRates, ...]
    client_uid: str = ""
    certificate_id: int | None = None  # None: not in a project
    created_by: str = ""
    created_at: str = ""  # ISO 8601, UTC; set by the owner

    @property
    def identity(self) -> tuple[str, str, str]:
        """Whom it is of: name, model and prompt."""
        return self.judge, self.model, self.prompt_sha

    @property
    def is_part(self) -> bool:
        """Whether only some of the file's solutions were judged: a trial, by which nothing is corrected."""
        return self.solutions < self.file_solutions

    @property
    def labelled(self) -> int:
        """Steps with a human label."""
        return self.overall.unjudged + self.overall.steps.correct + self.overall.steps.wrong


@dataclass(frozen=True, slots=True)
class CertifiedRates:
    """A judge's error rates of `correct` among steps that it says make progress; depth None is at all."""

    judge: str
    depth: int | None
    fpr: float
    fnr: float


def certified_rates(certificate: Certificate) -> tuple[CertifiedRates, ...]:
    """The rates that rewards can be corrected with: overall, and at each depth with enough steps of its own.

    Empty for a trial, and where even all depths together have fewer than LEAST_STEPS correct or wrong steps.
    """
    if certificate.is_part or not _suffices(certificate.overall.progress):
        return ()
    measured = [certificate.overall, *(at for at in certificate.depths if _suffices(at.progress))]
    return tuple(
        CertifiedRates(
            certificate.judge,
            at.depth,
            at.progress.false_positive / at.progress.wrong,
            at.progress.false_negative / at.progress.correct,
        )
        for at in measured
    )


def _suffices(rates: Rates) -> bool:
    return min(rates.correct, rates.wrong) >= LEAST_STEPS
