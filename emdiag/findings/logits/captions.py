"""Words around the figures of a study of logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.findings.numbers import listed

if TYPE_CHECKING:
    from emdiag.findings.logits.rows import LogitRows

SHAPE: Final = {
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
        "undone one by one."
    )
}


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
