from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.logit_skew import Decomposition, LogitDifference, LogitEstimate
from emdiag.core.moments import COOLING_TEMPERATURES
from emdiag.core.results import Interval, direction_of
from emdiag.studies.logits.words import statements

if TYPE_CHECKING:
    from emdiag.core.logit_skew import Finding, StatisticKind

CLAIMS = ("right-skewed than", "certain than")


def interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=0.95, method="bootstrap over problems")


def estimate(
    statistic: str = "skewness",
    kind: StatisticKind = "per_token",
    *,
    change: tuple[float, float] | None = (0.5, 1.0),
    p_holm: float | None = 0.001,
    **fields: Any,
) -> LogitEstimate:
    """One row of em on the base's text, whose change has this interval."""
    between = None if change is None else interval(*change)
    difference = LogitDifference(
        base="base",
        value=0.1 if change is None else sum(change) / 2,
        interval=between,
        p_value=p_holm,
        p_holm=p_holm,
        direction=direction_of(between, p_holm),
    )
    known: dict[str, Any] = {
        "checkpoint": "em", "text": "base", "source": "raw", "part": None, "value": 1.0,
        "interval": None, "tokens": 10, "problems": 8, "seeds": 1, "difference": difference,
    }  # fmt: skip
    return LogitEstimate(statistic=statistic, kind=kind, **{**known, **fields})


def said(*rows: LogitEstimate, parts: tuple[Decomposition, ...] = ()) -> str:
    return " ".join(statements(rows, parts, base="base"))


def test_each_direction_has_its_words_and_its_numbers() -> None:
    assert said(estimate()) == (
        "On the text of base, em is more right-skewed than base "
        "(per-token skewness +0.75 [0.5, 1])."
    )
    assert "em is less right-skewed than base" in said(estimate(change=(-1, -0.5)))
    assert "em is less certain than base (entropy" in said(estimate("entropy_nats"))
    assert "em is more certain than base" in said(estimate("entropy_nats", change=(-1, -0.5)))
    assert "(pooled skewness +0.75" in said(estimate(kind="pooled"))
    assert said(estimate(text="own")).startswith("On its own text, em")


@given(
    low=st.floats(-1, 1),
    width=st.floats(0, 1),
    p_holm=st.one_of(st.none(), st.floats(0, 1)),
)
def test_no_direction_is_claimed_while_zero_is_possible(
    low: float, width: float, p_holm: float | None
) -> None:
    found = said(estimate(change=(low, low + width), p_holm=p_holm))
    excludes = low > 0 or low + width < 0
    may_claim = excludes and (p_holm is None or p_holm < 1 - 0.95)
    assert any(words in found for words in CLAIMS) == may_claim
    assert ("no difference that may be claimed" in found) == (not may_claim)


def test_without_an_interval_nothing_is_claimed() -> None:
    found = said(estimate(change=None))
    assert "no difference that may be claimed" in found
    assert "[no interval]" in found


def test_opposite_signs_are_said_only_where_both_may_be_claimed() -> None:
    up, down = (0.5, 1.0), (-1.0, -0.5)
    both = said(estimate(change=down), estimate(kind="pooled", change=up))
    assert "em's pooled skewness went up and its per-token skewness down" in both
    other = said(estimate(change=up), estimate(kind="pooled", change=down))
    assert "em's pooled skewness went down and its per-token skewness up" in other
    for per_token, pooled in ((up, up), (down, down), (up, (-1.0, 0.5)), ((-1.0, 0.5), down)):
        found = said(estimate(change=per_token), estimate(kind="pooled", change=pooled))
        assert " went " not in found
    untested = estimate(kind="pooled", change=down, p_holm=0.2)
    assert " went " not in said(estimate(change=up), untested)


def test_log_probabilities_parts_and_the_base_are_not_spoken_of() -> None:
    for row in (
        estimate(source="log_prob"),
        estimate(part="decile 3"),
        estimate(checkpoint="base"),
        estimate("sigma"),
        estimate(difference=None),
    ):
        assert said(row) == ""


def parts(finding: Finding, temperature: float | None = 0.7, kl: float = 0.2) -> Decomposition:
    return Decomposition(
        checkpoint="em",
        text="base",
        temperature=temperature,
        kl_nats=kl,
        cooling_nats=0.15,
        reranking_nats=0.03,
        rest_nats=0.02,
        own_temperatures_nats=0.16,
        curve_temperatures=COOLING_TEMPERATURES,
        curve_nats=(0.1,) * len(COOLING_TEMPERATURES),
        finding=finding,
    )


SHARE = estimate(
    "cooling_share", value=0.9, difference=None, interval=interval(0.85, 0.95), change=None
)


def test_what_one_temperature_explains_is_said_with_its_share() -> None:
    found = said(SHARE, parts=(parts("cooling"),))
    assert "em is the base, cooled: one temperature (T 0.70, cooler)" in found
    assert "takes away 90 % [85, 95] of the KL of 0.2 nats a token" in found
    assert "at least 0.03 nats, and 0.02 are left" in found
    assert "(T 1.30, warmer)" in said(SHARE, parts=(parts("cooling", 1.3),))
    assert "is not the base, cooled" in said(SHARE, parts=(parts("not cooling"),))
    assert "is partly the base, cooled" in said(SHARE, parts=(parts("partly cooling"),))
    assert "may or may not be the base, cooled" in said(SHARE, parts=(parts("undecided"),))
    assert "no one temperature" in said(SHARE, parts=(parts("undecided", None),))


def test_a_checkpoint_like_the_base_is_said_to_be_like_it() -> None:
    found = said(SHARE, parts=(parts("unchanged", 1.0, 2e-4),))
    assert found == "On the text of base, em is the base's distribution (KL 0.0002 nats a token)."
