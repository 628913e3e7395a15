"""When benchmarks make a claim hold or fail: three of four, of which some may not be measured."""

from __future__ import annotations

import pytest

from emdiag.ledger.gains import verdict_of_benchmarks


@pytest.mark.parametrize(
    ("registered", "mean_over_seeds", "of_mean", "verdict"),
    [
        ("hhh", "hhh", "holds", "holds"),
        ("hh-", "hhh", "holds", "undecided"),
        ("hhh", "hhh", "undecided", "undecided"),
        ("---", "---", "fails", "fails"),
        ("f--", "f--", "undecided", "undecided"),  # the other and the fourth may make up for it
        ("ff-", "ff-", "undecided", "fails"),
        ("ff-", "f--", "undecided", "undecided"),  # one seed came out badly
        ("ffh", "ffh", "holds", "fails"),
    ],
)
def test_a_claim_on_four_benchmarks_of_which_three_were_measured(
    registered: str, mean_over_seeds: str, of_mean: str, verdict: str
) -> None:
    named = {"h": "holds", "f": "fails", "-": "undecided"}
    sides = [[named[letter] for letter in text] for text in (registered, mean_over_seeds)]
    verdict_given = verdict_of_benchmarks(*sides, needed=3, may_fail=1, of_mean=of_mean)  # type: ignore[arg-type]
    assert verdict_given == verdict
