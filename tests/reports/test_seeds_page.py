from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.results import direction_of
from emdiag.core.seed_scores import (
    BenchmarkSeeds,
    SeedDifference,
    SeedGroup,
    SeedsAbove,
    SeedScore,
    SeedScoresResult,
)
from emdiag.reports.pages import seeds_page
from emdiag.reports.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.findings.page import Page

    Make = dict[str, Callable[..., Any]]


def page_of(
    make: Make,
    values: tuple[float, ...] = (0.8, 0.9),
    *,
    gap: float = 0.25,
    above: SeedsAbove | None = None,
    lower: int | None = None,
) -> Page:
    seeds = tuple(
        SeedScore(
            cell=f"seed-{index}",
            seed=index,
            update=10,
            checkpoint=f"out/seed-{index}/update-10",
            value=value,
            interval=make["around"](value, 0.02),
            truncated_frac=0.1 if index else 0.0,
            run_key=str(index),
        )
        for index, value in enumerate(values)
    )
    group = SeedGroup(
        name="",
        update=10,
        seeds=seeds,
        mean=0.85,
        interval=make["around"](0.85) if len(values) > 1 else None,
        deviation=0.07 if len(values) > 1 else None,
        lowest=min(values),
        highest=max(values),
        difference=SeedDifference(
            base="base",
            difference=gap,
            interval=make["around"](gap, 0.1),
            direction=direction_of(make["around"](gap, 0.1), 0.001),
            p_value=0.001,
            p_holm=0.001,
            seeds_above=above,
        ),
        lower_seeds=lower,
    )
    found = BenchmarkSeeds(
        benchmark="chain",
        metric="avg@1",
        temperature=0.0,
        samples=1,
        problems=300,
        partial=False,
        registered=seeds[0],
        groups=(group,),
        oracle=seeds[-1],
        candidates=len(seeds),
        base=make["metric"]("base", 0.6),
        notes=(),
    )
    result = SeedScoresResult(out="out/em", benchmarks=(found,), store="runs")
    return seeds_page(result)


@pytest.mark.parametrize(("gap", "tone"), [(0.25, "better"), (-0.25, "worse"), (0.05, "undecided")])
def test_the_mean_over_seeds_is_better_only_if_its_interval_is(
    make: Make, gap: float, tone: str
) -> None:
    first = page_of(make, gap=gap).answers[0]
    assert (first.kind, first.tone, first.value) == ("mean over seeds", tone, gap)
    assert first.subject == "The training minus base on chain"
    assert "over 2 seeds" in first.words


def test_the_registered_checkpoint_and_the_spread_are_told(make: Make) -> None:
    _, registered, spread = page_of(make).answers
    assert (registered.kind, registered.subject) == ("registered", "seed-0/update-10 on chain")
    assert (registered.value, registered.interval) == (0.8, make["around"](0.8, 0.02))
    assert (spread.kind, spread.value) == ("seed spread", 0.07)
    assert "from 80.0 to 90.0 %" in spread.words


def test_what_seeds_say_of_all_seeds_stands_beside_their_mean(make: Make) -> None:
    page = page_of(make, above=SeedsAbove(above=2, seeds=2, at_least=0.224, level=0.95))
    (words,) = (one.words for one in page.answers if one.kind == "seeds above")
    assert words == "2 of 2 seeds above base on chain, so at least 22 % of all seeds are (95 %)"


def test_seeds_in_two_groups_have_a_mean_that_describes_neither(make: Make) -> None:
    page = page_of(make, (0.2, 0.9, 0.91), lower=1)
    (words,) = (one.words for one in page.answers if one.kind == "seed spread")
    assert "two groups, 1 of at most 20.0 and 2 of at least 90.0 %" in words


def test_the_best_seed_is_a_caution_and_no_answer(make: Make) -> None:
    page = page_of(make)
    assert "seed-1/update-10 with 90.0 %" in page.cautions[0]
    assert "biased upwards" in page.cautions[0]
    assert not any("seed-1" in one.words or "seed-1" in one.subject for one in page.answers)


def test_one_seed_says_nothing_of_the_spread(make: Make) -> None:
    page = page_of(make, (0.8,))
    assert any("has one seed" in doubt for doubt in page.cautions)
    assert not any(one.kind == "seed spread" for one in page.answers)


def test_the_page_renders(make: Make) -> None:
    assert "em over its seeds" in render(page_of(make))
