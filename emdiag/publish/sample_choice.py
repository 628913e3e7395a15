"""Which samples a page shows where there are too many: in pairs, in proportion, rare ones too."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Place = tuple[str, str, int]
"""Benchmark, problem id and sample index: the samples of all columns that stand side by side."""

FEWEST_OF_A_VERDICT = 20
"""Samples of each verdict of each column that a choice keeps, where there are as many."""


def choose_places(
    verdicts: Mapping[Place, tuple[tuple[int, str], ...]],
    sizes: Mapping[Place, int],
    *,
    most_samples: int,
    most_text: int,
) -> list[Place]:
    """Places whose samples fit, all columns of each; the same ones every time.

    Rare verdicts come first, then combinations of verdicts in their proportions.

    Args:
        verdicts: Of the samples at each place: the column, and what the grader says.
        sizes: Of their texts together, in characters.
        most_samples: Samples of all places chosen.
        most_text: Characters of all places chosen.
    """
    order = _in_proportion(verdicts)
    chosen, samples, text = [], 0, 0
    for place in dict.fromkeys([*_rare(order, verdicts), *order]):
        if samples + len(verdicts[place]) <= most_samples and text + sizes[place] <= most_text:
            chosen.append(place)
            samples, text = samples + len(verdicts[place]), text + sizes[place]
    return chosen


def _rare(
    order: Iterable[Place], verdicts: Mapping[Place, tuple[tuple[int, str], ...]]
) -> list[Place]:
    """The first places in this order that give each column enough of each verdict."""
    kept: dict[tuple[int, str], int] = {}
    found = []
    for place in order:
        if any(kept.get(pair, 0) < FEWEST_OF_A_VERDICT for pair in verdicts[place]):
            found.append(place)
            for pair in verdicts[place]:
                kept[pair] = kept.get(pair, 0) + 1
    return found


def _in_proportion(verdicts: Mapping[Place, tuple[tuple[int, str], ...]]) -> list[Place]:
    """An order whose every beginning holds each combination of verdicts in its proportion."""
    strata: dict[tuple[tuple[int, str], ...], list[Place]] = {}
    for place in sorted(verdicts, key=_shuffled):
        strata.setdefault(verdicts[place], []).append(place)
    ranked = [
        ((number + 0.5) / len(members), _shuffled(place), place)
        for members in strata.values()
        for number, place in enumerate(members)
    ]
    return [place for _, _, place in sorted(ranked)]


def _shuffled(place: Place) -> bytes:
    """A key that sorts places in an order of no meaning."""
    return hashlib.sha256("\n".join(map(str, place)).encode()).digest()
