"""Scores of checkpoints: what they say, their tables, and what to distrust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from emdiag.core.results import BenchmarkScore, EvaluateResult, Metric
from emdiag.findings.cautions import score_cautions
from emdiag.findings.gains import GAIN, PLANNED, gain_cell
from emdiag.findings.numbers import (
    NOTHING,
    at_temperature,
    fixed,
    how_scored,
    intervals_drawn,
    listed,
    metric_cell,
    percent,
    percent_cell,
    short,
    span,
    statistic,
)
from emdiag.findings.page import Cell, Findings, Row, Statement, Table, statement, table, table_of

Scores = Sequence[BenchmarkScore]

MOST_STATEMENTS: Final = 8
"""Scores said in words; the table holds all."""

COMPARE: Final = (
    "Separate intervals are wider than that of a difference on the same problems: "
    "`emdiag compare` tests which checkpoint is better."
)
CHAPTER: Final = "How often they are right"
COMPLETIONS: Final = "What the completions look like"
UNFINISHED: Final = "Unfinished: the thinking never ended, so that there is no answer."
DETAILS: Final = "By part, verdict and k"
CAPTIONS: Final = {
    "scores": (
        "Share of right answers. Each mark is one checkpoint, its bar the 95 % interval; bars "
        "that overlap do not settle which is better."
    ),
    "pass-at-k": (
        "Chance that at least one of k samples is right. Curves that meet at large k mean that "
        "the checkpoints can solve the same problems, and differ in how often they do."
    ),
}


def scores_note(scores: Scores) -> str:
    """Below the title of the figure of scores."""
    bars = intervals_drawn((score.interval for score in scores), "Bars")
    paired = "Whether two of them differ is a question for their paired difference."
    return f"{_sizes(scores)}. {bars}. {paired}"


def coverage_note(scores: Scores, mark: str) -> str:
    """Below the title of the figure of pass@k, whose intervals are drawn as `mark`."""
    intervals = (metric.interval for score in scores for metric in score.pass_at_k)
    return f"{_sizes(scores)}. {intervals_drawn(intervals, mark)}."


def _sizes(scores: Scores) -> str:
    return (
        f"n = {span([score.problems for score in scores], 'problem')}, "
        f"{span([score.samples for score in scores], 'sample')} of each"
    )


def evaluation_findings(result: EvaluateResult) -> Findings:
    """Scores, what the completions look like, and scores by part of a benchmark."""
    scores = result.scores
    return Findings(
        tables=(
            scores_table(scores),
            metrics_table(scores),
            completions_table(scores),
            thinking_table(scores),
            *part_tables(scores),
        ),
        statements=score_statements(scores),
        cautions=score_cautions(scores),
        next=(f"runs are stored in {result.store}; the same command continues them",),
    )


def evaluation_title(scores: Scores) -> str:
    """Such as `base and em on chain`."""
    labels, benchmarks = _names(scores)
    return f"{listed(labels)} on {listed(benchmarks)}"


def evaluation_question(scores: Scores) -> str:
    """What was asked, in a sentence."""
    labels, benchmarks = _names(scores)
    do, each = ("does", "") if len(labels) == 1 else ("do", " each")
    return f"What share of {listed(benchmarks)} {do} {listed(labels)}{each} answer correctly?"


def score_statements(scores: Scores) -> tuple[Statement, ...]:
    """A score each, at most `MOST_STATEMENTS`; which is better is left to paired differences."""
    return tuple(score_statement(score) for score in scores[:MOST_STATEMENTS])


def score_statement(score: BenchmarkScore) -> Statement:
    """Such as `em: 96.8 % [94.6, 98.6] on chain (greedy)`."""
    amount = percent(score.value, score.interval)
    words = f"{score.label}: {amount} on {score.benchmark} ({_setting(score)})"
    return statement(words, "score", f"{score.label} on {score.benchmark}", of=score)


def coverage_statement(score: BenchmarkScore) -> Statement:
    """Pass@k of one sample and of all."""
    single, most = score.pass_at_k[0], score.pass_at_k[-1]
    subject = f"{score.label} on {score.benchmark}"
    words = (
        f"{subject} ({at_temperature(score.temperature)}): {_percent(single)} with one sample, "
        f"{_percent(most)} with any of {len(score.pass_at_k)}"
    )
    return statement(words, "coverage", subject, of=most)


def scores_table(scores: Scores) -> Table:
    """Every score with its interval; with several samples also pass@k and maj@k."""
    temperatures = {score.temperature for score in scores}
    is_one = len(temperatures) == 1
    most = max(score.samples for score in scores)
    several = (
        "avg@k: mean share of right samples; pass@k: any of k right; maj@k: the most frequent "
        "answer is right; votes: samples that give an answer, the others do not vote."
    )
    how = f" ({at_temperature(temperatures.pop())})" if is_one else ""
    plain = table_of(
        scores,
        f"Scores in percent{how}, with 95 % intervals over problems",
        (
            ("checkpoint", lambda s: Cell(text=s.label, hint=s.checkpoint.ref)),
            ("step", lambda s: str(s.checkpoint.file_facts.get("step", NOTHING))),
            ("weights", lambda s: str(s.checkpoint.file_facts.get("quantised", NOTHING))),
            ("benchmark", lambda s: s.benchmark),
            ("T", lambda s: NOTHING if is_one else f"{s.temperature:g}"),
            (" or ".join(dict.fromkeys(score.metric for score in scores)), _score),
            (
                f"pass@{most}",
                lambda s: metric_cell(s.pass_at_k[-1] if s.samples > 1 and s.pass_at_k else None),
            ),
            (f"maj@{most}", lambda s: metric_cell(s.maj_at_k)),
            ("votes", _votes),
            ("problems", lambda s: f"{s.problems:,} of {s.problems_total:,}"),
            (GAIN, lambda s: gain_cell(*s.detectable)),
        ),
        note=several if most > 1 else None,
        secondary=(GAIN, "votes", f"maj@{most}", f"pass@{most}", "weights", "problems"),
    )
    return replace(plain, column_notes=((GAIN, PLANNED),))


def _votes(score: BenchmarkScore) -> str:
    """Share of the samples behind maj@k that give an answer."""
    samples = sum(score.by_verdict.values())
    if score.maj_at_k is None or not samples:
        return NOTHING
    return percent_cell(1 - score.by_verdict.get("no_answer", 0) / samples)


def _score(score: BenchmarkScore) -> Cell:
    hint = f"{_setting(score)}, 95 % interval over problems"
    return Cell(text=percent_cell(score.value, score.interval), hint=hint)


def metrics_table(scores: Scores) -> Table:
    """A row for each score and a column for each metric of the user's own; no rows without any."""
    names = list(dict.fromkeys(metric.name for score in scores for metric in score.metrics))
    rows = []
    for score in scores if names else ():
        cells = {metric.name: statistic(metric.value, metric.interval) for metric in score.metrics}
        rows.append([score.label, score.benchmark, *(cells.get(name, NOTHING) for name in names)])
    title = "Metrics of your own, in their own units"
    return table(title, ["checkpoint", "benchmark", *names], rows=rows)


