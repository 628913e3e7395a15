"""Two checkpoints on the same problems, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.findings.cautions import as_sentence, distinct, few_problems
from emdiag.findings.page import Cell, Page, Section, Statement, table
from emdiag.plots.accuracy import difference_figure
from emdiag.reports.pieces import (
    NOTHING,
    amount,
    listed,
    percent_cell,
    pictures,
    points,
    points_cell,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emdiag.core.results import CompareResult, Comparison, Conclusion
    from emdiag.core.samples_book import Tone
    from emdiag.findings.page import Context, Row, Table

_TONES: Final[Mapping[Conclusion, Tone]] = {
    "right better": "better",
    "left better": "worse",
    "equivalent": "plain",
    "undecided": "undecided",
}
FLIPS_SHOWN = 60
"""Problems named for each direction."""


def comparison_page(result: CompareResult, *, context: Context) -> Page:
    """Whether one checkpoint is better than another, as far as the interval allows to say."""
    rows = [*([result.macro] if result.macro else []), *result.comparisons]
    first = result.comparisons[0]
    answers = tuple(_statement(row, is_macro=row is result.macro) for row in rows)
    told = {
        "differences": (
            f"{first.right} minus {first.left} in points, on the same problems. Right of zero "
            f"{first.right} is better; a bar inside the grey zone means no difference that "
            "matters."
        )
    }
    figures = {"differences": difference_figure(result)}
    return Page(
        kind="comparison",
        title=f"{first.right} against {first.left}",
        question=(
            f"Is {first.right} better than {first.left} on "
            f"{listed([one.benchmark for one in result.comparisons])}, problem by problem?"
        ),
        answers=answers,
        sections=(
            Section(
                heading="Differences",
                pictures=pictures(figures, told, shown=answers),
                tables=(_differences(result.comparisons, result.macro),),
            ),
            *_flips(result.comparisons),
        ),
        cautions=_doubts(result),
        context=context,
    )


def _statement(row: Comparison, *, is_macro: bool) -> Statement:
    where = "on average over the benchmarks" if is_macro else f"on {row.benchmark}"
    size = points(abs(row.difference), amount(row.interval, row.difference), signed=False)
    match row.conclusion:
        case "right better":
            text = f"{row.right} is {size} better than {row.left} {where}"
        case "left better":
            text = f"{row.right} is {size} worse than {row.left} {where}"
        case "equivalent":
            text = (
                f"{row.right} and {row.left} are equivalent within {100 * row.margin:g} points "
                f"{where}: {points(row.difference, row.interval)}"
            )
        case "undecided":
            text = (
                f"Undecided whether {row.right} is better than {row.left} {where}: "
                f"{points(row.difference, row.interval)}"
            )
    return Statement(words=text, tone=_TONES[row.conclusion])


def _differences(comparisons: Sequence[Comparison], macro: Comparison | None) -> Table:
    first = comparisons[0]
    rows: list[Row] = []
    for row in (*comparisons, *([macro] if macro else [])):
        flips = f"{len(row.wrong_to_right)} / {len(row.right_to_wrong)}" if row.test else NOTHING
        test = f"{row.test}, {row.metric}" if row.test else None
        rows.append(
            [
                row.benchmark,
                percent_cell(row.left_value),
                percent_cell(row.right_value),
                Cell(
                    text=points_cell(row.difference, row.interval),
                    tone=_TONES[row.conclusion],
                    hint=row.interval.method if row.interval else None,
                ),
                Cell(text=NOTHING if row.p_holm is None else _p(row.p_holm), hint=test),
                Cell(text=flips, hint="problems that became right / that became wrong"),
                str(row.problems),
                Cell(text=_conclusion(row), tone=_TONES[row.conclusion]),
            ]
        )
    return table(
        f"{first.right} minus {first.left}; scores in percent, differences in points",
        (
            "benchmark",
            first.left,
            first.right,
            "difference",
            "p (Holm)",
            "flips +/-",
            "problems",
            "conclusion",
        ),
        rows=rows,
        note="p is corrected for the number of benchmarks. A winner is named only where the "
        "corrected test and the interval agree.",
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def _conclusion(row: Comparison) -> str:
    match row.conclusion:
        case "right better":
            return f"{row.right} better"
        case "left better":
            return f"{row.left} better"
        case "equivalent":
            return f"equivalent within {100 * row.margin:g} points"
        case "undecided":
            return "undecided"


def _flips(comparisons: Sequence[Comparison]) -> tuple[Section, ...]:
    rows = []
    for row in comparisons:
        for name, flips in (
            ("wrong to right", row.wrong_to_right),
            ("right to wrong", row.right_to_wrong),
        ):
            if flips:
                more = len(flips) - FLIPS_SHOWN
                ids = ", ".join(flips[:FLIPS_SHOWN]) + (f" and {more} more" if more > 0 else "")
                rows.append([row.benchmark, name, str(len(flips)), ids])
    if not rows:
        return ()
    made = table(
        "Problems whose answer changed",
        ("benchmark", "direction", "problems", "ids"),
        rows=rows,
        is_prose=True,
        note="With several samples a problem counts as right where more than half of them are.",
    )
    return (Section(heading="Which problems flipped", tables=(made,), is_detail=True),)


def _doubts(result: CompareResult) -> tuple[str, ...]:
    found = few_problems({row.benchmark: row.problems for row in result.comparisons})
    for row in result.comparisons:
        if row.interval is None:
            found.append(f"{row.benchmark}: no interval can be given, so nothing follows.")
        if row.left_samples != row.right_samples:
            found.append(
                f"{row.benchmark}: {row.left} was sampled {row.left_samples} times and "
                f"{row.right} {row.right_samples} times."
            )
        found += [f"{row.benchmark}: {as_sentence(note)}" for note in row.notes]
    found.append(
        "One run of each checkpoint: another training seed could move the difference by more "
        "than its interval."
    )
    return distinct(found)
