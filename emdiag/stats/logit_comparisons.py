"""Whether right answers are written with less entropy than wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


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
