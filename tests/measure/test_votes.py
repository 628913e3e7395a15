from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.errors import MeasurementError
from emdiag.measure.votes import majority_right, votes_of

Answers = list[str | None]


@pytest.mark.parametrize(
    ("answers", "winners", "majority_frac", "agreement", "right"),
    [
        ([None] * 8, (), 0.0, 0.0, 0.0),  # all missing
        (["4"], ("4",), 1.0, None, 1.0),  # one vote of one
        ([None] * 7 + ["4"], ("4",), 1 / 8, 0.0, 1.0),  # the majority of one vote
        ([None] * 7 + ["5"], ("5",), 1 / 8, 0.0, 0.0),
        (["4", "5", None, None], ("4", "5"), 1 / 4, 0.0, 1 / 2),  # a tie is drawn at random
        (["5", "4", "4", "5", None], ("5", "4"), 2 / 5, 2 / 10, 1 / 2),
        (["4", "4", None], ("4",), 2 / 3, 1 / 3, 1.0),
    ],
)
def test_no_answer_is_no_vote_and_agrees_with_nothing(
    answers: Answers,
    winners: tuple[str, ...],
    majority_frac: float,
    agreement: float | None,
    right: float,
) -> None:
    votes = votes_of(answers)
    assert votes.winners == winners
    assert votes.samples == len(answers)
    assert votes.silent == answers.count(None)
    assert votes.majority_frac == pytest.approx(majority_frac)
    assert votes.agreement == (None if agreement is None else pytest.approx(agreement))
    assert majority_right(answers, [answer == "4" for answer in answers]) == pytest.approx(right)


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=2, max_size=10))
def test_agreement_counts_pairs_of_samples_that_give_the_same_answer(answers: Answers) -> None:
    pairs = list(combinations(answers, 2))
    equal = sum(first is not None and first == second for first, second in pairs)
    assert votes_of(answers).agreement == pytest.approx(equal / len(pairs))


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=10))
def test_a_further_sample_without_an_answer_never_raises_agreement_or_majority(
    answers: Answers,
) -> None:
    before, after = votes_of(answers), votes_of([*answers, None])
    assert after.majority_frac <= before.majority_frac
    assert after.winners == before.winners
    assert (after.agreement or 0) <= (before.agreement or 0)


def test_without_a_sample_there_is_no_vote() -> None:
    with pytest.raises(MeasurementError, match="no vote"):
        votes_of([])
