"""What may be said of a logit statistic of a checkpoint, and of right answers beside wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.logit_skew import Direction
    from emdiag.core.results import Interval


def direction_of(interval: Interval | None, p_holm: float | None) -> Direction:
    """Which way a checkpoint differs from the base, if that may be said.

    It may if the whole interval lies on one side of zero and, where a test was made, its
    corrected p-value is below one minus the interval's level.
    """
    if interval is None or (p_holm is not None and p_holm >= 1 - interval.level):
        return "undecided"
    if interval.low > 0:
        return "higher"
    return "lower" if interval.high < 0 else "undecided"


def within_problem_auroc(right: Sequence[float], wrong: Sequence[float]) -> float | None:
    """Chance that a right answer has less entropy than a wrong one of the same problem, in [0, 1].

    Ties count one half; 0.5 says that entropy tells nothing.

    Args:
        right: Entropy of each right answer to the problem.
        wrong: Of each wrong one.

    Returns:
        None where one side is empty.

    Source: Mann and Whitney 1947, U over the number of pairs.
    """
    if not right or not wrong:
        return None
    gaps = np.subtract.outer(np.asarray(wrong, np.float64), np.asarray(right, np.float64))
    return float((np.sign(gaps).mean() + 1) / 2)
