"""A training over its seeds as a page: what was registered, the mean, and how seeds differ."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from emdiag.findings.cautions import as_sentence, distinct, few_problems, truncation
from emdiag.findings.page import Cell, Page, Section, Statement, table
from emdiag.plots.accuracy import seeds_figure
from emdiag.reports.pieces import (
    NOTHING,
    count,
    how_sampled,
    listed,
    percent,
    percent_cell,
    picture,
    points,
    points_cell,
    side,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.seed_scores import BenchmarkSeeds, SeedGroup, SeedScore, SeedScoresResult
    from emdiag.findings.page import Context, Picture, Row, Table

_CAPTION = (
    "Every mark is one training seed, the diamond the mean of all, with the 95 % interval over "
    "seeds and problems. How far the marks lie apart is what a single training run hides."
)


def seeds_page(result: SeedScoresResult, *, context: Context) -> Page:
    """How a training scores over its seeds, against the checkpoint it started from."""
    name = PurePath(result.out).name or result.out
    benchmarks = [found.benchmark for found in result.benchmarks]
    answers = tuple(one for found in result.benchmarks for one in _said(found))
    return Page(
        kind="seeds",
        title=f"{name} over its seeds",
        question=f"How does {name} score on {listed(benchmarks)}, and how far do its seeds differ?",
        answers=answers,
        sections=(
            Section(
                heading="Seeds",
                pictures=tuple(_picture(found) for found in result.benchmarks),
                tables=tuple(_groups(found) for found in result.benchmarks),
            ),
            Section(
                heading="Each checkpoint",
                tables=tuple(_seeds(found) for found in result.benchmarks),
                is_detail=True,
            ),
        ),
        cautions=_doubts(result),
        context=context,
    )


def _said(found: BenchmarkSeeds) -> list[Statement]:
    """The mean against the base, the registered checkpoint, and the spread."""
    how = f"{found.benchmark}, {found.metric} {how_sampled(found.temperature)}"
    said = []
    for group in found.groups:
        name = group.name or "The training"
        seeds = count(len(group.seeds), "seed")
        gap = group.difference
        if gap is not None:
            text = (
                f"{name} against {gap.base} on {how}: {points(gap.difference, gap.interval)}, "
                f"mean of {seeds}"
            )
            said.append(Statement(words=text, tone=side(gap.interval)))
        else:
            text = f"{name} on {how}: {percent(group.mean, group.interval)}, mean of {seeds}"
            said.append(Statement(words=text))
    if found.registered is not None:
        one = found.registered
        text = (
            f"The registered checkpoint, {_place(one)}, has {percent(one.value, one.interval)} "
            f"on {found.benchmark}"
        )
        said.append(Statement(words=text))
    said += [Statement(words=_spread(group, found)) for group in found.groups if group.deviation]
    return said


def _spread(group: SeedGroup, found: BenchmarkSeeds) -> str:
    name = f"{group.name}: seeds" if group.name else "Seeds"
    return (
        f"{name} reach from {100 * group.lowest:.1f} to {100 * group.highest:.1f} % on "
        f"{found.benchmark}, standard deviation {100 * (group.deviation or 0):.1f} points over "
        f"{count(len(group.seeds), 'seed')}"
    )


def _picture(found: BenchmarkSeeds) -> Picture:
    said = " ".join(f"{one.words}." for one in _said(found))
    return picture(
        f"seeds-{found.benchmark}",
        seeds_figure(found),
        caption=_CAPTION,
        alt=f"Scores of single seeds on {found.benchmark}, in percent. {said}",
    )


def _groups(found: BenchmarkSeeds) -> Table:
    base = found.base
    rows: list[Row] = []
    if base is not None:
        rows.append([base.name, NOTHING, NOTHING, percent_cell(base.value, base.interval)])
        rows[0] += [NOTHING] * 4
    for group in found.groups:
        gap = group.difference
        rows.append(
            [
                group.name or "all seeds",
                str(group.update),
                str(len(group.seeds)),
                percent_cell(group.mean, group.interval),
                percent_cell(group.deviation),
                percent_cell(group.lowest),
                percent_cell(group.highest),
                NOTHING
                if gap is None
                else Cell(text=points_cell(gap.difference, gap.interval), tone=side(gap.interval)),
            ]
        )
    name = base.name if base is not None else "base"
    columns = ("trained", "update", "seeds", "mean", "s.d.", "lowest", "highest")
    return table(
        f"{found.benchmark}, {found.metric}, {how_sampled(found.temperature)}: means over seeds "
        "in percent",
        (*columns, f"minus {name}, points"),
        rows=rows,
        note=f"95 % intervals over seeds and problems; that of {name} over problems.",
    )


def _seeds(found: BenchmarkSeeds) -> Table:
    rows: list[Row] = [
        [
            _place(seed),
            NOTHING if seed.seed is None else str(seed.seed),
            percent_cell(seed.value, seed.interval),
            percent_cell(seed.truncated_frac),
        ]
        for group in found.groups
        for seed in group.seeds
    ]
    return table(
        f"{found.benchmark}: each checkpoint in percent, with 95 % intervals over problems",
        ("checkpoint", "seed", found.metric, "cut off"),
        rows=rows,
    )


def _place(seed: SeedScore) -> str:
    name = PurePath(seed.checkpoint).name
    return name if seed.cell == "." else f"{seed.cell}/{name}"


def _doubts(result: SeedScoresResult) -> tuple[str, ...]:
    found = few_problems({one.benchmark: one.problems for one in result.benchmarks})
    for one in result.benchmarks:
        if one.partial:
            found.append(f"Partial: {count(one.problems, 'problem')} of {one.benchmark} only.")
        found += _single(one.groups)
        best = one.oracle
        found.append(
            f"The best of {one.candidates} on {one.benchmark}, {_place(best)} with "
            f"{100 * best.value:.1f} %, was chosen by these very problems: it is no result."
        )
        cut = {_place(seed): seed.truncated_frac for group in one.groups for seed in group.seeds}
        found += truncation(cut)
        found += [f"{one.benchmark}: {as_sentence(note)}" for note in one.notes]
    return distinct(found)


def _single(groups: Sequence[SeedGroup]) -> list[str]:
    return [
        f"{group.name or 'The training'} has one seed: nothing can be said of the spread."
        for group in groups
        if len(group.seeds) == 1
    ]
