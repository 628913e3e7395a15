"""The problems that stored runs were asked, where they are on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.benchmarks.cards import list_cards, load_card
from emdiag.benchmarks.custom import custom_name, is_problems_file, load_custom
from emdiag.benchmarks.load import load_problems
from emdiag.core.digest import digest
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import BenchmarkCard, Problem, gold_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from emdiag.store.run_store import Run


@dataclass(frozen=True, kw_only=True)
class AskedProblems:
    """A benchmark as far as it is known here.

    Attributes:
        card: None where neither a card nor the user's file is found.
        problems: Of the whole benchmark, in its order; empty where they are absent.
        note: Why they are absent; None where they are there.
    """

    card: BenchmarkCard | None
    problems: tuple[Problem, ...]
    note: str | None

    def by_id(self, ids: Iterable[str]) -> dict[str, Problem]:
        """The problems of these ids in the benchmark's order; absent ones, by id, without text."""
        wanted = set(ids)
        found = {problem.id: problem for problem in self.problems if problem.id in wanted}
        return found | {name: _nameless(name) for name in sorted(wanted - found.keys())}


def asked_problems(runs: Sequence[Run], *, home: Path) -> dict[str, AskedProblems]:
    """The problems of every benchmark that these runs were asked, by its name.

    A user's own file is found through the commands that drew the runs, and taken only where its
    golds are those that the runs were graded by.
    """
    known = {card.name for card in list_cards()}
    found = {}
    for name in dict.fromkeys(run.spec.benchmark for run in runs):
        of_name = [run for run in runs if run.spec.benchmark == name]
        found[name] = _shipped(name, home=home) if name in known else _custom(name, of_name)
    return found


def _shipped(name: str, *, home: Path) -> AskedProblems:
    card = load_card(name)
    try:
        problems = tuple(load_problems(card, home=home))
    except BenchmarkError as error:
        note = f"statements and golds of {name} are left out: {error.message}"
        return AskedProblems(card=card, problems=(), note=note)
    return AskedProblems(card=card, problems=problems, note=None)


def _custom(name: str, runs: Sequence[Run]) -> AskedProblems:
    golds = {grading.golds_sha256 for run in runs for grading in run.gradings()}
    changed = False
    for file in _named_files(name, runs):
        try:
            card, problems = load_custom(file, require_answers=False)
        except BenchmarkError:
            continue
        told = digest([[problem.id, gold_of(problem, card.grader)] for problem in problems])
        if told in golds:
            return AskedProblems(card=card, problems=tuple(problems), note=None)
        changed = True
    why = "its file has changed" if changed else "its file is not where the commands name it"
    note = f"statements and golds of {name} are left out: {why}"
    return AskedProblems(card=None, problems=(), note=note)


def _named_files(name: str, runs: Sequence[Run]) -> list[Path]:
    """Files of problems in the commands of the runs that are called like the benchmark."""
    words = {
        part.strip()
        for run in runs
        for session in run.provenance()
        for word in session.command
        for part in word.partition("=")[2 if word.startswith("-") else 0].split(",")
    }
    files = [Path(word).expanduser() for word in sorted(words) if is_problems_file(word)]
    return [file for file in files if file.is_file() and _is_called(file, name)]


def _is_called(file: Path, name: str) -> bool:
    try:
        return custom_name(file) == name
    except BenchmarkError:
        return False


def _nameless(problem_id: str) -> Problem:
    benchmark = problem_id.partition("/")[0]
    return Problem(id=problem_id, benchmark=benchmark, statement="", answer="", answer_raw="")
