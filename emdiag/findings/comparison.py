"""Two checkpoints on the same problems: what their paired differences say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from emdiag.core.results import Amount, CompareResult, Comparison, Conclusion, Direction
from emdiag.findings.cautions import distinct, few_problems, note_sentences
from emdiag.findings.gains import GAIN, MEASURED, gain_cell
from emdiag.findings.numbers import (
    NOTHING,
    at_temperature,
    count,
    distance,
    intervals_drawn,
    listed,
    p_cell,
    percent_cell,
    points,
    points_cell,
    span,
)
from emdiag.findings.page import (
    Cell,
    Findings,
    Statement,
    Table,
    Tone,
    statement,
    table,
    table_of,
)

_CONCLUSIONS: Final[Mapping[Conclusion, tuple[Direction, Tone]]] = {
    "right better": ("higher", "better"),
    "left better": ("lower", "worse"),
    "equivalent": ("undecided", "plain"),
    "undecided": ("undecided", "undecided"),
}
"""Direction and tone."""

_FLIPS: Final = "flips +/\N{MINUS SIGN}"
FLIPS_SHOWN: Final = 60
"""Problems named for each direction."""


def comparison_findings(result: CompareResult) -> Findings:
    """Differences by benchmark, and the problems whose answer changed."""
    return Findings(
        tables=(differences_table(result), flips_table(result)),
        statements=comparison_statements(result),
        cautions=comparison_cautions(result),
    )


def comparison_title(result: CompareResult) -> str:
    """Such as `em against base`."""
    first = result.comparisons[0]
    return f"{first.right} against {first.left}"


def comparison_question(result: CompareResult) -> str:
    """What was asked, in a sentence."""
    first = result.comparisons[0]
    benchmarks = listed([row.benchmark for row in result.comparisons])
    return f"Is {first.right} better than {first.left} on {benchmarks}, problem by problem?"


def comparison_caption(result: CompareResult) -> str:
    """Of the figure of differences."""
    first = result.comparisons[0]
    return (
        f"{first.right} minus {first.left} in points, on the same problems. Right of zero "
        f"{first.right} scored higher; a bar inside the grey zone means no difference that matters."
    )


def differences_note(rows: Sequence[Comparison]) -> str:
    """Below the title of the figure of differences."""
    return (
        f"Paired by problem; n = {span([row.problems for row in rows], 'problem')}. "
        f"{intervals_drawn((row.interval for row in rows), 'Bars')}. "
        f"Grey zone: within {100 * rows[0].margin:g} points the two count as equivalent."
    )


def differences_axis(row: Comparison) -> str:
    """Which side of zero is whose."""
    return f"points; right of 0: {row.right} scored higher, left of 0: {row.left} did"


def comparison_statements(result: CompareResult) -> tuple[Statement, ...]:
    """The mean over benchmarks first, then each benchmark."""
    macro = [] if result.macro is None else [comparison_statement(result.macro, is_macro=True)]
    return (*macro, *map(comparison_statement, result.comparisons))


def comparison_statement(row: Comparison, *, is_macro: bool = False) -> Statement:
    """Such as `em is 33.5 points [28.1, 38.9] better than base on chain`."""
    where = "on average over the benchmarks" if is_macro else f"on {row.benchmark}"
    gap = points(row.difference, row.interval)
    match row.conclusion:
        case "right better" | "left better":
            word = "better" if row.conclusion == "right better" else "worse"
            size = distance(row.difference, row.interval)
            words = f"{row.right} is {size} {word} than {row.left} {where}"
        case "equivalent":
            words = f"{row.right} and {row.left} are {conclusion_words(row)} {where}: {gap}"
        case "undecided":
            words = f"No significant difference between {row.right} and {row.left} {where}: {gap}"
    subject = f"{row.right} minus {row.left} on {row.benchmark}"
    of, (direction, tone) = Amount(row.difference, row.interval), _CONCLUSIONS[row.conclusion]
    return statement(words, "difference", subject, of=of, direction=direction, tone=tone)


def conclusion_words(row: Comparison) -> str:
    """In a few words, for a cell."""
    match row.conclusion:
        case "right better":
            return f"{row.right} better"
        case "left better":
            return f"{row.left} better"
        case "equivalent":
            return f"equivalent within {100 * row.margin:g} points"
        case "undecided":
            return "not significant"


def differences_table(result: CompareResult) -> Table:
    """A row for each benchmark and one for their mean."""
    left, right = result.comparisons[0].left, result.comparisons[0].right
    plain = table_of(
        (*result.comparisons, *([result.macro] if result.macro else [])),
        f"{right} minus {left}{_how(result)}; scores in percent, differences in points",
        (
            ("benchmark", lambda row: row.benchmark),
            (left, lambda row: percent_cell(row.left_value)),
            (right, lambda row: percent_cell(row.right_value)),
            ("difference", _difference),
            ("p (Holm)", _corrected_p),
            (_FLIPS, _flips),
            (GAIN, lambda row: gain_cell(row.detectable)),
            ("problems", lambda row: f"{row.problems:,}"),
            ("conclusion", lambda row: Cell(text=conclusion_words(row), tone=_tone(row))),
        ),
        note="p is corrected over the benchmarks and their mean. A winner is named only where the "
        "corrected test and the interval agree.",
        secondary=("problems", _FLIPS, GAIN, left, right),
    )
    return replace(plain, column_notes=((GAIN, MEASURED),))


def _how(result: CompareResult) -> str:
    """What was measured, such as `, avg@8 at T 0.6`; of several ways, by benchmark."""
    ways: dict[str, list[str]] = {}
    for row in result.comparisons:
        temperatures = [] if row.temperatures is None else list(row.temperatures)
        at = " against ".join(dict.fromkeys(map(at_temperature, temperatures)))
        ways.setdefault(f"{row.metric} {at}".rstrip(), []).append(row.benchmark)
    if len(ways) == 1:
        return f", {next(iter(ways))}"
    parts = [f"{way} on {listed(names)}" for way, names in ways.items()]
    return f", {', '.join(parts)}"


def _tone(row: Comparison) -> Tone:
    return _CONCLUSIONS[row.conclusion][1]


def _difference(row: Comparison) -> Cell:
    return Cell(
        text=points_cell(row.difference, row.interval),
        tone=_tone(row),
        hint=row.interval.method if row.interval else None,
    )


def _corrected_p(row: Comparison) -> Cell:
    return Cell(text=p_cell(row.p_holm), hint=f"{row.test}, {row.metric}" if row.test else None)


def _flips(row: Comparison) -> Cell:
    is_macro = row.metric == "macro-average"
    flips = NOTHING if is_macro else f"{len(row.wrong_to_right)} / {len(row.right_to_wrong)}"
    return Cell(text=flips, hint="problems that became right / that became wrong")


def flips_table(result: CompareResult) -> Table:
    """Which problems became right, and which wrong."""
    rows = []
    for row in result.comparisons:
        for direction, flips in (
            ("wrong to right", row.wrong_to_right),
            ("right to wrong", row.right_to_wrong),
        ):
            if flips:
                more = len(flips) - FLIPS_SHOWN
                ids = ", ".join(flips[:FLIPS_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
                rows.append([row.benchmark, direction, f"{len(flips):,}", ids])
    return table(
        "Problems whose answer changed",
        ("benchmark", "direction", "problems", "ids"),
        rows=rows,
        is_prose=True,
        note="With several samples a problem counts as right where more than half of them are.",
    )


def comparison_cautions(result: CompareResult) -> tuple[str, ...]:
    """What to distrust in the differences."""
    cautions = few_problems({row.benchmark: row.problems for row in result.comparisons})
    for row in result.comparisons:
        if row.interval is None:
            cautions.append(f"{row.benchmark}: no interval can be given, so nothing follows.")
        if row.left_samples != row.right_samples:
            cautions.append(
                f"{row.benchmark}: {row.left} has {count(row.left_samples, 'sample')} of each "
                f"problem and {row.right} has {row.right_samples}."
            )
        cautions += [f"{row.benchmark}: {note}" for note in note_sentences(row.notes)]
    cautions += note_sentences(result.notes)
    cautions.append(
        "One run of each checkpoint: another training seed could move the difference by more "
        "than its interval."
    )
    return distinct(cautions)
