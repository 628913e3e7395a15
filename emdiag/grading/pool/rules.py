"""Sets of rules that a pool can run: ours, Math-Verify as others call it, and a user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from emdiag.core.errors import PlanError
from emdiag.core.grades import PLAIN_GRADER, PUBLISHED_GRADER, Gold, Verdict
from emdiag.core.outside import names_object, source_digest
from emdiag.grading.judge.judge import IDENTITY, versions
from emdiag.grading.pool.worker import (
    Decided,
    classes_outside,
    decide,
    decide_outside,
    decide_plain,
    decide_published,
    load_grader,
)

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
        classes: Runs in a worker: answers and deadline in seconds to the first answer of the list
            that is equal to each; None to ask `decide` for pairs of answers.
        versions: Library name to version, for every library that decides a verdict.
        worker_tests: Pairs that a worker must judge right before any verdict is used.
        tests_here: Likewise, pairs that need no worker.
    """

    identity: str
    decide: Callable[[Gold, str, float], Decided]
    reads_whole_text: bool
    worker_tests: tuple[Test, ...] = ()
    tests_here: tuple[Test, ...] = ()
    classes: Callable[[Sequence[str], float], list[str]] | None = None
    versions: Callable[[], dict[str, str]] = versions


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
)
"""The second grader: Math-Verify on the source's gold and the whole completion, unrepaired."""


PUBLISHED = Rules(
    identity=f"{PUBLISHED_GRADER}/1",
    decide=decide_published,
    reads_whole_text=True,
    worker_tests=(
        (r"\sqrt{12}", r"It is $\boxed{2\sqrt{3}}$.", Verdict.CORRECT),
        ("27", "So 2700", Verdict.CORRECT),
        ("3,1", r"\boxed{1,3}", Verdict.WRONG),
    ),
)
"""A second grader: the evaluation behind the paper's scores, on the source's gold."""

SECOND = (PLAIN, PUBLISHED)


def rules_named(name: str, *, own: Sequence[Rules] = (OURS,), kind: str = "grader") -> Rules:
    """The rules that a name stands for.

    Args:
        name: Of `own`; or `package.module:name` for a `Grader` of the user's, or a class of them
            that is made without arguments. It judges in the limited worker processes too, one
            pair at a time.
        own: The rules of emdiag's that may be named.
        kind: What they are for, for the message.

    Raises:
        PlanError: There is no such grader, it cannot be imported, or it is no `Grader`.
    """
    known = {rules.identity.partition("/")[0]: rules for rules in own}
    if name in known:
        return known[name]
    if not names_object(name):
        raise PlanError(
            f"there is no {kind} {name!r}",
            known=", ".join(known),
            hint="a grader of your own is named package.module:name",
        )
    grader = load_grader(name)
    identity, used = grader.identity, grader.versions
    if not isinstance(identity, str) or not isinstance(used, dict):
        raise PlanError(
            f"{name} is not a grader: `identity` is text and `versions` names to texts",
            found=f"{identity!r} and {used!r}",
        )
    stored = {str(library): str(version) for library, version in used.items()}
    stored |= {f"source of {name}": source_digest(name)}
    return Rules(
        identity=f"{name} {identity}",
        decide=partial(decide_outside, name),
        reads_whole_text=True,
        classes=partial(classes_outside, name),
        versions=lambda: stored,
    )
