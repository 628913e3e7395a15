"""Result records as tables of the terminal; every number stands beside its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from emdiag.cli.show import show_table
from emdiag.findings.outside_metrics import outside_metrics

if TYPE_CHECKING:
    from emdiag.cli.console import Out
    from emdiag.core.results import (
        BenchmarkScore,
        CompareResult,
        Comparison,
        EvaluateResult,
        Interval,
        Metric,
    )
    from emdiag.core.selection import PromptStatistics, SelectResult

FLIPS_SHOWN = 12
STATEMENT_SHOWN = 240


def show_scores(result: EvaluateResult, out: Out) -> None:
    """The scores of one evaluation: a table, notes, and where the runs lie."""
    table = Table(title="scores in percent, with 95 % intervals over problems")
    for name in ("checkpoint", "benchmark", "problems", "metric"):
        table.add_column(name)
    samples = result.scores[0].samples  # one plan, one number of samples
    several = [f"pass@{samples}", f"maj@{samples}"] if samples > 1 else []
    for name in ("score", *several):
        table.add_column(name, justify="right")
    texts = Table(title="completions, in percent of samples")
    for name in ("checkpoint", "benchmark"):
        texts.add_column(name)
    for name in ("cut off", "no box", "undecided", "repetitive", "mean tokens", "tokens/s"):
        texts.add_column(name, justify="right")
    for score in result.scores:
        table.add_row(*_score_row(score))
        texts.add_row(*_text_row(score))
    out.table(table)
    for measured in outside_metrics(result.scores):
        show_table(measured, out)
    out.table(texts)
    for score in result.scores:
        _show_groups(score, out)
        for note in _remarks(score):
            out.line(f"{score.label} on {score.benchmark}: {note}")
    out.say(f"runs lie in {result.store}; the same command continues them")


def show_comparison(result: CompareResult, out: Out) -> None:
    """Differences by benchmark; a winner is named only outside the noise."""
    first = result.comparisons[0]
    table = Table(title=f"{first.right} minus {first.left}, in points, on the same problems")
    table.add_column("benchmark")
    table.add_column("problems", justify="right")
    for name in (first.left, first.right, "difference", "p (Holm)", "flips +/-"):
        table.add_column(name, justify="right")
    table.add_column("conclusion")
    for comparison in (*result.comparisons, *([result.macro] if result.macro else [])):
        table.add_row(*_comparison_row(comparison))
    out.table(table)
    for comparison in result.comparisons:
        for name, flips in (
            ("wrong to right", comparison.wrong_to_right),
            ("right to wrong", comparison.right_to_wrong),
        ):
            if flips:
                more = f" and {len(flips) - FLIPS_SHOWN} more" if len(flips) > FLIPS_SHOWN else ""
                out.line(
                    f"{name} on {comparison.benchmark}: {', '.join(flips[:FLIPS_SHOWN])}{more}"
                )
        for note in comparison.notes:
            out.line(f"note on {comparison.benchmark}: {note}")


def show_selection(result: SelectResult, out: Out, *, top: int) -> None:
    """The best prompts of a pool, what ranked them, and what to distrust."""
    legend = "shares in percent, entropies in nats"
    if result.labelled:
        legend = f"* uses labels; {legend}, pass rate with its 95 % interval over samples"
    table = Table(
        title=f"{result.problems} prompts of {result.pool} for {result.label}, "
        f"{result.samples} samples each at T {result.temperature:g}",
        caption=legend,
    )
    rows = [_prompt_row(figures) for figures in result.ranked[:top]]
    shown = [name for name in rows[0] if result.labelled or not name.endswith("*")]
    table.add_column("#", justify="right")
    for name in shown:
        table.add_column(name, justify="left" if name == "prompt" else "right")
    for place, row in enumerate(rows, start=1):
        table.add_row(str(place), *(row[name] for name in shown))
    out.table(table)
    labels = "uses labels" if result.used_labels else "uses no labels"
    out.line(f"ranked by {result.by}, {result.best} first ({result.meaning}); it {labels}")
    if result.tied > 1:
        all_of_them = "all" if result.tied == result.problems else str(result.tied)
        out.line(f"{all_of_them} prompts share the best value and stand in the order of the pool")
    first = result.ranked[0]
    out.line(f"first is {first.problem_id}: {_short(first.statement)}")
    for note in result.notes:
        out.line(note)
    out.line(f"ranked problems: {result.file}")
    out.say(f"train on the first with `emdiag train em REF --prompt-file {result.file}`")


def percent(value: float, interval: Interval | None = None) -> str:
    """A share of 1 in percent, with its interval: `60.0 [54.4, 65.4]`."""
    if interval is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f} {interval.ends(scale=100)}"


def _prompt_row(figures: PromptStatistics) -> dict[str, str]:
    """Column to cell; a column that ends in * uses labels."""
    rate, right = figures.pass_rate, figures.majority_correct
    return {
        "prompt": figures.problem_id,
        "pass rate *": "-" if rate is None else percent(rate, figures.pass_rate_interval),
        "variance *": _decimals(figures.outcome_variance),
        "answer entropy": _decimals(figures.answer_entropy_nats),
        "agreement": _decimals(figures.agreement),
        "majority": percent(figures.majority_frac),
        "right *": "-" if right is None else percent(right),
        "token entropy": _decimals(figures.token_entropy_nats),
        "no answer": percent(figures.no_answer_frac),
        "cut off": percent(figures.truncated_frac),
        "tokens": f"{figures.mean_tokens:.0f}",
    }


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= STATEMENT_SHOWN else f"{line[:STATEMENT_SHOWN]}..."


def _decimals(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _score_row(score: BenchmarkScore) -> list[str]:
    return [
        score.label,
        score.benchmark,
        f"{score.problems} of {score.problems_total}" + (", partial" if score.partial else ""),
        f"{score.metric}, T {score.temperature:g}",
        percent(score.value, score.interval),
        *([_number(score.pass_at_k[-1]), _number(score.maj_at_k)] if score.maj_at_k else []),
    ]


def _text_row(score: BenchmarkScore) -> list[str]:
    rates = score.rates
    return [
        score.label,
        score.benchmark,
        percent(rates.truncated_frac),
        percent(rates.no_box_frac),
        percent(rates.undecided_frac),
        percent(rates.repeated_frac),
        f"{rates.mean_tokens:.0f}",
        "-" if score.tokens_per_s is None else f"{score.tokens_per_s:,.0f}",
    ]


def _number(metric: Metric) -> str:
    return percent(metric.value, metric.interval)


def _show_groups(score: BenchmarkScore, out: Out) -> None:
    if not score.groups:
        return
    table = Table(title=f"{score.label} on {score.benchmark}, by part")
    table.add_column("part")
    table.add_column("problems", justify="right")
    table.add_column(score.metric, justify="right")
    for group in score.groups:
        table.add_row(
            group.group, str(group.problems), percent(group.metric.value, group.metric.interval)
        )
    out.table(table)


def _remarks(score: BenchmarkScore) -> list[str]:
    remarks = []
    if score.detectable_gain is not None:
        remarks.append(
            f"a paired comparison of this size would find a gain of "
            f"{100 * score.detectable_gain:.1f} points (80 % power)"
        )
    if score.without_tagged:
        remarks.append(f"without doubtful golds {_number(score.without_tagged)}")
    return [*remarks, *score.notes]


def _comparison_row(comparison: Comparison) -> list[str]:
    up, down = len(comparison.wrong_to_right), len(comparison.right_to_wrong)
    interval = comparison.interval
    bounds = f" {interval.ends(scale=100, sign='+')}" if interval else ""
    return [
        comparison.benchmark,
        str(comparison.problems),
        percent(comparison.left_value),
        percent(comparison.right_value),
        f"{100 * comparison.difference:+.1f}{bounds}",
        "-" if comparison.p_holm is None else f"{comparison.p_holm:.3g}",
        "-" if comparison.test is None else f"{up} / {down}",
        _conclusion(comparison),
    ]


def _conclusion(comparison: Comparison) -> str:
    match comparison.conclusion:
        case "right better":
            return f"{comparison.right} better"
        case "left better":
            return f"{comparison.left} better"
        case "equivalent":
            return f"equivalent within {100 * comparison.margin:g} points"
        case "undecided":
            return "undecided"
