from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.claims import ClaimsResult
from emdiag.findings.claims import measured, verdicts_statement
from emdiag.reports.pages import claims_page
from emdiag.reports.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.findings.page import Page

    Make = dict[str, Callable[..., Any]]


def result_of(*claims: Any) -> ClaimsResult:
    return ClaimsResult(claims=claims, notes=(), store="runs")


def page_of(*claims: Any) -> Page:
    return claims_page(result_of(*claims))


def test_verdicts_are_counted_first_and_open_ones_never_hidden(make: Make) -> None:
    claims = [make["claim"](f"C0{n}", verdict) for n, verdict in enumerate(
        ("holds", "fails", "fails", "undecided"))]  # fmt: skip
    assert verdicts_statement(result_of(*claims)).words == (
        "Of 4 claims 1 holds, 2 fail and 1 is undecided on these checkpoints"
    )


def test_one_claim_on_two_arms_is_two_verdicts(make: Make) -> None:
    claims = (make["claim"]("C01", "holds"), make["claim"]("C01", "fails", arms=("bad",)))
    assert verdicts_statement(result_of(*claims)).words.startswith("2 verdicts on 1 claim: 1 holds")


def test_what_holds_and_what_fails_is_stated_with_its_number(make: Make) -> None:
    verdicts = ("undecided", "holds", "fails")
    claims = [make["claim"](f"C0{place}", verdict) for place, verdict in enumerate(verdicts)]
    _, holds, fails = page_of(*claims).answers
    assert (holds.kind, holds.subject, holds.tone) == ("holds", "C01", "better")
    assert (holds.value, holds.interval) == (0.3, make["around"](0.3, 0.02))
    assert holds.words.endswith("+30.0 points [28.0, 32.0]")
    assert (fails.kind, fails.subject, fails.tone) == ("fails", "C02", "worse")


def test_an_open_verdict_says_what_would_decide_it(make: Make) -> None:
    page = page_of(make["claim"]("C07", "undecided", None))
    assert page.cautions == ("C07 (em) is undecided; it would take: more seeds.",)
    row = page.sections[0].tables[0].rows[0]
    assert row[1].below == "What would decide it: more seeds"
    assert row[4].text == "not measured"
    shown = render(page).split("<table")[1].split("</table>")[0]
    assert '<span class="below" dir="auto">What would decide it: more seeds</span>' in shown


@pytest.mark.parametrize(
    ("unit", "value", "words"),
    [
        ("points", 0.3, "+30.0 [28.0, 32.0] points"),
        ("points per unit of T", -0.3, "−30.0 [−32.0, −28.0] points per unit of T"),
        ("share", 0.5, "50.0 [48.0, 52.0] %"),
        ("nats", 0.31, "0.310 [0.290, 0.330] nats"),
        ("skewness", -0.25, "−0.250 [−0.270, −0.230]"),
        ("skewness", 0.25, "+0.250 [0.230, 0.270]"),
        ("count", 3.0, "3.000 [2.980, 3.020]"),
        ("count", -3.0, "−3.000 [−3.020, −2.980]"),
    ],
)
def test_figures_are_shown_in_their_unit(make: Make, unit: str, value: float, words: str) -> None:
    (figure,) = make["claim"]("C01", "holds", value, unit=unit).figures
    assert measured(figure) == words


def test_no_claims_make_a_page_that_says_so() -> None:
    page = page_of()
    assert page.answers[0].words == "No claim could be measured with these runs"
    assert render(page)