def completions_table(scores: Scores) -> Table:
    """How texts end, and how long they are."""
    return table_of(
        scores,
        "Completions, in percent of samples",
        (
            ("checkpoint", lambda s: s.label),
            ("benchmark", lambda s: s.benchmark),
            ("cut off", lambda s: percent_cell(s.rates.truncated_frac)),
            ("unfinished", lambda s: percent_cell(s.rates.unfinished_frac)),
            ("no box", lambda s: percent_cell(s.rates.no_box_frac)),
            ("undecided", lambda s: percent_cell(s.rates.undecided_frac)),
            ("repetitive", lambda s: percent_cell(s.rates.repeated_frac)),
            ("mean tokens", lambda s: short(s.rates.mean_tokens)),
            ("tokens/s", lambda s: fixed(s.tokens_per_s, 0)),
        ),
        note="Cut off: reached the limit of new tokens. "
        + (f"{UNFINISHED} " if any(score.rates.thinking for score in scores) else "")
        + "No box: no closed \\boxed{} around the answer. Undecided: the grader gave up. "
        "Repetitive: more than half of the word 4-grams occur earlier in the same text.",
        secondary=("tokens/s", "repetitive", "undecided", "mean tokens"),
    )


def thinking_table(scores: Scores) -> Table:
    """How long the thinking is and how long the answers are; no rows where nothing marks them."""
    known = [(score, score.rates.thinking) for score in scores]
    return table_of(
        [(score, rates) for score, rates in known if rates and rates.reasoning_frac is not None],
        "Thinking and answers, in tokens of a sample",
        (
            ("checkpoint", lambda row: row[0].label),
            ("benchmark", lambda row: row[0].benchmark),
            ("mean thinking", lambda row: short(row[1].mean_reasoning_tokens)),
            ("mean answer", lambda row: short(row[1].mean_answer_tokens)),
            ("thinking, %", lambda row: percent_cell(row[1].reasoning_frac)),
            ("longest thinking", lambda row: f"{row[1].longest_reasoning:,}"),
        ),
        note="Markers count as thinking, and so does all of a sample that never ended it.",
    )


def part_tables(scores: Scores) -> list[Table]:
    """The headline on every part of a benchmark, a column for each checkpoint."""
    tables = []
    for benchmark in dict.fromkeys(score.benchmark for score in scores):
        columns = [score for score in scores if score.benchmark == benchmark]
        parts = {group.group: group.problems for score in columns for group in score.groups}
        metrics = [{group.group: group.metric for group in score.groups} for score in columns]
        rows: list[Row] = [
            [part, f"{problems:,}", *(metric_cell(of_score.get(part)) for of_score in metrics)]
            for part, problems in parts.items()
        ]
        labels = [score.label for score in columns]
        title = f"{benchmark} by part, in percent"
        tables.append(table(title, ("part", "problems", *labels), rows=rows))
    return tables


def verdicts_table(scores: Scores) -> Table:
    """How many samples got each verdict."""
    verdicts = list(dict.fromkeys(name for score in scores for name in score.by_verdict))
    rows = [
        [score.label, score.benchmark, *(f"{score.by_verdict.get(v, 0):,}" for v in verdicts)]
        for score in scores
    ]
    return table("Samples by verdict", ["checkpoint", "benchmark", *verdicts], rows=rows)


def coverage_table(scores: Scores) -> Table:
    """Pass@k for every k, where there are several samples."""
    several = [score for score in scores if len(score.pass_at_k) > 1]
    most = max((len(score.pass_at_k) for score in several), default=0)
    rows = [
        [score.label, score.benchmark, *map(metric_cell, score.pass_at_k)]
        + [NOTHING] * (most - len(score.pass_at_k))
        for score in several
    ]
    columns = ["checkpoint", "benchmark", *(f"pass@{k}" for k in range(1, most + 1))]
    return table("Coverage in percent, unbiased", columns, rows=rows)


def _names(scores: Scores) -> tuple[list[str], list[str]]:
    labels = dict.fromkeys(score.label for score in scores)
    return list(labels), list(dict.fromkeys(score.benchmark for score in scores))


def _setting(score: BenchmarkScore) -> str:
    return how_scored(score.metric, samples=score.samples, temperature=score.temperature)


def _percent(metric: Metric) -> str:
    return percent(metric.value, metric.interval)
