"""Words around the figures of a study of logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from emdiag.core.logit_skew import LogitEstimate, PublishedFigure
from emdiag.findings.logits.rows import SHIFTS, LogitRows, LogitStatistic, sight
from emdiag.findings.numbers import count, intervals_drawn, listed, span

CHAPTER: Final = "What happened to the logits"
_SHAPE: Final = {
    "per-token-skewness": (
        "Skewness of the logits at one position after the other, a shape for each checkpoint. "
        "It leans right where a few tokens stand far above the rest."
    ),
    "histogram": (
        "All logits of all positions together. Their skewness can move the other way than that "
        "of the single positions, so both are shown."
    ),
    "along-the-answer": "Skewness and entropy from the beginning of the text to its end.",
}
COOLING: Final = {
    "cooling": (
        "How far the checkpoint is from its base, and how much of that goes away when the base "
        "is cooled to its best temperature. What is left is not cooling."
    ),
    "shift-by-rank": (
        "Which tokens were lifted and which lowered, by their rank in the base. Cooling lifts "
        "the first ranks and lowers all others evenly."
    ),
    "flips": "From which most likely token to which.",
}
COOLED: Final = (
    "A checkpoint that is only its base, cooled, keeps the order of all tokens, and one "
    "temperature accounts for its whole distance."
)
OWN_MEASURE: Final = (
    "A separate measurement: texts, positions and values differ from those above, and so do the "
    "numbers."
)
PUBLISHED: Final = {
    "published": (
        "Skewness as the released script measures it, and what becomes of it as its quirks are "
        "undone one by one. It is the same for a z + b, so it does not see cooling."
    )
}


LOGITS: Final = {
    "logits": ("Raw logits, pooled over positions", "logit"),
    "centred logits": (
        "Raw logits minus the mean of their position",
        "logit minus mean of position",
    ),
}
"""Panels by the quantity counted in them: title and unit."""

DENSITY: Final = "density, per unit of logit"
SHIFTED: Final[Mapping[LogitStatistic, tuple[str, str]]] = {
    SHIFTS[0]: ("Log-probability", "shift, nats"),
    SHIFTS[1]: ("Logit minus the mean over the vocabulary", "shift, logit units"),
}
"""Panels by the shift drawn in them: title and unit."""

RANK: Final = "rank of the token at the base, in doublings"
TENTH: Final = "tenth of the text (1: its beginning)"
PARTS: Final = {
    "cooling_nats": "cooling: gone at one temperature",
    "reranking_nats": "re-ranking, at least",
    "rest_nats": "rest: another shape",
}
"""Stretches of a bar, by the field of `Decomposition`."""

WHOLE_BAR: Final = "What the KL is made of"
OWN_TEMPERATURES: Final = "gone with a best temperature at each position"
EACH_ALONE: Final = "Each undone alone (dotted: as published)"
LADDER: Final = "one quirk more is undone at each step"


def shape_captions(rows: LogitRows) -> dict[str, str]:
    """Of the figures of skewness, each with what that can see."""
    if not rows.main_texts:
        return dict(_SHAPE)
    sees = sight(rows, rows.main_texts[0])
    return {name: f"{caption} {sees}" for name, caption in _SHAPE.items()}


def ladder_title(first: str) -> str:
    """Above the ladder of quirks, from its first step on."""
    return f"From {first} to raw, shared, per token"


def sizes(rows: Sequence[LogitEstimate]) -> str:
    """Such as `n = 20 problems, 12,345 tokens, 5 seeds`; ranges where the rows differ."""
    parts = [
        span([getattr(row, f"{noun}s") for row in rows], noun)
        for noun in ("problem", "token", "seed")
    ]
    return f"n = {', '.join(parts)}" + (" for each checkpoint" if len(rows) > 1 else "")


def _bars(rows: Sequence[LogitEstimate], mark: str) -> str:
    return intervals_drawn((row.interval for row in rows), mark)


def violins_note(text: str, rows: Sequence[LogitEstimate], *, texts: int) -> str:
    """Below the title of the violins; `text` is that of the title."""
    first = " (the left panel, and the title)" if texts > 1 else ""
    return (
        f"Read on {text}{first}; {sizes(rows)}. {_bars(rows, 'Dots: means; bars')}. "
        "Cooling does not move it."
    )


def histogram_note(text: str, rows: Sequence[LogitEstimate], *, outside: int) -> str:
    """Below the title of the densities; `outside` counts logits beyond the edges."""
    beyond = f" Beyond the edges, not drawn: {outside:,} logits." if outside else ""
    return (
        f"Read on {text}; {sizes(rows)}. A constant added to the logits of one position changes "
        "no probability; it moves the pooled values and the left curve, not the right one. "
        f"{_bars(rows, 'In brackets')}.{beyond}"
    )


def tenths_note(text: str, whole: Sequence[LogitEstimate], tenths: Sequence[LogitEstimate]) -> str:
    """Below the title of the curves along the text."""
    start = f"Read on {text}, each text cut into ten parts of equal length"
    return f"{start}; {sizes(whole)}. {_bars(tenths, 'Bands')}."


def shift_note(
    base: str, text: str, first: Sequence[LogitEstimate], ranks: Sequence[LogitEstimate]
) -> str:
    """Below the title of the shifts by rank."""
    start = f"Checkpoint minus {base} at the same positions of {text}"
    return f"{start}; {sizes(first)}. {_bars(ranks, 'Bands')}."


def cooling_note(base: str, text: str, rows: Sequence[LogitEstimate], *, texts: int) -> str:
    """Below the title of the figure of cooling; `text` is that of the title."""
    first = " (the left panels, and the title)" if texts > 1 else ""
    return (
        f"KL from {base} at temperature T to the checkpoint at 1, read on {text}{first}; "
        f"{sizes(rows)}. Large marks: the best temperature."
    )


def flips_note(
    base: str, text: str, rows: Sequence[LogitEstimate], *, most: int, left_out: int
) -> str:
    """Below the title of the flows, of which a panel shows at most so many."""
    more = f" Not drawn: {count(left_out, 'checkpoint')} more." if left_out else ""
    return (
        f"Left: most likely token of {base}; right: of the checkpoint, at the same positions of "
        f"{text}; {sizes(rows)}. Up to {most} of the largest flows; the thickness is the number "
        f"of positions, on a scale of its own in each panel.{more}"
    )


def published_note(published: PublishedFigure) -> str:
    """Below the title of the published figure: what its script measures."""
    values = [value for step in (*published.steps, *published.alone) for value in step.values]
    without = f" Asked for without: {', '.join(published.undone)}." if published.undone else ""
    return (
        f"As published: scores of a sampler at T = {published.temperature:g} among its "
        f"{published.top_k} highest, every text cut to {count(published.positions, 'position')}, "
        "its own text for each checkpoint, all values in one pool; "
        f"n = {span([text.problems for text in published.texts], 'problem')}, "
        f"{span([value.tokens for value in values], 'token')} for each value. "
        f"{intervals_drawn((value.interval for value in values), 'Bars')}.{without}"
    )


def title(rows: LogitRows) -> str:
    """Such as `Logits of base and em on chain`."""
    return f"Logits of {listed(rows.labels)} on {rows.result.benchmark}"


def question(rows: LogitRows) -> str:
    """What the study answers."""
    base, benchmark = rows.result.base, rows.result.benchmark
    if not rows.compared:
        return f"What shape have the next-token logits of {base} on {benchmark}?"
    return (
        f"Did training skew the next-token logits of {listed(rows.compared)} against {base} on "
        f"{benchmark}, and is the change more than cooling?"
    )
