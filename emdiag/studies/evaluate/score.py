"""Completions and grades of a reading to its score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from emdiag.core.grades import Verdict
from emdiag.core.results import (
    BenchmarkScore,
    Metric,
    ProblemScore,
    Remark,
    TextRates,
    as_given,
    remark,
)
from emdiag.measure.answers import average, by_group, metrics, shares
from emdiag.stats.detectable import planned_gains
from emdiag.store.provenance import version_notes
from emdiag.studies.evaluate.outside_metrics import MetricFunction, measure_outside
from emdiag.studies.evaluate.task import EvalTask
from emdiag.studies.evaluate.thinking import greedy_notes
from emdiag.studies.stored.outcomes import Outcomes, outcomes_of

TRUNCATED_WORTH_A_NOTE = 0.05


def score_reading(
    reading: EvalTask, grade_key: str, *, functions: Mapping[str, MetricFunction] | None = None
) -> BenchmarkScore:
    """The score of exactly the problems and samples asked for.

    Raises:
        MeasurementError: A metric of the user's own fails.
    """
    outcomes = reading_outcomes(reading, grade_key)
    scores, rates = outcomes.scores, outcomes.text_rates
    by_name = metrics(shares(scores))
    headline = by_name[f"avg@{reading.samples}"]
    sessions = reading.run.provenance()
    seconds = sum(session.sampling_s for session in sessions)
    spec = reading.run.spec
    verdicts = Counter(outcomes.verdicts)
    return BenchmarkScore(
        label=reading.checkpoint.label,
        checkpoint=reading.checkpoint,
        benchmark=reading.card.name,
        benchmark_revision=reading.card.revision,
        template=spec.template,
        chat=spec.chat,
        temperature=spec.sampling.temperature,
        engine=spec.engine.name,
        run_key=reading.run.key,
        grade_key=grade_key,
        metric=headline.name,
        value=headline.value,
        interval=headline.interval,
        problems=len(scores),
        problems_total=len(reading.all_problems),
        partial=len(scores) < len(reading.all_problems),
        samples=reading.samples,
        pass_at_k=tuple(by_name[f"pass@{k}"] for k in range(1, reading.samples + 1)),
        maj_at_k=by_name.get(f"maj@{reading.samples}"),
        without_tagged=_without_tagged(reading, scores),
        by_verdict={verdict.value: verdicts[verdict] for verdict in Verdict},
        rates=rates,
        tokens_per_s=sum(session.tokens for session in sessions) / seconds if seconds else None,
        groups=by_group(scores, {problem.id: problem for problem in reading.problems}),
        notes=(*_notes(reading, rates), *version_notes(sessions, "drawn")),
        per_problem=scores,
        metrics=measure_outside(functions or {}, outcomes),
        detectable=planned_gains(len(scores), score=headline.value),
    )


def reading_outcomes(reading: EvalTask, grade_key: str) -> Outcomes:
    """The outcomes of exactly the problems and samples asked for; all are graded."""
    return outcomes_of(
        reading.run,
        grade_key,
        label=reading.checkpoint.label,
        samples=reading.wanted,
    )


def _without_tagged(reading: EvalTask, scores: Sequence[ProblemScore]) -> Metric | None:
    tagged = {problem.id for problem in reading.problems if problem.tags}
    kept = [score for score in scores if score.problem_id not in tagged]
    return average(kept) if tagged and kept else None


def _notes(reading: EvalTask, rates: TextRates) -> list[Remark]:
    notes = []
    total = len(reading.all_problems)
    if len(reading.problems) < total:
        notes.append(remark("partial", problems=len(reading.problems), total=total))
    if rates.truncated_frac > TRUNCATED_WORTH_A_NOTE:
        limit = reading.run.spec.sampling.max_tokens
        notes.append(remark("cut-off", share=rates.truncated_frac, limit=limit))
    if (unfinished := rates.unfinished_frac or 0) > TRUNCATED_WORTH_A_NOTE:
        limit = reading.run.spec.sampling.max_tokens
        notes.append(remark("not-finished", share=unfinished, limit=limit))
    if rates.undecided_frac:
        notes.append(remark("ungraded", share=rates.undecided_frac))
    tagged = sum(bool(problem.tags) for problem in reading.problems)
    if tagged:
        notes.append(remark("doubtful-golds", problems=tagged))
    return [*notes, *caveats(reading)]


def caveats(reading: EvalTask) -> list[Remark]:
    """How the prompts came about, how they are drawn, and what the benchmark's card says."""
    return [*reading.notes, *greedy_notes(reading), *map(as_given, reading.card.caveats)]
