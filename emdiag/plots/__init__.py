"""Result records to figures; draws, never computes.

Figures are drawn by Agg, without a window and whatever backend is chosen for others. A chosen one
that is not installed here, as notebooks name theirs to all they start, must not end the import.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def _import_matplotlib() -> None:
    chosen = os.environ.pop("MPLBACKEND", None)
    import matplotlib as mpl

    if chosen is not None:
        os.environ["MPLBACKEND"] = chosen
        with suppress(ValueError):  # what matplotlib itself does, where the backend is installed
            mpl.rcParams["backend"] = chosen


if "matplotlib" not in sys.modules:
    _import_matplotlib()
