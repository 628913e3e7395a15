"""What estimates allow to be said in words; nothing is said that an interval does not back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.logit_skew import Decomposition, LogitEstimate
    from emdiag.core.results import Interval

_SAID = {
    ("skewness", "per_token"): ("per-token skewness", "more right-skewed", "less right-skewed"),
    ("skewness", "pooled"): ("pooled skewness", "more right-skewed", "less right-skewed"),
    ("entropy_nats", "per_token"): ("entropy", "less certain", "more certain"),
}
"""Statistic and kind to its name, and to what higher and lower mean."""


def statements(
    estimates: Sequence[LogitEstimate], decompositions: Sequence[Decomposition], *, base: str
) -> tuple[str, ...]:
    """Sentences for every checkpoint on every text, in the order of the estimates."""
    found = []
    for text in dict.fromkeys(one.text for one in estimates):
        of_text = [one for one in estimates if one.text == text and one.part is None]
        for label in dict.fromkeys(one.checkpoint for one in of_text):
            if label == base:
                continue
            mine = [one for one in of_text if one.checkpoint == label]
            found += [_sentence(one) for one in mine if _is_said(one)]
            found += _opposite(mine)
            found += [
                _explained(one, mine)
                for one in decompositions
                if (one.checkpoint, one.text) == (label, text)
            ]
    return tuple(found)


def _is_said(one: LogitEstimate) -> bool:
    known = (one.statistic, one.kind) in _SAID
    return known and one.source == "raw" and one.difference is not None


def _sentence(one: LogitEstimate) -> str:
    name, higher, lower = _SAID[one.statistic, one.kind]
    change = one.difference
    assert change is not None
    where = f"On {_text(one.text)}, {one.checkpoint}"
    amount = f"{name} {change.value:+.3g} {_within(change.interval)}"
    match change.direction:
        case "higher":
            return f"{where} is {higher} than {change.base} ({amount})."
        case "lower":
            return f"{where} is {lower} than {change.base} ({amount})."
        case "undecided":
            return f"{where} and {change.base}: no difference that may be claimed ({amount})."


def _opposite(mine: Sequence[LogitEstimate]) -> list[str]:
    """Where pooled and per-token skewness disagree in sign, and both may be claimed."""
    found = {
        one.kind: one.difference
        for one in mine
        if one.statistic == "skewness" and one.source == "raw" and one.difference
    }
    directions = {kind: change.direction for kind, change in found.items()}
    if sorted(directions.values()) != ["higher", "lower"]:
        return []
    one, pooled, per_token = mine[0], _way(directions["pooled"]), _way(directions["per_token"])
    said = (
        f"On {_text(one.text)}, {one.checkpoint}'s pooled skewness went {pooled} and its per-token "
        f"skewness {per_token}: the pooled figure also counts what differs from position to "
        "position, such as offsets, which no probability depends on."
    )
    return [said]


def _explained(one: Decomposition, mine: Sequence[LogitEstimate]) -> str:
    where = f"On {_text(one.text)}, {one.checkpoint}"
    share = next((row for row in mine if row.statistic == "cooling_share"), None)
    if one.finding == "unchanged":
        return f"{where} is the base's distribution (KL {one.kl_nats:.2g} nats a token)."
    said = {
        "cooling": "is the base, cooled",
        "partly cooling": "is partly the base, cooled",
        "not cooling": "is not the base, cooled",
        "undecided": "may or may not be the base, cooled",
    }[one.finding]
    if one.temperature is None:
        how = "no one temperature from 1/8 to 4 is best; the better end"
    else:
        warmth = "warmer" if one.temperature > 1 else "cooler"
        how = f"one temperature (T {one.temperature:.2f}, {warmth})"
    explained = ""
    if share is not None and share.value is not None:
        explained = f"{100 * share.value:.0f} % {_within(share.interval, 100)} of "
    return (
        f"{where} {said}: {how} takes away {explained}the KL of {one.kl_nats:.3g} nats a token; "
        f"another order of the tokens accounts for at least {one.reranking_nats:.2g} nats, and "
        f"{one.rest_nats:.2g} are left."
    )


def _way(direction: str) -> str:
    return "up" if direction == "higher" else "down"


def _text(name: str) -> str:
    return "its own text" if name == "own" else f"the text of {name}"


def _within(interval: Interval | None, scale: float = 1) -> str:
    if interval is None:
        return "[no interval]"
    return f"[{scale * interval.low:.3g}, {scale * interval.high:.3g}]"
