"""Stored completions under a second grader; the main grades stay what they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import tee
from pathlib import Path

from emdiag.benchmarks.cards import load_card
from emdiag.benchmarks.load import load_problems
from emdiag.core.digest import digest
from emdiag.core.errors import BenchmarkError, StoreError
from emdiag.core.grades import (
    PLAIN_GRADER,
    Gold,
    Grade,
    GraderSpec,
    Verdict,
    is_outside_grader,
)
from emdiag.core.option_groups import Grading
from emdiag.core.options import of_options
from emdiag.core.problems import BenchmarkCard, Problem, gold_of
from emdiag.core.protocols import Grader, Progress
from emdiag.core.regrades import Disagreement, RegradedRun, RegradeResult
from emdiag.core.results import Metric, Remark, remark
from emdiag.core.runs import GradingSpec
from emdiag.grading.answers import judged
from emdiag.grading.parse.extract import opened_answer
from emdiag.stats.intervals import of_differences, over_problems
from emdiag.store.run_store import Run
from emdiag.store.session import Session, open_session
from emdiag.studies.stored.find_runs import main_grading, runs_named
from emdiag.studies.stored.outcomes import Outcomes, check_grades, on_shared_samples, outcomes_of
from emdiag.studies.stored.problems import problems_of_runs


def regrade(  # noqa: PLR0913 - a doorway: each has a default and a name
    runs: str | Sequence[str],
    *,
    grader: str = PLAIN_GRADER,
    store: str | Path = "emdiag-out",
    home: str | Path | None = None,
    workers: int | None = None,
    deadline_s: float = 10.0,
    progress: Progress | None = None,
) -> RegradeResult:
    """Stored completions under a second grader; the Python twin of `emdiag regrade`.

    The grades lie beside the main ones. Scores, comparisons and claims go on using those.

    Args:
        runs: Keys or folders of runs, or labels of evaluations; one or several.
        grader: `plain-math-verify`, `published`, or `package.module:name`.
        store: Folder of runs.
        home: Folder of imported benchmarks; the platform's data folder by default.
        workers: Grading processes; one per core by default.
        deadline_s: Seconds one comparison may take.
        progress: Told how far the work is; silent by default.

    Raises:
        PlanError: A name fits no run, or the grader is unknown.
        BenchmarkError: A run's benchmark is not on this machine.
        StoreError: A run was never graded by the main grader.
        GraderError: A grader of the user's own decided none of a run's samples.
    """
    from emdiag.grading.pool.pool import GraderPool
    from emdiag.grading.pool.rules import SECOND

    grading = of_options(Grading, grader=grader, grader_workers=workers, deadline_s=deadline_s)
    session = open_session(store, home=home, progress=progress)
    names = [runs] if isinstance(runs, str) else runs
    with GraderPool.of(grading, own=SECOND, kind="second grader") as pool:
        meant = [pair for name in names for pair in runs_named(name, store=session.store)]
        by_key = {run.key: (label, run) for label, run in meant}
        regraded = [_regrade_run(run, label, pool, session) for label, run in by_key.values()]
    notes = [note for regraded_run in regraded for note in _notes(regraded_run)]
    notes += session.store.notes()
    return RegradeResult(
        runs=tuple(regraded), notes=tuple(dict.fromkeys(notes)), store=str(session.store.root)
    )


def _regrade_run(run: Run, label: str, grader: Grader, session: Session) -> RegradedRun:
    main = main_grading(run)
    if main is None:
        raise StoreError(
            "the run holds no grades to set a second grader beside",
            folder=run.path, hint="`emdiag eval` grades what it draws",
        )  # fmt: skip
    card, of_benchmark = _benchmark(run, home=session.home)
    problems = {problem.id: problem for problem in of_benchmark}
    golds = _golds(problems, card.grader, grader=grader)
    raw = [[name, gold.answer] for name, gold in golds.items()]
    spec = GradingSpec(grader=grader.identity, versions=grader.versions, golds_sha256=digest(
        {"answer_class": "letter by letter", "golds": golds}  # `eval` keeps other classes
        if is_outside_grader(grader.identity) else raw
    ))  # fmt: skip
    _grade_missing(run, spec, golds, grader=grader, progress=session.progress)
    check_grades(run.grades(digest(spec)), grader.identity)
    return _side_by_side(run, label, main=main, second=spec, problems=problems)


def _golds(problems: dict[str, Problem], spec: GraderSpec, *, grader: Grader) -> dict[str, Gold]:
    """By id: as the source has them for a grader of others, else normalised."""
    if not is_outside_grader(grader.identity):
        return {
            name: Gold(answer=problem.answer_raw, tolerance=spec.tolerance)
            for name, problem in problems.items()
        }
    return {name: gold_of(problem, spec) for name, problem in problems.items()}


def _benchmark(run: Run, *, home: Path) -> tuple[BenchmarkCard, Sequence[Problem]]:
    known = problems_of_runs([run], home=home)[run.spec.benchmark]
    if known.card is not None and known.problems:
        return known.card, known.problems
    try:  # says what is missing
        card = load_card(run.spec.benchmark)
        return card, load_problems(card, home=home)
    except BenchmarkError as error:
        raise BenchmarkError(
            f"golds are needed to grade again: {error.message}",
            run=run.path, hint=error.hint or "only benchmarks with a card can be graded again",
        ) from error  # fmt: skip


def _grade_missing(
    run: Run, spec: GradingSpec, golds: dict[str, Gold], *, grader: Grader, progress: Progress
) -> None:
    with run.writing(waiting=progress), run.grade_writer(spec) as journal:
        done = run.grades(digest(spec))
        drawn = run.completions()
        waiting = [
            row
            for row in drawn.sorted_rows()
            if (sample := drawn.sample(row)) not in done and sample[0] in golds
        ]
        if not waiting:
            return
        given, kept = tee(drawn.read(waiting))
        opening = opened_answer(run.spec.wording.prefix)
        judgements = judged(
            grader, ((golds[text.problem_id], text) for text in given), opening=opening
        )
        with progress.stage(f"grading {run.path.name}", total=len(waiting)) as stage:
            for completion, judgement in zip(kept, judgements, strict=True):
                answer = judgement.extracted  # letter by letter: this grader makes no classes
                journal.append(
                    Grade.of(completion, judgement, answer_class=answer, grader=grader.identity)
                )
                stage.advance()


def _side_by_side(
    run: Run, label: str, *, main: GradingSpec, second: GradingSpec, problems: dict[str, Problem]
) -> RegradedRun:
    sides = on_shared_samples(
        outcomes_of(run, digest(main), label=label), outcomes_of(run, digest(second), label=label)
    )
    of_main, of_second = sides
    scores = [
        Metric(
            name="share right",
            value=float(side.rates.mean()),
            interval=over_problems(side.rates.tolist()),
        )
        for side in sides
    ]
    gaps = of_second.rates - of_main.rates
    return RegradedRun(
        label=label,
        run_key=run.key,
        benchmark=run.spec.benchmark,
        temperature=run.spec.sampling.temperature,
        grader=main.grader,
        second_grader=second.grader,
        grade_key=digest(main),
        second_grade_key=digest(second),
        problems=len(of_main.problems),
        samples=len(of_main),
        score=scores[0],
        second_score=scores[1],
        difference=float(gaps.mean()),
        interval=of_differences(gaps) if gaps.any() else None,
        gained=int((~of_main.right & of_second.right).sum()),
        lost=int((of_main.right & ~of_second.right).sum()),
        disagreements=tuple(_disagreements(of_main, of_second, problems)),
    )


def _disagreements(
    main: Outcomes, second: Outcomes, problems: dict[str, Problem]
) -> Iterator[Disagreement]:
    """Of the samples on which the two differ; the grades of those alone are read."""
    verdicts = zip(main.verdicts, second.verdicts, strict=True)
    differ = [of_main is not of_second for of_main, of_second in verdicts]
    sides = (side.graded.read(side.rows[differ].tolist()) for side in (main, second))
    for main_grade, second_grade in zip(*sides, strict=True):
        yield _disagreement(main_grade, second_grade, problems[main_grade.problem_id])


def _disagreement(main: Grade, second: Grade, problem: Problem) -> Disagreement:
    return Disagreement(
        problem_id=main.problem_id,
        sample_index=main.sample_index,
        verdict=main.verdict,
        second_verdict=second.verdict,
        extracted=main.extracted,
        second_extracted=second.extracted,
        gold=problem.answer,
        gold_raw=problem.answer_raw,
    )


def _notes(regraded: RegradedRun) -> list[Remark]:
    undecided = sum(
        disagreement.second_verdict is Verdict.UNDECIDED for disagreement in regraded.disagreements
    )
    note = remark(
        "not-graded-in-time", label=regraded.label, benchmark=regraded.benchmark, samples=undecided
    )
    return [note] if undecided else []
