"""Scores of checkpoints as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.findings.cautions import score_cautions
from emdiag.findings.outside_metrics import outside_metrics
from emdiag.findings.page import Cell, Page, Section, Statement, table
from emdiag.plots.accuracy import accuracy_figure, pass_at_k_figure
from emdiag.reports.pieces import (
    NOTHING,
    how_sampled,
    listed,
    percent,
    percent_cell,
    pictures,
    short,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.results import BenchmarkScore, EvaluateResult
    from emdiag.findings.page import Context, Row, Table

    Scores = Sequence[BenchmarkScore]

MOST_ANSWERS = 8
"""Scores said in words; all of them stand in the table."""

_COMPARE: Final = (
    "Separate intervals are wider than that of a difference on the same problems: "
    "`emdiag compare` says which checkpoint is better."
)
_TOLD: Final = {
    "scores": (
        "Share of right answers. Each mark is one checkpoint, its bar the 95 % interval; bars "
        "that overlap do not settle which is better."
    ),
    "pass-at-k": (
        "Chance that at least one of k samples is right. Curves that meet at large k mean that "
        "the checkpoints can solve the same problems, and differ in how often they do."
    ),
}


def evaluation_page(result: EvaluateResult, *, context: Context) -> Page:
    """How many answers of each checkpoint are right, and what the completions look like."""
    scores = result.scores
    labels = list(dict.fromkeys(score.label for score in scores))
    benchmarks = list(dict.fromkeys(score.benchmark for score in scores))
    answers = tuple(Statement(words=_said(score)) for score in scores[:MOST_ANSWERS])
    figures = {"scores": accuracy_figure(scores)}
    coverage = pass_at_k_figure(scores)
    if coverage is not None:
        figures["pass-at-k"] = coverage
    return Page(
        kind="evaluation",
        title=f"{listed(labels)} on {listed(benchmarks)}",
        question=_question(labels, benchmarks),
        answers=answers,
        sections=(
            Section(
                heading="Scores",
                words=(_COMPARE,) if len(labels) > 1 else (),
                pictures=pictures(figures, _TOLD, shown=answers),
                tables=(_scores(scores), *outside_metrics(scores)),
            ),
            Section(heading="What the completions look like", tables=(_texts(scores),)),
            *_details(scores),
        ),
        cautions=score_cautions(scores),
        context=context,
    )


def _question(labels: Sequence[str], benchmarks: Sequence[str]) -> str:
    does = "does" if len(labels) == 1 else "do"
    each = " each" if len(labels) > 1 else ""
    return f"What share of {listed(benchmarks)} {does} {listed(labels)}{each} answer right?"


def _said(score: BenchmarkScore) -> str:
    said = f"{score.label} answers {percent(score.value, score.interval)} of {score.benchmark}"
    how = "when greedy" if score.temperature == 0 else how_sampled(score.temperature)
    return f"{said} right {how}" + (f" ({score.metric})" if score.samples > 1 else "")


def _scores(scores: Scores) -> Table:
    rows: list[Row] = []
    for score in scores:
        best = score.pass_at_k[-1] if score.samples > 1 and score.pass_at_k else None
        majority, gain = score.maj_at_k, score.detectable_gain
        rows.append(
            [
                Cell(text=score.label, hint=score.checkpoint.ref),
                score.benchmark,
                Cell(
                    text=percent_cell(score.value, score.interval),
                    hint=f"{score.metric}, {how_sampled(score.temperature)}, 95 % interval over "
                    "problems",
                ),
                percent_cell(best.value, best.interval) if best else NOTHING,
                percent_cell(majority.value, majority.interval) if majority else NOTHING,
                f"{score.problems:,} of {score.problems_total:,}",
                Cell(
                    text=NOTHING if gain is None else f"{100 * gain:.1f}",
                    hint="smallest gain in points that a paired comparison of this size would "
                    "find in four of five cases",
                ),
            ]
        )
    samples = max(score.samples for score in scores)
    metrics = list(dict.fromkeys(score.metric for score in scores))
    columns = [
        "checkpoint",
        "benchmark",
        " or ".join(metrics),
        f"pass@{samples}",
        f"maj@{samples}",
        "problems",
        "detectable gain",
    ]
    return table(
        "Scores in percent, with 95 % intervals over problems",
        columns,
        rows=rows,
        note="avg@k: mean share of right samples; pass@k: any of k right; maj@k: the most "
        "frequent answer is right. Detectable gain in points.",
    )


def _texts(scores: Scores) -> Table:
    columns = (
        "checkpoint",
        "benchmark",
        "cut off",
        "no box",
        "undecided",
        "repetitive",
        "mean tokens",
        "tokens/s",
    )
    rows = []
    for score in scores:
        rates, speed = score.rates, score.tokens_per_s
        rows.append(
            [
                score.label,
                score.benchmark,
                percent_cell(rates.truncated_frac),
                percent_cell(rates.no_box_frac),
                percent_cell(rates.undecided_frac),
                percent_cell(rates.repeated_frac),
                short(rates.mean_tokens),
                NOTHING if speed is None else f"{speed:,.0f}",
            ]
        )
    return table(
        "Completions, in percent of samples",
        columns,
        rows=rows,
        note="Cut off: reached the limit of new tokens. No box: no closed \\boxed{} around the "
        "answer. Undecided: the grader gave up. Repetitive: more than half of the word 4-grams "
        "occur earlier in the same text.",
    )


def _details(scores: Scores) -> tuple[Section, ...]:
    tables = [_verdicts(scores), *_groups(scores), *_coverage(scores)]
    return (Section(heading="By part, verdict and k", tables=tuple(tables), is_detail=True),)


def _verdicts(scores: Scores) -> Table:
    verdicts = list(dict.fromkeys(name for score in scores for name in score.by_verdict))
    rows = [
        [score.label, score.benchmark, *(f"{score.by_verdict.get(v, 0):,}" for v in verdicts)]
        for score in scores
    ]
    return table("Samples by verdict", ["checkpoint", "benchmark", *verdicts], rows=rows)


def _groups(scores: Scores) -> list[Table]:
    """The headline on every part of a benchmark, a column for each checkpoint."""
    tables = []
    for benchmark in dict.fromkeys(score.benchmark for score in scores):
        here = [score for score in scores if score.benchmark == benchmark]
        parts = {group.group: group.problems for score in here for group in score.groups}
        found = {
            (id(score), group.group): percent_cell(group.metric.value, group.metric.interval)
            for score in here
            for group in score.groups
        }
        if parts:
            rows = [
                [part, str(many), *(found.get((id(score), part), NOTHING) for score in here)]
                for part, many in parts.items()
            ]
            columns = ["part", "problems", *(score.label for score in here)]
            tables.append(table(f"{benchmark} by part, in percent", columns, rows=rows))
    return tables


def _coverage(scores: Scores) -> list[Table]:
    several = [score for score in scores if len(score.pass_at_k) > 1]
    if not several:
        return []
    most = max(len(score.pass_at_k) for score in several)
    rows = []
    for score in several:
        cells = [percent_cell(one.value, one.interval) for one in score.pass_at_k]
        rows.append([score.label, score.benchmark, *cells, *[NOTHING] * (most - len(cells))])
    columns = ["checkpoint", "benchmark", *(f"pass@{k}" for k in range(1, most + 1))]
    return [table("Coverage in percent, unbiased", columns, rows=rows)]
