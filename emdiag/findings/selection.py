"""A pool of prompts, ranked: which to train on, and what ranked it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from emdiag.core.results import Amount
from emdiag.core.selection import Criterion, PromptStatistics, SelectResult
from emdiag.findings.cautions import MUCH_TRUNCATED, distinct, note_sentences
from emdiag.findings.numbers import count, percent, percent_cell, short
from emdiag.findings.page import (
    Cell,
    Findings,
    Statement,
    Table,
    one_line,
    statement,
    table_of,
)
from emdiag.findings.remarks import words_of

UNCERTAIN: Final = (
    "A high outcome variance or entropy says that the model is uncertain on a prompt. It does not "
    "say that what training amplifies there is right."
)
_FEW_SAMPLES: Final = 16
_STATEMENT_CHARACTERS: Final = 200
_COLUMNS: Final[Mapping[Criterion, str]] = {
    "outcome-variance": "variance *",
    "answer-entropy": "answer entropy",
    "agreement": "agreement",
    "token-entropy": "token entropy",
    "majority": "majority",
}
_SECONDARY: Final = (
    *("no answer", "cut off", "unfinished", "tokens", "majority right *", "agreement"),
    *("token entropy", "majority", "answer entropy", "variance *"),
)


def selection_findings(result: SelectResult, *, top: int = 10) -> Findings:
    """The first prompts of the ranking, what ranked them, and what to distrust."""
    return Findings(
        tables=(ranking_table(result, result.ranked[:top], start=1),),
        statements=selection_statements(result),
        cautions=selection_cautions(result),
        files=(f"ranked problems: {result.file}",),
        next=(f"train on the first: emdiag train em REF --prompt-file {result.file} --prompts 1",),
    )


def selection_title(result: SelectResult) -> str:
    """Such as `Prompts of chain for base`."""
    return f"Prompts of {result.pool} for {result.label}"


def selection_chapter(result: SelectResult) -> str:
    """Of the chapter in a study."""
    return f"Which prompt to train on, of {result.pool}"


def selection_question(result: SelectResult) -> str:
    """What was asked, in a sentence."""
    prompts = count(result.problems, "prompt")
    return f"On which of {prompts} of {result.pool} should {result.label} be trained?"


def selection_statements(result: SelectResult) -> tuple[Statement, ...]:
    """The first prompt, what ranked it, and how the checkpoint answers it."""
    first = result.ranked[0]
    labels = "with labels" if result.used_labels else "without labels"
    words = f"First prompt: {first.problem_id}: {one_line(first.statement, _STATEMENT_CHARACTERS)}"
    statements = [statement(words, "first prompt", first.problem_id)]
    words = f"Ranked {labels} by {result.by}, {result.best} first ({words_of(result.meaning)})"
    statements.append(statement(words, "criterion", result.by))
    if result.tied > 1:
        tied = "All" if result.tied == result.problems else f"{result.tied:,}"
        words = f"{tied} prompts share the best value and keep the order of the pool"
        statements.append(statement(words, "ties", result.by, of=Amount(float(result.tied))))
    if first.pass_rate is not None:
        rate = Amount(first.pass_rate, first.pass_rate_interval)
        share = percent(rate.value, rate.interval)
        words = f"{result.label} answers the first prompt correctly in {share} of its samples"
        subject = f"{result.label} on {first.problem_id}"
        statements.append(statement(words, "pass rate", subject, of=rate))
    if (right := first.majority_correct) is not None:
        word = "right" if right == 1 else "wrong" if right == 0 else "right in part"
        words = f"Its majority answer ({percent_cell(first.majority_frac)} % of samples) is {word}"
        statements.append(statement(words, "majority", first.problem_id, of=Amount(right)))
    return tuple(statements)


def left_out(prompts: int) -> str:
    """How many prompts a study leaves to the page of the selection."""
    return f"{count(prompts, 'prompt')} more on the page of the selection."


def ranking_table(result: SelectResult, ranked: Sequence[PromptStatistics], *, start: int) -> Table:
    """Prompts in the order of the ranking, the first one at place `start`."""
    labels = "* uses labels. Pass rates with 95 % intervals over samples. "
    return table_of(
        enumerate(ranked, start=start),
        f"{count(result.samples, 'sample')} of each at T {result.temperature:g}; shares in "
        "percent, entropies in nats",
        (
            ("prompt", lambda row: _prompt(*row)),
            ("pass rate *", lambda row: percent_cell(row[1].pass_rate, row[1].pass_rate_interval)),
            ("variance *", lambda row: short(row[1].outcome_variance)),
            ("answer entropy", lambda row: short(row[1].answer_entropy_nats)),
            ("agreement", lambda row: short(row[1].agreement)),
            ("majority", lambda row: _majority(row[1])),
            ("majority right *", lambda row: percent_cell(row[1].majority_correct)),
            ("token entropy", lambda row: short(row[1].token_entropy_nats)),
            ("no answer", lambda row: percent_cell(row[1].no_answer_frac)),
            ("cut off", lambda row: percent_cell(row[1].truncated_frac)),
            ("unfinished", lambda row: percent_cell(row[1].unfinished_frac)),
            ("tokens", lambda row: short(row[1].mean_tokens)),
        ),
        note=f"{labels if result.labelled else ''}Agreement: chance that two samples give the "
        "same answer. Majority: share of samples that give the most frequent answer. A sample "
        "without an answer is no vote and agrees with nothing.",
        secondary=[name for name in _SECONDARY if name != _COLUMNS[result.by]],
    )


def _prompt(place: int, prompt: PromptStatistics) -> Cell:
    text = f"{place}.\N{NO-BREAK SPACE}{prompt.problem_id}"
    return Cell(text=text, hint=one_line(prompt.statement, _STATEMENT_CHARACTERS))


def _majority(prompt: PromptStatistics) -> Cell:
    return Cell(text=percent_cell(prompt.majority_frac), hint=prompt.majority_answer)


def selection_cautions(result: SelectResult) -> tuple[str, ...]:
    """What to distrust in the ranking."""
    cautions = []
    if result.problems < result.problems_total:
        cautions.append(
            f"Partial: {result.problems:,} of {count(result.problems_total, 'prompt')} of the pool."
        )
    if result.samples < _FEW_SAMPLES:
        cautions.append(
            f"{count(result.samples, 'sample')} of each prompt: neighbours in the ranking may "
            "change places when it is repeated."
        )
    cut = sum(prompt.truncated_frac for prompt in result.ranked) / max(len(result.ranked), 1)
    if cut > MUCH_TRUNCATED:
        cautions.append(
            f"{percent_cell(cut)} % of all samples were cut off at the limit of new tokens."
        )
    return distinct([*cautions, *note_sentences(result.notes, without=("partial",))])
