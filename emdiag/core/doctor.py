"""What `doctor` found: the state of a machine, of a checkpoint, and whether engines agree."""

from __future__ import annotations

from typing import Literal

from emdiag.core.records import Record, Result
from emdiag.core.results import Remark

AgreementVerdict = Literal["agree", "near-ties only", "disagree"]

READER = "reader"
"""How the uncached pass over written texts is called beside engines."""


class Check(Record, frozen=True):
    """One line of a look at something; `is_wrong` where something that is needed does not work."""

    name: str
    state: Remark
    remedy: Remark | None = None
    is_wrong: bool = False


class GreedyDifference(Record, frozen=True, kw_only=True):
    """A position at which two engines take another token as the likeliest, after equal ones.

    Attributes:
        position: Of the completion; the first token is 1.
        left_margin, right_margin: Log-probability of each side's likeliest token minus that of its
            second one, in nats.
        reader_gap: How much likelier the reader takes one of the two tokens to be, in nats.
    """

    problem_id: str
    position: int
    left_token: int
    right_token: int
    left_margin: float
    right_margin: float
    reader_gap: float


class LogProbGap(Record, frozen=True, kw_only=True):
    """Log-probabilities of tokens drawn at temperature 1, by their sampler and the reader, in nats.

    Attributes:
        mean, largest: Of |log p(sampler) - log p(reader)|.
        k1, k3: Estimates of KL(sampler || reader), with r = p(reader) / p(sampler): the means of
            -log r and of r - 1 - log r.
            Source: Schulman, Approximating KL Divergence (2020); verl, docs/algo/rollout_corr.md,
            `rollout_corr/kl` and `rollout_corr/k3_kl`.
        surprise: Mean of -log p(reader) minus the mean entropy of the reader: 0 but for chance
            where tokens are drawn as their probabilities say, above it where warmer.
        surprise_z: The same over its standard error.
    """

    tokens: int
    mean: float
    largest: float
    k1: float
    k3: float
    surprise: float
    surprise_z: float


class EngineAgreement(Record, frozen=True, kw_only=True):
    """Two ways of computing the same checkpoint on the same prompts.

    Attributes:
        left, right: An engine each, or `reader`.
        left_dtype, right_dtype: Number formats.
        tokens: Greedy tokens compared: each on the reader's side; between two engines those of the
            longer text.
        equal: Those that are equal; between two engines those before the first difference.
        first, widest: The earliest difference, and the one the reader is surest of; None without.
        gap: None between two engines, which draw other texts.
        bound: Mean gap in nats up to which they agree, for these number formats; the other bounds
            follow from it (`measure.agreement`).
    """

    left: str
    right: str
    left_dtype: str
    right_dtype: str
    prompts: int
    tokens: int
    equal: int
    first: GreedyDifference | None
    widest: GreedyDifference | None
    gap: LogProbGap | None
    bound: float
    verdict: AgreementVerdict


class Refusal(Record, frozen=True, kw_only=True):
    """An error that ended the look at a checkpoint."""

    message: str
    facts: dict[str, str]
    hint: str | None


class DoctorResult(Result, frozen=True, kw_only=True, tag="doctor"):
    """A look at a machine, or at a checkpoint and the engines that can run it here.

    Attributes:
        label: Of the checkpoint; None where the machine was looked at.
        benchmark: Whose first problems were the prompts.
        error: Why the look at the checkpoint ended early.
    """

    label: str | None
    checks: tuple[Check, ...]
    benchmark: str | None = None
    agreements: tuple[EngineAgreement, ...] = ()
    error: Refusal | None = None

    @property
    def wrong(self) -> tuple[str, ...]:
        """Names of what is needed and does not work, and pairs of engines that disagree."""
        pairs = [f"{a.left} against {a.right}" for a in self.agreements if a.verdict == "disagree"]
        return (*(check.name for check in self.checks if check.is_wrong), *pairs)
