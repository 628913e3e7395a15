"""What the functions of this room ask of the numbers given to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emdiag.core.errors import MeasurementError


def numbers(
    values: ArrayLike, *, of: str, low: float = -np.inf, high: float = np.inf, nan: bool = False
) -> NDArray[np.float64]:
    """The values as an array, if there is one and all are finite and between `low` and `high`.

    `of` names what is computed from them; `nan` stands for a missing value where it is allowed.

    Raises:
        MeasurementError: There is no value, or another one.
    """
    array = np.asarray(values, dtype=np.float64)
    is_right = np.isfinite(array) & (array >= low) & (array <= high)
    if nan:
        is_right |= np.isnan(array)
    if array.size and is_right.all():
        return array
    bounds = "finite numbers"
    if np.isfinite(high):
        bounds = f"numbers between {low:g} and {high:g}"
    elif np.isfinite(low):
        bounds = f"finite numbers of at least {low:g}"
    raise MeasurementError(
        f"{of} needs {bounds}",
        found=f"{array[~is_right][0]:g}" if array.size else "no value",
        hint="problems that do not define the value are left out before",
    )


def refuse_counts(part: int, whole: int, *, of: str, least: int = 1) -> None:
    """Stop where `part` of `whole`, at least so many, cannot have been counted.

    Raises:
        MeasurementError: So it is.
    """
    if not 0 <= part <= whole or whole < least or part % 1 or whole % 1:
        raise MeasurementError(
            f"{of} is not defined",
            expected=f"whole numbers, 0 or more of at least {least}",
            found=f"{part} of {whole}",
        )


def same_problems(*arrays: NDArray[np.float64]) -> None:
    """Stop where the last axes of what is paired differ in length.

    Raises:
        MeasurementError: So it is.
    """
    sizes = list(dict.fromkeys(array.shape[-1] for array in arrays))
    if len(sizes) > 1:
        raise MeasurementError(
            "values that are paired need the same problems on all sides",
            found=" and ".join(map(str, sizes)) + " problems",
        )
