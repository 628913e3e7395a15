"""Moments of arrays, straight from their definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emdiag.core.moments import Moments

if TYPE_CHECKING:
    from numpy.typing import NDArray


def moments_of(values: NDArray[np.floating]) -> Moments:
    flat = np.asarray(values, dtype=np.float64).ravel()
    mean = flat.mean() if flat.size else np.float64(0)
    mean += (flat - mean).mean() if flat.size else 0  # takes back what the sum was rounded by
    powers = [float(((flat - mean) ** power).sum()) for power in (2, 3, 4)]
    return Moments(count=flat.size, mean=float(mean), m2=powers[0], m3=powers[1], m4=powers[2])
