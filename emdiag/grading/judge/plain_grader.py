r"""Math-Verify as others call it: `verify(parse(gold), parse(completion))`, without our repairs.

This is how lm-evaluation-harness scores its `minerva_math`: the answer is whatever Math-Verify's
own patterns find, boxed or not; numbers are rounded to six decimals, lists have an order, and units
are its own business. The gold is the source's, untouched. Math-Verify reads LaTeX only inside `$`
or a box, and in the harness the gold stands in the box of the written solution; so a gold without
either is put into `\boxed{}`.

One thing is not copied: its time limit, after which a pair is silently wrong. The pool's deadline
takes its place, and a pair that overruns it is `undecided`.

Imported in workers and tests only: it loads SymPy, whose parsers execute text.
"""

from __future__ import annotations

import logging

from math_verify import parse, verify

from emdiag.core.grades import Gold, Verdict
from emdiag.grading.judge.judge import MAX_ANSWER, Outcome

logging.getLogger("math_verify").setLevel(logging.ERROR)


def judge_plain(gold: Gold, completion: str) -> tuple[Outcome, str | None]:
    """The verdict on a whole completion, and the text of the answer that was found in it."""
    parsed = parse(completion, parsing_timeout=None)
    if not parsed:
        return Outcome(Verdict.NO_ANSWER, "Math-Verify finds nothing that it can read"), None
    right = verify(parse(_marked(gold.answer), parsing_timeout=None), parsed, timeout_seconds=None)
    extracted = str(parsed[-1])[:MAX_ANSWER]
    return Outcome(Verdict.CORRECT if right else Verdict.WRONG), extracted


def _marked(gold: str) -> str:
    return gold if "$" in gold or r"\boxed" in gold else rf"\boxed{{{gold}}}"
