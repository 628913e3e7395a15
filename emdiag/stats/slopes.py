"""How a figure goes along an axis, and where along it a curve takes a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq


def slope_weights(places: Sequence[float]) -> NDArray[np.float64]:
    """What the values at these places are weighted with to give a slope, `[places]`.

    The least-squares line through (x, y) has slope sum w y with w = (x - mean x) / sum (x - mean
    x)^2. On a full grid of two axes the slope along one with the other held is the same sum.

    Args:
        places: At least two different ones; one may occur several times.

    Raises:
        ValueError: All places are one.
    """
    x = np.asarray(places, dtype=np.float64)
    centred = x - x.mean()
    spread = float(centred @ centred)
    if spread == 0:
        msg = f"a slope needs two places, and all of these are one: {list(places)}"
        raise ValueError(msg)
    weights: NDArray[np.float64] = centred / spread
    return weights


def place_of(value: float, curve: Mapping[float, float]) -> float | None:
    """Where a measured curve takes `value`, between its first and its last place.

    Between measured places the curve is interpolated without overshooting, so that a curve that
    only rises takes each value once; of several places the first one is given.

    Args:
        value: Looked for.
        curve: Place to measured value; at least two places.

    Returns:
        None where the curve nowhere takes the value.

    Source: Fritsch and Carlson 1980, SIAM Journal on Numerical Analysis 17(2), by scipy.
    """
    places = sorted(curve)
    heights = [curve[place] for place in places]
    between = PchipInterpolator(places, heights)
    for low, high, left, right in zip(places, places[1:], heights, heights[1:], strict=False):
        if left == value:
            return low
        if (left - value) * (right - value) < 0:
            return float(brentq(lambda place: float(between(place)) - value, low, high))
    return places[-1] if heights[-1] == value else None
