"""Grades for every sample of a reading that has none yet."""

from __future__ import annotations

from collections.abc import Sequence

from emdiag.core.digest import digest
from emdiag.core.errors import StoreError
from emdiag.core.grades import Grade, Judgement
from emdiag.core.problems import Problem, gold_of
from emdiag.core.protocols import Grader, Progress
from emdiag.core.results import remark
from emdiag.core.runs import GradingSpec
from emdiag.core.sampling import Completion
from emdiag.findings.remarks import words_of
from emdiag.grading.answers import judged
from emdiag.grading.parse.extract import opened_answer
from emdiag.grading.parse.origin import GraderOfOrigin, Origin
from emdiag.store.samples import StoredCompletions, StoredGrades
from emdiag.studies.evaluate.task import EvalTask
from emdiag.studies.stored.outcomes import check_grades

_PROBLEMS_AT_ONCE = 32


def grading_spec(reading: EvalTask, grader: Grader) -> GradingSpec:
    """Everything that could change a grade of this reading."""
    golds = [
        [problem.id, gold_of(problem, reading.card.grader)] for problem in reading.all_problems
    ]
    return GradingSpec(grader=grader.identity, versions=grader.versions, golds_sha256=digest(golds))


def grade_reading(reading: EvalTask, grader: Grader, *, progress: Progress) -> str:
    """Grade what is not graded; returns the key under which the grades are stored.

    Raises:
        GraderError: A grader of the user's own decided none of the run's samples.
    """
    spec = grading_spec(reading, grader)
    if reading.question_mark is not None:
        grader = GraderOfOrigin(grader, Origin(question_mark=reading.question_mark))
    _grade_missing(reading, grader, spec, progress=progress)
    key = digest(spec)
    check_grades(reading.run.grades(key), grader.identity)
    return key


def _grade_missing(
    reading: EvalTask, grader: Grader, spec: GradingSpec, *, progress: Progress
) -> None:
    with reading.run.writing(waiting=progress):
        drawn = reading.run.completions()
        _refuse_lost(reading, drawn)
        with reading.run.grade_writer(spec) as journal:
            done = reading.run.grades(digest(spec))
            if done.hidden:
                name = reading.run.path.name
                note = remark("graded-anew", samples=len(done.hidden), run=name)
                progress.note(words_of(note))
            waiting = _ungraded(reading, drawn, done)
            total = sum(map(len, waiting.values()))
            if not total:
                return
            with progress.stage(f"grading {reading.title}", total=total) as stage:
                problems = [problem for problem in reading.problems if problem.id in waiting]
                for start in range(0, len(problems), _PROBLEMS_AT_ONCE):
                    part = problems[start : start + _PROBLEMS_AT_ONCE]
                    texts = {problem.id: list(drawn.read(waiting[problem.id])) for problem in part}
                    for grade in _grade_part(reading, part, texts, done, grader):
                        journal.append(grade)
                        stage.advance()


def _refuse_lost(reading: EvalTask, drawn: StoredCompletions) -> None:
    """Everything was drawn before: what is missing now was taken away meanwhile."""
    lost = [sample for sample in reading.wanted if sample not in drawn]
    if lost:
        raise StoreError(
            f"{len(lost)} of {len(reading.wanted)} samples that were drawn are gone: the folder "
            "was removed or moved meanwhile",
            folder=reading.run.path,
            hint="leave the folder where it is, and run the same command again",
        )


def _ungraded(
    reading: EvalTask, drawn: StoredCompletions, done: StoredGrades
) -> dict[str, list[int]]:
    """Rows of the samples without a grade, by problem."""
    waiting: dict[str, list[int]] = {}
    for sample in reading.wanted:
        row = drawn.row(sample)
        if row is not None and sample not in done:
            waiting.setdefault(sample[0], []).append(row)
    return waiting


def _grade_part(
    reading: EvalTask,
    problems: Sequence[Problem],
    by_problem: dict[str, list[Completion]],
    done: StoredGrades,
    grader: Grader,
) -> list[Grade]:
    golds = {problem.id: gold_of(problem, reading.card.grader) for problem in problems}
    flat = [completion for problem in problems for completion in by_problem[problem.id]]
    opening = opened_answer(reading.run.spec.wording.prefix)
    judgements = judged(grader, ((golds[c.problem_id], c) for c in flat), opening=opening)
    graded = list(zip(flat, judgements, strict=True))
    classes = _classes(problems, graded, done, grader)
    return [
        Grade.of(
            completion,
            judgement,
            answer_class=classes.get((completion.problem_id, judgement.extracted)),
            grader=grader.identity,
        )
        for completion, judgement in graded
    ]


def _classes(
    problems: Sequence[Problem],
    graded: Sequence[tuple[Completion, Judgement]],
    done: StoredGrades,
    grader: Grader,
) -> dict[tuple[str, str | None], str]:
    """For each problem and answer, the answer that stands for its class.

    Classes of samples graded before come first, so that a later sample joins them.
    """
    answers = {problem.id: dict.fromkeys(done.classes_of(problem.id)) for problem in problems}
    for completion, judgement in graded:
        if judgement.extracted is not None:
            answers[completion.problem_id][judgement.extracted] = None
    groups = [list(group) for group in answers.values()]
    firsts_of = grader.classes(groups)
    return {
        (problem_id, answer): first
        for problem_id, group, firsts in zip(answers, groups, firsts_of, strict=True)
        for answer, first in zip(group, firsts, strict=True)
    }
