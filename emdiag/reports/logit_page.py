"""A study of next-token distributions as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.core.logit_skew import OWN
from emdiag.findings.cautions import arm_cautions, as_sentence, distinct, few_problems, truncation
from emdiag.findings.page import Page, Section, Statement, sentence
from emdiag.plots.logits.figures import skew_figures
from emdiag.reports.logit_answers import arm_statements
from emdiag.reports.logit_tables import detail_tables, main_table, published_table
from emdiag.reports.pieces import count, listed, pictures

if TYPE_CHECKING:
    from emdiag.core.logit_skew import LogitSkewResult
    from emdiag.core.samples_book import Tone
    from emdiag.findings.page import Context, Picture

MOST_ANSWERS = 8
"""Statements on top of the page; all of them stand further down."""

_SHAPE: Final = {
    "per-token-skewness": (
        "Skewness of the logits at one position after the other, a shape for each checkpoint. "
        "It leans right where a few tokens stand far above the rest."
    ),
    "histogram": (
        "All logits of all positions in one heap. Its skewness can move the other way than that "
        "of the single positions, so the two are told apart."
    ),
    "along-the-answer": "Skewness and entropy from the beginning of the text to its end.",
}
_COOLING: Final = {
    "cooling": (
        "How far the checkpoint is from its base, and how much of that goes away when the base "
        "is cooled to its best temperature. What is left is no cooling."
    ),
    "shift-by-rank": (
        "Which tokens were lifted and which lowered, by their rank in the base. Cooling lifts "
        "the first ranks and lowers all others evenly."
    ),
    "flips": "Which most likely token gave way to which.",
}
_OWN_MEASURE: Final = (
    "A measurement of its own: texts, positions and values differ from those above, and so do the "
    "numbers."
)
_PUBLISHED: Final = {
    "published": (
        "The measure as the released script takes it, and what becomes of it as its shortcuts "
        "are undone one by one."
    )
}


def logit_page(result: LogitSkewResult, *, context: Context) -> Page:
    """What training did to the next-token distribution, and whether that is mere cooling."""
    others = [arm.label for arm in result.arms if arm.label != result.base]
    spoken = [Statement(words=one, tone=_tone(one)) for one in result.statements]
    first = (arm_statements(result) or _ordered(result, spoken))[:MOST_ANSWERS]
    figures = skew_figures(result)
    where = count(result.problems, "problem")
    question = (
        f"Did training skew the next-token logits of {listed(others)} against {result.base} on "
        f"{result.benchmark}, and is the change more than cooling?"
        if others
        else f"What shape have the next-token logits of {result.base} on {result.benchmark}?"
    )
    return Page(
        kind="logits",
        title=f"Logits of {listed([arm.label for arm in result.arms])} on {result.benchmark}",
        question=question,
        answers=tuple(first) or (Statement(words=f"Measured on {where}; nothing to compare."),),
        sections=(
            Section(
                heading="Skewness",
                pictures=pictures(figures, _SHAPE, shown=first),
                tables=(main_table(result),),
            ),
            *_cooling_section(result, figures_shown=pictures(figures, _COOLING, shown=first)),
            *_published_section(result, figures_shown=pictures(figures, _PUBLISHED, shown=())),
            *_statements(spoken),
            Section(heading="Every statistic", tables=detail_tables(result), is_detail=True),
        ),
        cautions=_doubts(result),
        context=context,
    )


def _cooling_section(
    result: LogitSkewResult, *, figures_shown: tuple[Picture, ...]
) -> tuple[Section, ...]:
    if not figures_shown:
        return ()
    words = (
        f"A checkpoint that is only a cooled {result.base} keeps the order of all tokens, and one "
        "temperature takes its whole distance away."
    )
    return (Section(heading="Cooling, or more", words=(words,), pictures=figures_shown),)


def _published_section(
    result: LogitSkewResult, *, figures_shown: tuple[Picture, ...]
) -> tuple[Section, ...]:
    if result.published is None:
        return ()
    return (
        Section(
            heading="As published",
            words=(_OWN_MEASURE,),
            pictures=figures_shown,
            tables=(published_table(result),),
        ),
    )


def _statements(spoken: list[Statement]) -> tuple[Section, ...]:
    words = tuple(sentence(one.words) for one in spoken)
    if len(words) <= MOST_ANSWERS:
        return ()
    return (Section(heading="Everything the intervals allow to say", words=words, is_detail=True),)


def _ordered(result: LogitSkewResult, spoken: list[Statement]) -> list[Statement]:
    """On the base's text or else on own texts: skewness first, then cooling, then the rest."""
    names = [result.base, OWN]
    starts = ["On its own text" if name == OWN else f"On the text of {name}," for name in names]
    for start in starts:
        here = [one for one in spoken if one.words.startswith(start)]
        if here:
            return sorted(here, key=_weight)
    return sorted(spoken, key=_weight)


def _weight(statement: Statement) -> int:
    order = ("per-token skewness", "cooled", "pooled skewness")
    found = [place for place, words in enumerate(order) if words in statement.words]
    return found[0] if found else len(order)


def _tone(text: str) -> Tone:
    return "undecided" if "no difference that may be claimed" in text else "plain"


def _doubts(result: LogitSkewResult) -> tuple[str, ...]:
    found = few_problems({result.benchmark: result.problems})
    found += truncation(
        {
            f"{text.writer}'s text ({text.name})": text.truncated_frac
            for text in result.texts
            if text.temperature is not None
        }
    )
    undefined = {row.statistic for row in result.estimates if row.value is None}
    if undefined:
        found.append(
            f"Not defined on these texts, for some checkpoints: {listed(sorted(undefined))}."
        )
    found += arm_cautions(result.arms)
    return distinct([*(as_sentence(note) for note in result.notes), *found])
