from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy import stats

from emdiag.engines.hf.logit_reader import ReadText
from emdiag.measure.logit_statistics import positions_of
from emdiag.measure.logits import TracedText, trace
from emdiag.measure.published_logits import QUIRKS, PublishedReadings, published_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from emdiag.core.logit_skew import PublishedFigure
    from emdiag.measure.logit_statistics import Positions

    Texts = list[NDArray[np.float32]]

LENGTHS = {"base": (9, 6, 14), "em": (12, 5, 8)}
VOCAB = 120


def tables(lengths: Sequence[int], seed: int) -> Texts:
    """Logits of which some are exactly 0, among the highest 50 and below them."""
    random = np.random.default_rng(seed)
    found = []
    for number, size in enumerate(lengths):
        values = random.gumbel(size=(size, VOCAB)) * 2 + number - 1
        values[random.random(values.shape) < 0.05] = 0
        found.append(values.astype(np.float32))
    return found


OWN = {label: tables(lengths, seed) for seed, (label, lengths) in enumerate(LENGTHS.items())}
SHARED = {"base": OWN["base"], "em": tables(LENGTHS["base"], 7)}


def positions(texts: Texts) -> Positions:
    traces = [
        trace(
            ReadText(states=torch.tensor(values), head=None),
            TracedText(
                name="x",
                problem_id=str(number),
                sample_index=0,
                written=(0,) * len(values),
                vocab_size=VOCAB,
            ),
        )
        for number, values in enumerate(texts)
    ]
    return positions_of(traces, problems=[str(number) for number in range(len(texts))])


def figure(*undo: str) -> PublishedFigure:
    readings = PublishedReadings(
        own={label: positions(texts) for label, texts in OWN.items()},
        shared={label: positions(texts) for label, texts in SHARED.items()},
        texts=(),
    )
    return published_figure(readings, base="base", undo=[q for q in QUIRKS if q in undo], seed=0)


def scripted(label: str, undone: Sequence[str]) -> tuple[float, int]:
    """Skewness as the script has it, value by value, and positions that went into it."""
    texts = (SHARED if "own-text" in undone else OWN)[label]
    of_problems, positions = [], 0
    for values in texts:
        rows = values.astype(np.float64)
        rows = rows if "cut-to-shortest" in undone else rows[:5]
        rows = rows if "temperature" in undone else rows / 0.6
        kept = []
        for row in rows:
            left = row if "top-k" in undone else np.sort(row)[-50:]
            kept.append(left if "zeros-dropped" in undone else left[left != 0])
        of_problems.append(kept)
        positions += len(rows)
    if "pooled" in undone:
        means = [np.mean([stats.skew(row) for row in kept]) for kept in of_problems]
        return float(np.mean(means)), positions
    return float(stats.skew(np.concatenate([row for kept in of_problems for row in kept]))), (
        positions
    )


def test_some_logits_of_these_tests_are_zeros_among_the_highest() -> None:
    zeros = [np.sum(np.sort(values, axis=1)[:, -50:] == 0) for values in OWN["em"]]
    assert sum(zeros) > 5


@pytest.mark.parametrize("count", range(len(QUIRKS) + 1))
def test_any_quirks_undone_together_are_those_of_the_script_by_hand(count: int) -> None:
    for undone in combinations(QUIRKS, count):
        found = figure(*undone).shown
        expected = {label: scripted(label, undone) for label in LENGTHS}
        for value in found.values:
            skewness, tokens = expected[value.checkpoint]
            assert value.skewness == pytest.approx(skewness, rel=1e-6, abs=1e-9), undone
            assert value.tokens == tokens
            assert value.interval is not None
            assert value.interval.low < skewness < value.interval.high
        base, em = found.values
        assert (base.change, base.change_interval) == (None, None)
        assert em.change == pytest.approx(expected["em"][0] - expected["base"][0], abs=1e-6)
        assert em.change is not None
        assert em.change_interval is not None
        assert em.change_interval.low < em.change < em.change_interval.high
        if count not in {0, 1, len(QUIRKS)}:
            break  # every size once; alone, none and all of them are shown in full


def test_the_ladder_goes_from_the_script_to_our_figure_one_quirk_at_a_time() -> None:
    found = figure()
    assert (found.shown.name, found.shown.undone, found.positions) == ("as published", (), 5)
    assert [step.undone for step in found.ladder] == [QUIRKS[:n] for n in range(len(QUIRKS) + 1)]
    assert [step.undone for step in found.alone] == [(quirk,) for quirk in QUIRKS]
    for step in (*found.ladder, *found.alone):
        for value in step.values:
            expected = scripted(value.checkpoint, step.undone)[0]
            assert value.skewness == pytest.approx(expected, rel=1e-6, abs=1e-9)
    ours = {label: positions(texts) for label, texts in SHARED.items()}
    for value in found.ladder[-1].values:
        one = ours[value.checkpoint]
        assert value.skewness == pytest.approx(np.mean(one.by_problem(one.statistics["skewness"])))


def test_dividing_by_the_temperature_changes_no_skewness_and_every_sigma() -> None:
    found = figure()
    (cooled,) = [step for step in found.alone if step.undone == ("temperature",)]
    for before, after in zip(found.shown.values, cooled.values, strict=True):
        assert after.skewness == pytest.approx(before.skewness)
        assert before.sigma is not None
        assert after.sigma == pytest.approx(before.sigma * 0.6)
