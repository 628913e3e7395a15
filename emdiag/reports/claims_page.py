"""Claims of a paper and what was measured of them, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emdiag.findings.cautions import as_sentence, distinct
from emdiag.findings.page import Cell, Page, Section, Statement, table
from emdiag.reports.pieces import NOTHING, count, listed, number, percent_cell, points_cell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emdiag.core.claims import ClaimFigure, ClaimResult, ClaimsResult, ClaimVerdict
    from emdiag.core.samples_book import Tone
    from emdiag.findings.page import Context, Row, Table

_TONES: Final[Mapping[ClaimVerdict, Tone]] = {
    "holds": "better",
    "fails": "worse",
    "undecided": "undecided",
}


def claims_page(result: ClaimsResult, *, context: Context) -> Page:
    """Which claims hold here, which fail, and what would decide the others."""
    return Page(
        kind="claims",
        title="Claims of the paper, measured",
        question="Which claims about entropy minimisation hold on these checkpoints?",
        answers=verdict_statements(result),
        sections=(claims_section(result), *claims_details(result)),
        cautions=claims_doubts(result),
        context=context,
    )


def verdict_statements(result: ClaimsResult) -> tuple[Statement, ...]:
    """How many claims hold and fail, then which, each with its reason."""
    if not result.claims:
        return (Statement(words="No claim could be looked at with these runs"),)
    said = [Statement(words=verdicts_summary(result))]
    for verdict in ("holds", "fails"):
        said += [
            Statement(words=f"{_name(one)} {verdict}: {one.why}", tone=_TONES[one.verdict])
            for one in result.claims
            if one.verdict == verdict
        ]
    return tuple(said)


def verdicts_summary(result: ClaimsResult) -> str:
    """Such as `Of 12 claims 5 hold, 4 fail and 3 are undecided on these checkpoints`."""
    many = dict.fromkeys(_TONES, 0)
    for one in result.claims:
        many[one.verdict] += 1
    words = {"holds": ("holds", "hold"), "fails": ("fails", "fail")}
    words["undecided"] = ("is undecided", "are undecided")
    parts = [f"{n} {words[verdict][n != 1]}" for verdict, n in many.items() if n]
    claims = len({one.id for one in result.claims})
    if claims < len(result.claims):
        verdicts = count(len(result.claims), "verdict")
        return f"{verdicts} on {count(claims, 'claim')}: {listed(parts)} on these checkpoints"
    return f"Of {count(claims, 'claim')} {listed(parts)} on these checkpoints"


def claims_section(result: ClaimsResult) -> Section:
    """The table of all claims."""
    rows: list[Row] = []
    for one in result.claims:
        first = one.figures[0] if one.figures else None
        rows.append(
            [
                Cell(text=one.id, hint=one.rule),
                Cell(text=one.statement, below=_open(one)),
                listed(one.arms) or NOTHING,
                Cell(text=one.verdict, tone=_TONES[one.verdict], hint=one.why),
                Cell(
                    text=NOTHING if first is None else figure_said(first),
                    hint=first.name if first is not None else None,
                ),
                one.published or NOTHING,
            ]
        )
    made = table(
        "Claims with their verdict and the figure that decides, 95 % intervals",
        ("id", "claim", "checkpoints", "verdict", "measured", "published"),
        rows=rows,
        note="A claim holds or fails only where its interval lies on the stated side; the rule "
        "of each stands below.",
        is_prose=True,
    )
    return Section(heading="Claims", tables=(made,))


def _open(one: ClaimResult) -> str | None:
    """What would decide an undecided claim."""
    if one.verdict != "undecided" or not one.would_decide:
        return None
    return f"What would decide it: {one.would_decide}"


def claims_details(result: ClaimsResult) -> tuple[Section, ...]:
    """Rules, reasons and every figure."""
    if not result.claims:
        return ()
    tables = (_reasons(result), _figures(result))
    return (Section(heading="Rules, reasons and figures", tables=tables, is_detail=True),)


def _reasons(result: ClaimsResult) -> Table:
    rows: list[Row] = [
        [
            _name(one),
            Cell(text=one.verdict, tone=_TONES[one.verdict]),
            one.rule,
            one.why,
        ]
        for one in result.claims
    ]
    columns = ("claim", "verdict", "rule", "why")
    return table("Why each verdict", columns, rows=rows, is_prose=True)


def _figures(result: ClaimsResult) -> Table:
    rows: list[Row] = [
        [_name(one), figure.name, figure_said(figure), figure.unit, _method(figure)]
        for one in result.claims
        for figure in one.figures
    ]
    columns = ("claim", "figure", "value", "unit", "interval by")
    return table("Figures behind the verdicts", columns, rows=rows)


def figure_said(figure: ClaimFigure) -> str:
    """The value in its unit with its interval; shares in percent, their differences in points."""
    if figure.value is None:
        return "not measured"
    match figure.unit:
        case "points" | "points per unit of T":
            said = f"{points_cell(figure.value, figure.interval)} {figure.unit}"
        case "share":
            said = f"{percent_cell(figure.value, figure.interval)} %"
        case "nats":
            said = f"{number(figure.value, figure.interval)} nats"
        case "count":
            said = f"{figure.value:g}"
        case "ratio" | "skewness":
            said = number(figure.value, figure.interval)
    return said


def _method(figure: ClaimFigure) -> str:
    return NOTHING if figure.interval is None else figure.interval.method


def _name(one: ClaimResult) -> str:
    """The id; with the checkpoints where there are any."""
    return f"{one.id} ({listed(one.arms)})" if one.arms else one.id


def claims_doubts(result: ClaimsResult) -> tuple[str, ...]:
    """The notes, and how many verdicts are open."""
    still = [one for one in result.claims if one.verdict == "undecided" and one.would_decide]
    found = [f"{_name(one)} is undecided; it would take: {one.would_decide}" for one in still]
    return distinct(as_sentence(note) for note in (*result.notes, *found))
