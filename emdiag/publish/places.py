"""Which samples of a page are shown where they are too many: the same ones every time."""

from __future__ import annotations

import hashlib
import heapq
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from emdiag.store.samples import SampleRows

SamplePlace = tuple[str, str, int]
"""Benchmark, problem id and sample index: the samples of all columns that stand side by side."""

SampleVerdicts = tuple[tuple[int, str], ...]
"""Of the samples at one place: the column, and what the grader says."""

FEWEST_OF_A_VERDICT = 20
"""Samples of each verdict of each column that a choice keeps, where there are as many."""


class Places:
    """Places with the verdicts of their samples and the characters of their texts, by number."""

    def __init__(self) -> None:
        self._rows = SampleRows(Path("nowhere"))
        self._verdicts = array("l")
        self._sizes = array("q")
        self._kinds: list[SampleVerdicts] = [()]
        self._kind_numbers: dict[SampleVerdicts, int] = {(): 0}
        self.samples = 0

    def add(self, place: SamplePlace, verdict: tuple[int, str], characters: int) -> None:
        """A sample at a place; columns come one after another."""
        benchmark, problem, index = place
        number = self._rows.add(f"{benchmark}\n{problem}", index)
        if number == len(self._sizes):
            self._verdicts.append(0)
            self._sizes.append(0)
        kind = (*self._kinds[self._verdicts[number]], verdict)
        self._verdicts[number] = self._kind_numbers.setdefault(kind, len(self._kinds))
        if self._verdicts[number] == len(self._kinds):
            self._kinds.append(kind)
        self._sizes[number] += characters
        self.samples += 1

    def choose(self, *, most_samples: int, most_text: int) -> list[SamplePlace]:
        """Places whose samples fit, all columns of each.

        Rare verdicts come first, then combinations of verdicts in their proportions. Both limits
        are of all places chosen together; `most_text` is in characters.
        """
        strata = self._strata()
        chosen: dict[int, None] = {}
        samples = text = 0
        for is_rare_pass in (True, False):
            kept: Counter[tuple[int, str]] = Counter()
            for number in _in_proportion(strata):
                verdicts = self._kinds[self._verdicts[number]]
                if is_rare_pass:
                    if all(kept[verdict] >= FEWEST_OF_A_VERDICT for verdict in verdicts):
                        continue
                    kept.update(verdicts)
                size = self._sizes[number]
                fits = samples + len(verdicts) <= most_samples and text + size <= most_text
                if fits and number not in chosen:
                    chosen[number] = None
                    samples, text = samples + len(verdicts), text + size
        return [self._place(number) for number in chosen]

    def _place(self, number: int) -> SamplePlace:
        name, index = self._rows.sample(number)
        benchmark, _, problem = name.partition("\n")
        return benchmark, problem, index

    def _strata(self) -> list[list[int]]:
        """Numbers of places with equal verdicts, each list in an order of no meaning."""
        keys = array("Q", (self._shuffled(number) for number in range(len(self._sizes))))
        strata: dict[int, list[int]] = {}
        for number in sorted(range(len(keys)), key=keys.__getitem__):
            strata.setdefault(self._verdicts[number], []).append(number)
        return list(strata.values())

    def _shuffled(self, number: int) -> int:
        name, index = self._rows.sample(number)
        return int.from_bytes(hashlib.sha256(f"{name}\n{index}".encode()).digest()[:8], "big")


def choose_places(
    verdicts: Mapping[SamplePlace, SampleVerdicts],
    sizes: Mapping[SamplePlace, int],
    *,
    most_samples: int,
    most_text: int,
) -> list[SamplePlace]:
    """As `Places.choose`; sizes are of the texts at a place together, in characters."""
    places = Places()
    for place, of_place in verdicts.items():
        for number, verdict in enumerate(of_place):
            places.add(place, verdict, 0 if number else sizes[place])
    return places.choose(most_samples=most_samples, most_text=most_text)


def _in_proportion(strata: list[list[int]]) -> Iterator[int]:
    """An order whose every beginning holds each combination of verdicts in its proportion."""

    def ranked(members: list[int], order: int) -> Iterator[tuple[float, int, int]]:
        return (((place + 0.5) / len(members), order, n) for place, n in enumerate(members))

    merged = heapq.merge(*(ranked(members, order) for order, members in enumerate(strata)))
    return (number for _, _, number in merged)
