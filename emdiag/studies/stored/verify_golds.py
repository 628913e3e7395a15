r"""Does every gold equal itself under the grader? A gold that does not is a defect of the set.

Equal texts are equal whatever they mean, so golds are also written another way where that is safe:
a gold that equals itself only as text is one the grader cannot read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from emdiag.benchmarks.golds import members
from emdiag.core.grades import Verdict
from emdiag.core.problems import BenchmarkCard, Problem, gold_of
from emdiag.core.protocols import Grader
from emdiag.core.records import Record

# Relations, number bases, percent, degrees and matrices: not values one may multiply.
_SPECIAL = re.compile(r"[=<>%]|\\(?:[gl]eq?(?:slant)?|in|circ|begin)\b|\d_\{?\d")


class GoldCheck(Record, frozen=True, kw_only=True):
    """What the grader says of one gold, `written` as an answer to its own problem."""

    problem_id: str
    answer: str
    written: str
    verdict: Verdict
    extracted: str | None
    tags: tuple[str, ...]
    note: str | None


class BenchmarkVerification(Record, frozen=True, kw_only=True):
    """Self-agreement of the golds of one benchmark.

    Attributes:
        problems: All of them, tagged ones too.
        agreeing: Golds that equal themselves, tagged ones too.
        disagreeing: Untagged problems whose gold does not equal itself; should be empty.
        tagged: Problems with known defects, whatever the grader says of their golds.
        reworded: Golds that were also written another way.
        only_as_text: Those of them, untagged, whose other wording the grader does not accept.
    """

    benchmark: str
    grader: str
    versions: dict[str, str]
    problems: int
    agreeing: int
    disagreeing: tuple[GoldCheck, ...]
    tagged: tuple[GoldCheck, ...]
    reworded: int
    only_as_text: tuple[GoldCheck, ...]
    slowest_s: float

    @property
    def passed(self) -> bool:
        """Whether all golds but tagged ones equal themselves."""
        return not self.disagreeing


def verify_benchmark(
    card: BenchmarkCard, problems: Sequence[Problem], *, grader: Grader
) -> BenchmarkVerification:
    r"""Grade every gold as an answer: boxed, with its unit where it has one."""
    checks, slowest_s = _checks(
        card, [(problem, written_gold(problem)) for problem in problems], grader
    )
    wordings = [(problem, other_wording(problem)) for problem in problems]
    worded = [(problem, text) for problem, text in wordings if text is not None]
    reworded, other_slowest_s = _checks(card, worded, grader)
    failed = [check for check in checks if check.verdict is not Verdict.CORRECT]
    unread = [check for check in reworded if check.verdict is not Verdict.CORRECT]
    return BenchmarkVerification(
        benchmark=card.name,
        grader=grader.identity,
        versions=grader.versions,
        problems=len(checks),
        agreeing=len(checks) - len(failed),
        disagreeing=tuple(check for check in failed if not check.tags),
        tagged=tuple(check for check in checks if check.tags),
        reworded=len(reworded),
        only_as_text=tuple(check for check in unread if not check.tags),
        slowest_s=max(slowest_s, other_slowest_s),
    )


def written_gold(problem: Problem) -> str:
    r"""A completion that gives the gold: `The answer is $\boxed{45\text{ km/h}}$.`."""
    return rf"The answer is $\boxed{{{problem.answer}{_unit(problem.unit)}}}$."


def other_wording(problem: Problem) -> str | None:
    r"""A completion that gives the gold in other words; None where none is surely the same.

    Lists are turned round, and single values without a relation, base, percent or degrees are
    multiplied by one.
    """
    if problem.answer_type == "list":
        answer = ", ".join(reversed(members(problem.answer)))
    elif problem.answer_type in {"number", "expression"} and not _SPECIAL.search(problem.answer):
        answer = rf"1 \cdot \left({problem.answer}\right)"
    else:
        return None
    return rf"The answer is $\boxed{{{answer}{_unit(problem.unit)}}}$."


def _checks(
    card: BenchmarkCard, written: Sequence[tuple[Problem, str]], grader: Grader
) -> tuple[list[GoldCheck], float]:
    pairs = [(gold_of(problem, card.grader), text) for problem, text in written]
    checks, slowest_s = [], 0.0
    for (problem, text), judgement in zip(written, grader.grade(pairs), strict=True):
        slowest_s = max(slowest_s, judgement.elapsed_s)
        checks.append(
            GoldCheck(
                problem_id=problem.id,
                answer=problem.answer,
                written=text,
                verdict=judgement.verdict,
                extracted=judgement.extracted,
                tags=problem.tags,
                note=judgement.note,
            )
        )
    return checks, slowest_s


def _unit(unit: str | None) -> str:
    if unit is None:
        return ""
    if unit == "%":
        return r"\%"
    if unit.startswith(("^", "\\")):
        return unit
    word, power = re.fullmatch(r"(.*?)(\^\d)?", unit).groups()  # type: ignore[union-attr]  # always
    return rf"\text{{ {word}}}{power or ''}"
