"""Numbers that emdiag does not have."""

from __future__ import annotations

import numpy as np

from emdiag import Metric, Outcomes
from emdiag.stats.intervals import over_problems


def median_tokens_when_right(outcomes: Outcomes) -> Metric:
    """Median length of the right completions, in tokens."""
    if not outcomes.right.any():
        msg = "no sample is right, so right answers have no length"
        raise ValueError(msg)
    lengths = outcomes.tokens[outcomes.right]
    return Metric(name="median tokens when right", value=np.median(lengths), interval=None)


def solved_by_all(outcomes: Outcomes) -> Metric:
    """Share of problems that every sample answers right."""
    solved = (outcomes.rates == 1).astype(float)
    return Metric(
        name="solved by all", value=solved.mean(), interval=over_problems(solved.tolist())
    )
