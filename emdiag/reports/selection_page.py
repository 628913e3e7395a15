"""A pool of prompts, ranked, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.findings.cautions import MUCH_TRUNCATED, as_sentence, distinct
from emdiag.findings.page import Cell, Page, Section, Statement, table
from emdiag.reports.pieces import NOTHING, count, number, percent, percent_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.selection import PromptStatistics, SelectResult
    from emdiag.findings.page import Context, Row, Table

SHOWN = 20
"""Prompts in the first table; the others are folded away."""

_UNDECIDED = (
    "A high outcome variance or entropy says that the model is undecided on a prompt. It does not "
    "say that what training amplifies there is right."
)
_FEW_SAMPLES = 16
_STATEMENT_CHARACTERS = 200


def selection_page(result: SelectResult, *, context: Context) -> Page:
    """Which prompt to train on, what ranked it, and whether that used labels."""
    rest = result.ranked[SHOWN:]
    further = (
        Section(
            heading="The other prompts",
            tables=(_table(result, rest, start=SHOWN + 1),),
            is_detail=True,
        ),
    )
    return Page(
        kind="selection",
        title=f"Prompts of {result.pool} for {result.label}",
        question=(
            f"On which of {count(result.problems, 'prompt')} of {result.pool} should "
            f"{result.label} be trained?"
        ),
        answers=_answers(result),
        sections=(
            Section(
                heading="The ranking",
                words=(_UNDECIDED,),
                tables=(_table(result, result.ranked[:SHOWN], start=1),),
            ),
            *(further if rest else ()),
        ),
        cautions=_doubts(result),
        context=context,
    )


def _answers(result: SelectResult) -> tuple[Statement, ...]:
    first = result.ranked[0]
    labels = "uses labels" if result.used_labels else "uses no labels"
    said = [
        f"First is {first.problem_id}: {_short(first.statement)}",
        f"Ranked by {result.by}, {result.best} first ({result.meaning}); this {labels}",
    ]
    if result.tied > 1:
        many = "All" if result.tied == result.problems else str(result.tied)
        said.append(f"{many} prompts share the best value and stand in the order of the pool")
    if first.pass_rate is not None:
        rate = percent(first.pass_rate, first.pass_rate_interval)
        said.append(f"{result.label} answers the first prompt right in {rate} of its samples")
    right = first.majority_correct
    if right is not None:
        word = "right" if right == 1 else "wrong" if right == 0 else "right in part"
        said.append(
            f"Its majority answer, given by {100 * first.majority_frac:.1f} % of samples, is {word}"
        )
    return tuple(Statement(words=text) for text in said)


def _short(text: str) -> str:
    line = " ".join(text.split())
    if len(line) <= _STATEMENT_CHARACTERS:
        return line
    return f"{line[:_STATEMENT_CHARACTERS]}\N{HORIZONTAL ELLIPSIS}"


def _table(result: SelectResult, ranked: Sequence[PromptStatistics], *, start: int) -> Table:
    rows: list[Row] = []
    for place, one in enumerate(ranked, start=start):
        rate = one.pass_rate
        rows.append(
            [
                Cell(
                    text=f"{place}.\N{NO-BREAK SPACE}{one.problem_id}",
                    hint=_short(one.statement),
                ),
                NOTHING if rate is None else percent_cell(rate, one.pass_rate_interval),
                number(one.outcome_variance),
                number(one.answer_entropy_nats),
                number(one.agreement),
                Cell(text=percent_cell(one.majority_frac), hint=one.majority_answer),
                percent_cell(one.majority_correct),
                number(one.token_entropy_nats),
                percent_cell(one.no_answer_frac),
                percent_cell(one.truncated_frac),
                f"{one.mean_tokens:.0f}",
            ]
        )
    return table(
        f"{count(result.samples, 'sample')} of each at T {result.temperature:g}; shares in "
        "percent, entropies in nats",
        (
            "prompt",
            "pass rate *",
            "variance *",
            "answer entropy",
            "agreement",
            "majority",
            "of it right *",
            "token entropy",
            "no answer",
            "cut off",
            "tokens",
        ),
        rows=rows,
        note="* uses labels. Pass rates with 95 % intervals over samples. Agreement: chance that "
        "two samples give the same answer. Majority: share of the most frequent answer.",
    )


def _doubts(result: SelectResult) -> tuple[str, ...]:
    found = []
    if result.problems < result.problems_total:
        found.append(
            f"Partial: {result.problems} of {count(result.problems_total, 'prompt')} of the pool."
        )
    if result.samples < _FEW_SAMPLES:
        found.append(
            f"{count(result.samples, 'sample')} of each prompt: neighbours in the ranking may "
            "change places when it is repeated."
        )
    cut = sum(one.truncated_frac for one in result.ranked) / max(len(result.ranked), 1)
    if cut > MUCH_TRUNCATED:
        found.append(f"{100 * cut:.1f} % of all samples were cut off at the limit of new tokens.")
    return distinct([*found, *(as_sentence(note) for note in result.notes)])
