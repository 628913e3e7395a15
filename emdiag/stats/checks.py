"""What the functions of this room ask of the numbers given to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emdiag.core.errors import MeasurementError

_LARGEST = 1e70  # whose fourth power, summed over any number of values, is still finite
_LEAST = 1e-150  # by which one can divide


def numbers(
    values: ArrayLike, *, of: str, low: float = -np.inf, high: float = np.inf, nan: bool = False
) -> NDArray[np.float64]:
    """The values in float64, if there is one and all are finite and between `low` and `high`.

    `of` names what is computed from them; `nan` stands for a missing value where it is allowed.
    What is larger than 1e70 is refused too, since fourth powers of it are no numbers; what is
    smaller than 1e-150 is 0.

    Raises:
        MeasurementError: There is no value, or another one.
    """
    array = np.asarray(values, dtype=np.float64)
    is_right = (np.abs(array) <= _LARGEST) & (array >= low) & (array <= high)
    if nan:
        is_right |= np.isnan(array)
    if array.size and is_right.all():
        return np.where(np.abs(array) < _LEAST, 0.0, array)
    bounds = "finite numbers" if not np.isfinite(array).all() else f"numbers up to {_LARGEST:g}"
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
    are_whole = all(isinstance(count, int | np.integer) for count in (part, whole))
    if not are_whole or not 0 <= part <= whole or whole < least:
        raise MeasurementError(
            f"{of} is not defined",
            expected=f"whole numbers, 0 or more of at least {least}",
            found=f"{part} of {whole}",
        )


def refuse_level(level: float) -> None:
    """Stop where `level` is no confidence level, which lies between 0 and 1 and is neither.

    Raises:
        MeasurementError: So it is.
    """
    if not 0 < level < 1:
        raise MeasurementError("a confidence level lies between 0 and 1", found=level)


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
