"""The smallest gain that a comparison would find, as a cell says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emdiag.core.results import DetectableGain
from emdiag.findings.numbers import NOTHING, fixed, percent_cell
from emdiag.findings.page import Cell
from emdiag.findings.remarks import words_of

GAIN: Final = "detectable gain"
"""Heading of the columns that hold them."""

PLANNED: Final = (
    "Detectable gain: in points, what comparing one sample of each problem finds in four of five "
    "cases if 10 / 20 / 40 % of problems change (exact McNemar); never more than is left to gain."
)
MEASURED: Final = (
    "Detectable gain: in points, what pairs that vary like these show in four of five cases, "
    "corrected for the number of tests."
)
"""How to read the column, before a second checkpoint is measured and after."""


def gain_cell(*gains: DetectableGain | None) -> Cell:
    """One after the other, in points; the reasons of those that are not defined as a hint."""
    known = [gain for gain in gains if gain is not None]
    if all(gain.gain is None for gain in known):
        return Cell(text=NOTHING, hint=_reasons(known))
    return Cell(text=" / ".join(map(_points, known)), hint=_reasons(known))


def _points(gain: DetectableGain) -> str:
    return fixed(None if gain.gain is None else 100 * gain.gain, 1)


def _reasons(gains: Sequence[DetectableGain]) -> str | None:
    reasons = [
        words_of(gain.note)
        if gain.changing is None
        else f"{percent_cell(gain.changing)} % change: {words_of(gain.note)}"
        for gain in gains
        if gain.note is not None
    ]
    return "; ".join(dict.fromkeys(reasons)) or None
