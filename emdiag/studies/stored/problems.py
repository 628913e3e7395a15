"""The problems that stored runs were asked, where they are on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emdiag.benchmarks.cards import card_names, load_card
from emdiag.benchmarks.load import load_problems
from emdiag.benchmarks.open import open_benchmark
from emdiag.core.digest import digest
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import BenchmarkCard, Problem, gold_of
from emdiag.core.results import Remark, remark
from emdiag.store.run_store import Run


@dataclass(frozen=True, kw_only=True)
class RunProblems:
    """A benchmark as far as it is known here.

    Attributes:
        card: None where neither a card nor the user's file is found.
        problems: Of the whole benchmark, in its order; empty where they are absent.
        note: Why they are absent; None where they are there.
    """

    card: BenchmarkCard | None
    problems: tuple[Problem, ...]
    note: Remark | None

    def by_id(self, ids: Iterable[str]) -> dict[str, Problem]:
        """The problems of these ids in the benchmark's order; absent ones, by id, without text."""
        wanted = set(ids)
        known = {problem.id: problem for problem in self.problems if problem.id in wanted}
        return known | {name: _nameless(name) for name in sorted(wanted - known.keys())}


def problems_of_runs(runs: Sequence[Run], *, home: Path) -> dict[str, RunProblems]:
    """The problems of every benchmark that these runs were asked, by its name.

    A user's own file is taken only where its content is what the runs were drawn from, or its golds
    are those that they were graded by.
    """
    runs_on: dict[str, list[Run]] = {}
    for run in runs:
        runs_on.setdefault(run.spec.benchmark, []).append(run)
    shipped = card_names()
    return {
        name: _shipped(name, home=home) if name in shipped else _own(name, on_it, home=home)
        for name, on_it in runs_on.items()
    }


def _shipped(name: str, *, home: Path) -> RunProblems:
    card = load_card(name)
    try:
        problems = tuple(load_problems(card, home=home))
    except BenchmarkError as error:
        note = remark("problems-unreadable", benchmark=name, reason=error.message)
        return RunProblems(card=card, problems=(), note=note)
    return RunProblems(card=card, problems=problems, note=None)


def _own(name: str, runs: Sequence[Run], *, home: Path) -> RunProblems:
    golds = {grading.golds_sha256 for run in runs for grading in run.gradings()}
    files = dict.fromkeys(file for run in runs for file in run.problems_files())
    has_changed = False
    for path in dict.fromkeys(file.path for file in files):
        try:
            card, problems, file_now = open_benchmark(path, home=home, require_answers=False)
        except BenchmarkError:
            continue
        if card.name != name:
            continue
        golds_now = digest([[problem.id, gold_of(problem, card.grader)] for problem in problems])
        if golds_now in golds or file_now in files:
            return RunProblems(card=card, problems=tuple(problems), note=None)
        has_changed = True
    note = remark("problems-not-found", benchmark=name, has_changed=has_changed)
    return RunProblems(card=None, problems=(), note=note)


def _nameless(problem_id: str) -> Problem:
    benchmark = problem_id.partition("/")[0]
    return Problem(id=problem_id, benchmark=benchmark, statement="", answer="", answer_raw="")
