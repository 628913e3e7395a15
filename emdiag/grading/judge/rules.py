"""Sets of rules that a pool can run: ours, and Math-Verify as others call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emdiag.core.grades import PLAIN_GRADER, Gold, Verdict
from emdiag.grading.judge.judge import IDENTITY
from emdiag.grading.pool.worker import Decided, decide, decide_plain

Test = tuple[str, str, Verdict]
"""Gold, answer or completion, and the known verdict."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What decides a pair.

    Attributes:
        identity: Name and revision, such as `math-verify/1`.
        decide: Runs in a worker: gold, text and deadline in seconds to a verdict.
        reads_whole_text: Whether `decide` takes whole completions and finds the answer itself;
            otherwise it takes answers that were cut out, and easy pairs never reach it.
        worker_tests: Pairs that a worker must judge right before any verdict is used.
        tests_here: Likewise, pairs that need no worker.
    """

    identity: str
    decide: Callable[[Gold, str, float], Decided]
    reads_whole_text: bool
    worker_tests: tuple[Test, ...]
    tests_here: tuple[Test, ...]


OURS = Rules(
    identity=IDENTITY,
    decide=decide,
    reads_whole_text=False,
    worker_tests=(
        (r"\sqrt{12}", r"2\sqrt{3}", Verdict.CORRECT),
        ("(x+1)^2", "x^2+2x+1", Verdict.CORRECT),
        ("(x+1)^2", "x^2+2x+2", Verdict.WRONG),
        (r"\frac{\pi}{2}", r"\frac{\pi}{3}", Verdict.WRONG),
    ),
    tests_here=(
        ("1,3", "3,1", Verdict.CORRECT),
        ("4.5e33", r"4.5 \times 10^{33}", Verdict.CORRECT),
    ),
)
"""The main grader: its score is the one that is quoted."""

PLAIN = Rules(
    identity=f"{PLAIN_GRADER}/1",
    decide=decide_plain,
    reads_whole_text=True,
    worker_tests=(
        (r"\sqrt{12}", r"It is $\boxed{2\sqrt{3}}$.", Verdict.CORRECT),
        ("(x+1)^2", r"\boxed{x^2+2x+2}", Verdict.WRONG),
    ),
    tests_here=(),
)
"""The second grader: Math-Verify on the source's gold and the whole completion, unrepaired."""
