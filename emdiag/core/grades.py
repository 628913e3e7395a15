"""What a grader is told and what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Literal, Self

import msgspec

from emdiag.core.errors import GraderError
from emdiag.core.outside import names_object
from emdiag.core.records import Record
from emdiag.core.sampling import Completion

Tolerance = Literal["exact", "significant-digits"]
"""How close a number must come: to the digits written, or within the gold's significant digits
with a floor of 1 %."""


MAIN_GRADER = "math-verify"
"""Name of the grader whose score is quoted unless the user names one of their own."""
PLAIN_GRADER = "plain-math-verify"
"""Name of a second grader: Math-Verify as others call it."""
PUBLISHED_GRADER = "published"
"""Name of a second grader: the rules behind the paper's scores, faults included."""
SECOND_GRADERS = (PLAIN_GRADER, PUBLISHED_GRADER)


class Verdict(StrEnum):
    """Four outcomes of a comparison; never folded into a bool."""

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    """The completion holds nothing that counts as a final answer."""
    UNDECIDED = "undecided"
    """The deadline passed, or the comparison failed; the grade's note says which."""


class GraderSpec(Record, frozen=True, kw_only=True):
    """Which grader a benchmark uses, and how strict it is about numbers."""

    name: str = "math-verify"
    tolerance: Tolerance = "exact"


class Gold(Record, frozen=True, kw_only=True):
    """What the right answer to one problem is.

    Attributes:
        answer_type: As in `Problem.answer_type`; only `list` binds, the rest are hints.
        unit: Unit of the answer; an answer that states another one is wrong.
        error: Absolute error allowed, as a decimal string.
    """

    answer: str
    answer_type: str = "unknown"
    unit: str | None = None
    error: str | None = None
    tolerance: Tolerance = "exact"


class AnswerComparison(Record, frozen=True, kw_only=True):
    """One comparison: both sides as they were read, the rule, and whether they agree by it."""

    gold: str
    answer: str
    rule: str
    holds: bool


class Reason(Record, frozen=True, kw_only=True):
    """Why a verdict was given.

    Attributes:
        rule: That decided, in words; what stood in the way where nothing was compared.
        found_by: What found the answer in the completion: `box`, `boxes`, `announcement`,
            `whole text` or `nothing`.
        span: Where the answer begins and ends in the completion, in characters.
        comparisons: Parts before the whole; empty where texts are equal or nothing was compared.
    """

    rule: str
    found_by: str
    span: tuple[int, int] | None = None
    comparisons: tuple[AnswerComparison, ...] = ()


class Judgement(Record, frozen=True, kw_only=True):
    r"""The outcome of one comparison.

    Attributes:
        extracted: The answer as cut out of the completion, at most 4096 characters; None if none.
        boxed: Whether the answer came out of a closed `\boxed{}`.
        elapsed_s: Seconds spent on the distinct pair this one belongs to; 0 where nothing ran.
        note: Why the verdict is `undecided`, or how the answer was found; None otherwise.
        why: None from a grader that gives no reasons.
    """

    verdict: Verdict
    extracted: str | None
    boxed: bool
    elapsed_s: float
    note: str | None = None
    why: Reason | None = None


class Grade(Record, frozen=True, kw_only=True):
    """The judgement on one sample, as it is stored.

    Attributes:
        answer_class: Text of the first answer of this problem that is equal to this one, so
            that equal answers share it; None without an answer. It is found without the gold.
        grader: Identity of the grader, such as `math-verify/1`.
        text_digest: Of the text that was judged, see `text_digest`; None in grades of earlier
            versions, which are taken to be of the text that is there.
    """

    problem_id: str
    sample_index: int
    verdict: Verdict
    extracted: str | None
    boxed: bool
    answer_class: str | None
    grader: str
    elapsed_s: float
    note: str | None = None
    why: Reason | None = None
    text_digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")] | None = None

    @classmethod
    def of(
        cls,
        completion: Completion,
        judgement: Judgement,
        *,
        answer_class: str | None,
        grader: str,
    ) -> Self:
        """What a grader said of a sample."""
        return cls(
            problem_id=completion.problem_id,
            sample_index=completion.sample_index,
            verdict=judgement.verdict,
            extracted=judgement.extracted,
            boxed=judgement.boxed,
            answer_class=answer_class,
            grader=grader,
            elapsed_s=judgement.elapsed_s,
            note=judgement.note,
            why=judgement.why,
            text_digest=text_digest(completion.text),
        )


def text_digest(text: str) -> str:
    """What tells a text from one that was edited or drawn in its place: 16 hexadecimal digits."""
    return sha256(text.encode()).hexdigest()[:16]


def is_outside_grader(identity: str) -> bool:
    """Whether this grader is of the user's own; its grades do not stand for the main ones."""
    return names_object(identity.partition(" ")[0])


def is_second_grader(identity: str) -> bool:
    """Whether grades of this grader are kept beside the main ones and never quoted alone."""
    return identity.partition("/")[0] in SECOND_GRADERS


def check_decided(grades: Collection[Grade], grader: str) -> None:
    """Refuse grades of a user's own grader of which it decided none: they are no score of 0.

    Raises:
        GraderError: All of them are undecided; the message holds the commonest reason.
    """
    if not grades or not is_outside_grader(grader):
        return
    if any(grade.verdict is not Verdict.UNDECIDED for grade in grades):
        return
    ((reason, times),) = Counter(grade.note for grade in grades).most_common(1)
    raise GraderError(
        f"the grader {grader} decided none of {len(grades)} samples: {reason or 'it gave no note'}",
        undecided=f"{times} of {len(grades)} for this reason",
        hint="the samples are kept: correct the grader and run the same command again",
    )
