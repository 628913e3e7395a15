from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from math import log, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from emdiag.core.errors import MeasurementError
from emdiag.stats.samples import agreement, answer_entropy

COUNTS = st.lists(st.integers(0, 6), min_size=1, max_size=5)


@given(COUNTS)
def test_agreement_is_the_share_of_pairs_with_one_answer(counts: list[int]) -> None:
    answers = [name for name, count in enumerate(counts) for _ in range(count)]
    pairs = list(combinations(answers, 2))
    found = agreement(counts)
    if not pairs:
        assert found is None
    else:
        assert found == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))


@pytest.mark.parametrize("samples", [2, 3, 5])
@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.9, 0.05, 0.05), (1.0, 0.0, 0.0)])
def test_agreement_is_the_chance_of_equal_answers_on_average(
    samples: int, shares: tuple[float, ...]
) -> None:
    expected = 0.0
    for answers in product(range(3), repeat=samples):
        found = agreement(list(Counter(answers).values()))
        assert found is not None
        expected += prod(shares[answer] for answer in answers) * found
    assert expected == pytest.approx(sum(share**2 for share in shares))


@given(COUNTS)
def test_answer_entropy_is_scipys_of_the_observed_shares(counts: list[int]) -> None:
    found = answer_entropy(counts)
    if not sum(counts):
        assert found is None
    else:
        assert found == pytest.approx(stats.entropy(counts), abs=1e-12)


@given(COUNTS, st.randoms())
def test_neither_asks_for_the_order_of_classes_nor_for_empty_ones(
    counts: list[int], order: object
) -> None:
    mixed = [*counts, 0]
    order.shuffle(mixed)  # type: ignore[attr-defined]  # a random.Random
    assert agreement(mixed) == agreement(counts)
    assert answer_entropy(mixed) == pytest.approx(answer_entropy(counts))


def test_all_different_and_all_equal_are_the_ends() -> None:
    assert agreement([1] * 16) == 0
    assert answer_entropy([1] * 16) == pytest.approx(log(16))
    assert agreement([16]) == 1
    assert answer_entropy([16]) == 0


@pytest.mark.parametrize("figure", [agreement, answer_entropy])
def test_a_negative_count_is_refused(figure: object) -> None:
    with pytest.raises(MeasurementError, match="is not defined"):
        figure([3, -1])  # type: ignore[operator]  # both are functions of counts
