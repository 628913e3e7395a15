"""Metrics of the user's own, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.findings.numbers import NOTHING, statistic
from emdiag.findings.page import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.results import BenchmarkScore
    from emdiag.findings.page import Table


def outside_metrics(scores: Sequence[BenchmarkScore]) -> tuple[Table, ...]:
    """A row for each score and a column for each metric; no table where there is none."""
    names = list(dict.fromkeys(metric.name for score in scores for metric in score.metrics))
    rows = []
    for score in scores:
        cells = {metric.name: statistic(metric.value, metric.interval) for metric in score.metrics}
        rows.append([score.label, score.benchmark, *(cells.get(name, NOTHING) for name in names)])
    title = "Metrics of your own, in their own units"
    return (table(title, ["checkpoint", "benchmark", *names], rows=rows),) if names else ()
