"""What runs inside a grading process: one pair at a time, within limits of its own."""

from __future__ import annotations

import resource
import signal
import sys
import time
from contextlib import redirect_stdout
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, NoReturn, cast

from emdiag.core.errors import PlanError
from emdiag.core.grades import Gold, Judgement, Reason, Verdict
from emdiag.core.outside import load_instance
from emdiag.grading.judge.judge import Outcome, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emdiag.core.protocols import Grader

CPU_GRACE_S = 5
_REASON_LENGTH = 300
COMPUTING_S = 2.0
"""Seconds of processor time that our own comparison may take; other load does not count."""


class _TooLongError(BaseException):
    """No `Exception`, since SymPy catches those."""


class Decided(NamedTuple):
    """What was decided in how many seconds; the answer where the rules find it themselves."""

    outcome: Outcome
    elapsed_s: float
    extracted: str | None = None


def start(memory_mb: int, loads_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - by place
    """Set the limits of this process and load the parser, so that the first pair is quick.

    A parser that cannot be loaded is told by the first pair, where somebody listens.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # dies at once, also inside big-integer code
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not loads_parser:
        return
    try:
        import emdiag.grading.judge.math_verify_grader  # noqa: F401 - loaded for its effect
    except ImportError:
        return


def decide(gold: Gold, answer: str, deadline_s: float) -> Decided:
    """The verdict on an answer that was cut out of a completion.

    Raises:
        ImportError: The parser cannot be loaded.
    """
    from emdiag.grading.judge.math_verify_grader import Algebra

    signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, COMPUTING_S, COMPUTING_S / 10)
    try:
        return _within(deadline_s, lambda: (judge(gold, answer, Algebra()), None))
    except _TooLongError:
        note = f"the comparison took longer than {COMPUTING_S:g} s of computing"
        return Decided(Outcome(Verdict.UNDECIDED, note), COMPUTING_S)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def decide_plain(gold: Gold, completion: str, deadline_s: float) -> Decided:
    """The verdict of Math-Verify alone on a whole completion.

    Raises:
        ImportError: Math-Verify cannot be loaded.
    """
    from emdiag.grading.judge.plain_grader import judge_plain

    return _within(deadline_s, lambda: judge_plain(gold, completion))


def decide_published(gold: Gold, completion: str, deadline_s: float) -> Decided:
    """The verdict of the published rules on a whole completion.

    Raises:
        ImportError: SymPy's parser cannot be loaded.
    """
    from emdiag.grading.judge.published_grader import judge_published

    return _within(deadline_s, lambda: judge_published(gold, completion))


def decide_outside(name: str, gold: Gold, completion: str, deadline_s: float) -> Decided:
    """The verdict of a grader of the user's own on a whole completion.

    Raises:
        ImportError: It cannot be loaded here.
    """
    grader = _load_here(name)
    with redirect_stdout(sys.stderr):  # what it prints is no part of a result
        return _within(deadline_s, lambda: _judged(grader, gold, completion))


def classes_outside(name: str, answers: Sequence[str], deadline_s: float) -> list[str]:
    """For each answer the first one equal to it, as a grader of the user's own says.

    Where it fails or answers something else, every answer is equal to itself alone.

    Raises:
        ImportError: It cannot be loaded here.
    """
    grader = _load_here(name)
    _limit_cpu(deadline_s)
    try:
        with redirect_stdout(sys.stderr):
            (firsts,) = grader.classes([answers])
    except (Exception, SystemExit):  # it is not our code
        return list(answers)
    is_sound = len(firsts) == len(answers) and set(firsts) <= set(answers)
    return list(firsts) if is_sound else list(answers)


@cache
def load_grader(name: str) -> Grader:
    """The grader called `package.module:name`.

    Raises:
        PlanError: It cannot be imported, or is no `Grader`; the message says what is missing.
    """
    needs = ("identity", "versions", "grade", "classes")
    return cast("Grader", load_instance(name, kind="grader", needs=needs))


def _load_here(name: str) -> Grader:
    try:
        return load_grader(name)
    except PlanError as error:
        raise ImportError(str(error)) from error


def _judged(grader: Grader, gold: Gold, completion: str) -> tuple[Outcome, str | None]:
    try:
        judgements = list(islice(grader.grade([(gold, completion)]) or (), 2))
    except (Exception, SystemExit) as error:  # it is not our code
        reason = f"{type(error).__name__}: {error}"[:_REASON_LENGTH]
        return Outcome(Verdict.UNDECIDED, f"the grader failed: {reason}"), None
    if len(judgements) != 1:
        given = "more than one" if judgements else "nothing"
        return Outcome(Verdict.UNDECIDED, f"the grader gave {given}, expected one Judgement"), None
    (judgement,) = judgements
    if not isinstance(judgement, Judgement):
        kind = type(judgement).__name__
        return Outcome(Verdict.UNDECIDED, f"the grader gave a {kind}, expected a Judgement"), None
    why = judgement.why or Reason(rule="", found_by="")
    outcome = Outcome(Verdict(judgement.verdict), judgement.note, why.rule or None, why.comparisons)
    return outcome, judgement.extracted


def _within(deadline_s: float, compare: Callable[[], tuple[Outcome, str | None]]) -> Decided:
    """What `compare` decides; whatever the libraries raise becomes `undecided` with a note."""
    started, extracted = time.perf_counter(), None
    _limit_cpu(deadline_s)
    try:
        outcome, extracted = compare()
    except MemoryError:
        outcome = Outcome(Verdict.UNDECIDED, "the comparison ran out of memory")
    except RecursionError:
        outcome = Outcome(Verdict.UNDECIDED, "the comparison is nested too deep")
    except (Exception, SystemExit) as error:  # SymPy raises anything on what a model writes
        note = f"the comparison failed: {type(error).__name__}"
        outcome = Outcome(Verdict.UNDECIDED, note)
    elapsed_s = time.perf_counter() - started
    return Decided(outcome, elapsed_s, extracted)


def _stop(*_: object) -> NoReturn:
    raise _TooLongError


def _limit_cpu(deadline_s: float) -> None:
    used = time.process_time()
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + deadline_s) + CPU_GRACE_S, most))
