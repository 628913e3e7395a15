from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.results import as_given
from emdiag.core.selection import PromptStatistics, SelectResult
from emdiag.reports.pages import SHOWN, selection_page
from emdiag.reports.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.findings.page import Page

    Make = dict[str, Callable[..., Any]]


def page_of(make: Make, *, labelled: bool = True, problems: int = 3, tied: int = 1) -> Page:
    ranked = tuple(
        PromptStatistics(
            problem_id=f"pool/{index:04d}",
            statement=f"Compute {index}+1.",
            samples=8,
            pass_rate=0.5 if labelled else None,
            pass_rate_interval=make["around"](0.5, 0.2) if labelled else None,
            outcome_variance=0.28 if labelled else None,
            majority_correct=0.0 if labelled else None,
            answer_entropy_nats=1.1,
            agreement=0.4,
            majority_frac=0.5,
            majority_answer="4",
            no_answer_frac=0.0,
            token_entropy_nats=None,
            mean_tokens=40.0,
            truncated_frac=0.1,
        )
        for index in range(problems)
    )
    result = SelectResult(
        label="base",
        checkpoint=make["checkpoint"]("base", "base"),
        pool="pool",
        problems=problems,
        problems_total=1000,
        labelled=problems if labelled else 0,
        samples=8,
        temperature=1.0,
        template="chain",
        chat=False,
        engine="transformers",
        run_key="0",
        by="outcome-variance" if labelled else "agreement",
        best="highest",
        meaning=as_given("undecided prompts"),
        used_labels=labelled,
        ranked=ranked,
        tied=tied,
        file="ranked.jsonl",
        notes=(),
    )
    return selection_page(result)


def test_the_first_prompt_and_whether_labels_were_used_are_the_answer(make: Make) -> None:
    first, criterion, rate, majority = page_of(make).answers
    assert (first.subject, first.words[-12:]) == ("pool/0000", "Compute 0+1.")
    assert criterion.subject == "outcome-variance"
    assert "with labels" in criterion.words
    assert (rate.value, rate.interval) == (0.5, make["around"](0.5, 0.2))
    assert (majority.value, majority.words[-8:]) == (0.0, "is wrong")


def test_without_labels_no_column_pretends_to_know_the_answer(make: Make) -> None:
    page = page_of(make, labelled=False)
    columns = page.sections[0].tables[0].columns
    assert not [name for name in columns if name.endswith("*")]
    assert [one.kind for one in page.answers] == ["first prompt", "criterion"]
    assert "without labels" in page.answers[1].words


@pytest.mark.parametrize(("tied", "word"), [(2, "2 prompts"), (3, "All prompts")])
def test_prompts_that_tie_are_not_ranked_in_silence(make: Make, tied: int, word: str) -> None:
    (ties,) = [one for one in page_of(make, tied=tied).answers if one.kind == "ties"]
    assert ties.value == tied
    assert ties.words.startswith(f"{word} share the best value")


def test_prompts_beyond_the_first_are_folded_and_keep_their_place(make: Make) -> None:
    page = page_of(make, problems=SHOWN + 2)
    assert page.sections[1].is_detail
    first = page.sections[1].tables[0].rows[0][0].text
    assert first.replace("\N{NO-BREAK SPACE}", " ") == f"{SHOWN + 1}. pool/{SHOWN:04d}"


def test_few_samples_cut_offs_and_partial_pools_are_doubted(make: Make) -> None:
    found = "\n".join(page_of(make).cautions)
    assert "Partial: 3 of 1,000 prompts" in found
    assert "may change places" in found
    assert "10.0 % of all samples were cut off" in found


def test_the_page_renders(make: Make) -> None:
    assert "Prompts of pool for base" in render(page_of(make))
