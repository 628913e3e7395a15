"""Stored runs to an evaluation, by the grades that lie beside them: no grader runs again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from emdiag.benchmarks.custom import DEFAULT_MAX_TOKENS
from emdiag.core.digest import digest
from emdiag.core.grades import GraderSpec
from emdiag.core.problems import BenchmarkCard, SourceSpec
from emdiag.core.results import BenchmarkScore, EvaluateResult, remark
from emdiag.publish.samples import SampledRun
from emdiag.publish.sources import checkpoint_of
from emdiag.store.run_store import Run, RunStore
from emdiag.studies.evaluate.score import score_reading
from emdiag.studies.evaluate.task import EvalTask
from emdiag.studies.stored.find_runs import graded, no_grades
from emdiag.studies.stored.problems import RunProblems, problems_of_runs


def evaluation_of_runs(runs: Sequence[Run], *, store: RunStore, home: Path) -> EvaluateResult:
    """Scores of exactly these runs, over the problems that have all their samples graded.

    Raises:
        StoreError: A run holds no grades.
    """
    benchmarks = problems_of_runs(runs, home=home)
    known = {score.run_key: score for result in store.results() for score in result.scores}
    return EvaluateResult(
        scores=tuple(
            _score(run, benchmarks[run.spec.benchmark], known=known.get(run.key)) for run in runs
        ),
        store=str(store.root),
    )


def _score(run: Run, benchmark: RunProblems, *, known: BenchmarkScore | None) -> BenchmarkScore:
    drawn, sessions = run.completions(), run.provenance()
    label = known.label if known else sessions[-1].label if sessions else run.path.name
    checkpoint = known.checkpoint if known else checkpoint_of(SampledRun(run=run, label=label))
    gradings = run.gradings()
    outcomes = graded(run, label=label, grade_key=digest(gradings[-1]) if gradings else "")
    samples, graded_problems = outcomes.samples, outcomes.problems
    whole = [p for p in graded_problems if all((p, index) in drawn for index in range(samples))]
    if not whole or checkpoint is None:
        raise no_grades(run)
    problems = tuple(benchmark.by_id(whole).values())
    reading = EvalTask(
        run=run,
        card=benchmark.card or _made_up_card(run.spec.benchmark, size=len(problems)),
        checkpoint=checkpoint,
        problems=problems,
        all_problems=benchmark.problems or problems,
        prompts=(),
        samples=samples,
        notes=(),
    )
    score = score_reading(reading, outcomes.grade_key)
    missing = len(drawn) - len(problems) * samples
    notes = [remark("outside-samples", samples=missing)] if missing else []
    if not benchmark.problems:
        notes.append(remark("size-unknown", benchmark=run.spec.benchmark))
    return msgspec.structs.replace(score, notes=(*score.notes, *notes))


def _made_up_card(name: str, *, size: int) -> BenchmarkCard:
    """For a benchmark of which this machine knows nothing but its runs."""
    return BenchmarkCard(
        name=name,
        title=name,
        revision=1,
        size=size,
        template="",
        grader=GraderSpec(),
        max_tokens=DEFAULT_MAX_TOKENS,
        headline="avg@1",
        source=SourceSpec(origin="not known", license="not stated"),
    )
