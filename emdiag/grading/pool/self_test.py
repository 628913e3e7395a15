"""A dozen answers whose verdicts are known, through the pool as every answer goes."""

from __future__ import annotations

from emdiag.core.grades import Gold, Verdict
from emdiag.grading.pool.pool import GraderPool
from emdiag.grading.pool.rules import Test

DOZEN: tuple[Test, ...] = (
    ("1/2", r"So it is $\boxed{0.5}$.", Verdict.CORRECT),
    ("1/2", r"So it is $\boxed{0.51}$.", Verdict.WRONG),
    ("27", "The answer is 27.", Verdict.CORRECT),
    ("27", r"First \boxed{27}, but no: \boxed{72}.", Verdict.WRONG),
    ("27", "I cannot say.", Verdict.NO_ANSWER),
    ("4.5e33", r"\boxed{4.5 \times 10^{33}}", Verdict.CORRECT),
    (r"\sqrt{12}", r"\boxed{2\sqrt{3}}", Verdict.CORRECT),
    ("(x+1)^2", r"\boxed{x^2+2x+1}", Verdict.CORRECT),
    ("(x+1)^2", r"\boxed{x^2+2x+2}", Verdict.WRONG),
    (r"\sin(2x)", r"\boxed{2\sin x\cos x}", Verdict.CORRECT),
    (r"\frac{\pi}{2}", r"\boxed{\frac{\pi}{3}}", Verdict.WRONG),
    (r"\frac{\ln 8}{\ln 2}", r"\boxed{3}", Verdict.CORRECT),
)
"""Gold, completion and verdict; the last ones need a worker process and algebra."""


def failures(pool: GraderPool) -> list[tuple[Test, Verdict]]:
    """Those of the dozen that the pool judges otherwise, with its verdict.

    Raises:
        GraderError: No process can start, or one fails the test of its own.
    """
    judged = pool.grade((Gold(answer=gold), text) for gold, text, _ in DOZEN)
    pairs = zip(DOZEN, judged, strict=True)
    return [(test, item.verdict) for test, item in pairs if item.verdict is not test[2]]
