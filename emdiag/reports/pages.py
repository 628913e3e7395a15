"""Every kind of result as a page: what was asked, what is said of it, its figures and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from emdiag.core.claims import ClaimsResult
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.core.selection import SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.training import TrainResult, UpdateRecord
from emdiag.findings import claims, comparison, evaluation, seeds, selection, training
from emdiag.findings.cautions import score_cautions
from emdiag.findings.logits import captions as logit_captions
from emdiag.findings.logits import statements as logits
from emdiag.findings.logits import tables as logit_tables
from emdiag.findings.logits.rows import LogitRows
from emdiag.findings.page import ALL_FINDINGS, Page, Picture, Section, Statement, sentences
from emdiag.findings.sweep import captions as sweep_captions
from emdiag.findings.sweep import statements as sweep
from emdiag.findings.sweep import tables as sweep_tables
from emdiag.plots.accuracy import accuracy_figure, difference_figure, pass_at_k_figure, seeds_figure
from emdiag.plots.figures import skew_figures, sweep_figures
from emdiag.plots.style import Drawn, figure_svg
from emdiag.plots.training import training_figure

MOST_ANSWERS: Final = 8
"""Statements on top of the page of a sweep or of logits; all of them are further down."""

SHOWN: Final = 20
"""Prompts in the first table of a selection; the rest are folded away."""


def evaluation_page(result: EvaluateResult) -> Page:
    """How many answers of each checkpoint are right, and what the completions look like."""
    scores = result.scores
    answers = evaluation.score_statements(scores)
    is_compared = len({score.label for score in scores}) > 1
    figures = {"scores": accuracy_figure(scores), "pass-at-k": pass_at_k_figure(scores)}
    details = (
        evaluation.verdicts_table(scores),
        *evaluation.part_tables(scores),
        evaluation.coverage_table(scores),
    )
    return Page(
        kind="evaluation",
        title=evaluation.evaluation_title(scores),
        chapter=evaluation.CHAPTER,
        question=evaluation.evaluation_question(scores),
        answers=answers,
        sections=(
            Section(
                heading="Scores",
                words=(evaluation.COMPARE,) if is_compared else (),
                pictures=_pictures(figures, evaluation.CAPTIONS, answers),
                tables=(evaluation.scores_table(scores), evaluation.metrics_table(scores)),
            ),
            Section(
                heading=evaluation.COMPLETIONS,
                tables=(evaluation.completions_table(scores), evaluation.thinking_table(scores)),
            ),
            Section(heading=evaluation.DETAILS, tables=details, is_detail=True),
        ),
        cautions=score_cautions(scores),
    )


def comparison_page(result: CompareResult) -> Page:
    """Whether one checkpoint is better than another, as far as the interval allows to say."""
    answers = comparison.comparison_statements(result)
    figures = {"differences": difference_figure(result)}
    captions = {"differences": comparison.comparison_caption(result)}
    flips = (comparison.flips_table(result),)
    return Page(
        kind="comparison",
        title=comparison.comparison_title(result),
        question=comparison.comparison_question(result),
        answers=answers,
        sections=_not_empty(
            Section(
                heading="Differences",
                pictures=_pictures(figures, captions, answers),
                tables=(comparison.differences_table(result),),
            ),
            Section(heading="Which problems flipped", tables=flips, is_detail=True),
        ),
        cautions=comparison.comparison_cautions(result),
    )


def logit_page(result: LogitSkewResult) -> Page:
    """What training did to the next-token distribution, and whether that is mere cooling."""
    rows = LogitRows(result)
    answers = tuple(logits.headline_statements(rows)[:MOST_ANSWERS])
    figures = skew_figures(result)
    everything = sentences(logits.text_statements(rows, rows.texts))
    return Page(
        kind="logits",
        title=logit_captions.title(rows),
        chapter=logit_captions.CHAPTER,
        question=logit_captions.question(rows),
        answers=answers,
        sections=_not_empty(
            Section(
                heading="Skewness",
                pictures=_pictures(figures, logit_captions.shape_captions(rows), answers),
                tables=logit_tables.main_tables(rows),
            ),
            Section(
                heading="Cooling, or more",
                words=(logit_captions.COOLED,),
                pictures=_pictures(figures, logit_captions.COOLING, answers),
                tables=(logit_tables.decomposition_table(rows),),
            ),
            Section(
                heading="As published",
                words=(logit_captions.OWN_MEASURE,),
                pictures=_pictures(figures, logit_captions.PUBLISHED),
                tables=logit_tables.quirk_tables(rows),
            ),
            Section(
                heading=ALL_FINDINGS,
                words=everything if len(everything) > len(answers) else (),
                tables=(logit_tables.text_choice_table(rows),),
                is_detail=True,
            ),
            Section(
                heading="Every statistic", tables=logit_tables.detail_tables(rows), is_detail=True
            ),
        ),
        cautions=logits.logit_cautions(result),
    )


def sweep_page(result: TemperatureSweepResult) -> Page:
    """Whether accuracy falls or rises along an axis, and whether training is more than cooling."""
    figures = sweep_figures(result)
    along = (*sweep.trends(result), *sweep.different_slopes(result))
    return Page(
        kind="temperature sweep",
        title=sweep_tables.title(result),
        chapter="Temperature sweep",
        question=sweep_tables.question(result),
        answers=sweep.answers(result, MOST_ANSWERS),
        sections=(
            *_not_empty(
                Section(
                    heading=f"Accuracy over {sweep_tables.axes(result)}",
                    pictures=_pictures(figures, sweep_captions.ALONG_AN_AXIS, along),
                    tables=(
                        sweep_tables.slope_table(result),
                        sweep_tables.difference_table(result),
                    ),
                ),
                Section(
                    heading="Entropy-matched baseline",
                    words=(sweep_captions.WHY_A_BASELINE,),
                    pictures=_pictures(
                        figures, sweep_captions.AT_EQUAL_ENTROPY, sweep.baselines(result)
                    ),
                    tables=(sweep_tables.baseline_table(result),),
                ),
                Section(
                    heading="Other metrics",
                    pictures=_pictures(figures, sweep_captions.OTHER_METRICS),
                ),
            ),
            Section(
                heading="All settings",
                tables=(*sweep_tables.accuracy_tables(result), sweep_tables.point_table(result)),
                is_detail=True,
            ),
            Section(
                heading=ALL_FINDINGS, words=sentences(sweep.statements(result)), is_detail=True
            ),
        ),
        cautions=sweep_tables.cautions(result),
    )


def seeds_page(result: SeedScoresResult) -> Page:
    """How a training scores over its seeds, against the checkpoint it started from."""
    pictures = tuple(
        _picture(f"seeds-{of.benchmark}", seeds_figure(of), seeds.CAPTION, alt=seeds.seeds_alt(of))
        for of in result.benchmarks
    )
    return Page(
        kind="seeds",
        title=seeds.seeds_title(result),
        chapter=seeds.seeds_chapter(result),
        question=seeds.seeds_question(result),
        answers=seeds.seeds_statements(result),
        sections=(
            Section(
                heading="Seeds",
                pictures=pictures,
                tables=tuple(map(seeds.groups_table, result.benchmarks)),
            ),
            Section(
                heading="Each checkpoint",
                tables=tuple(map(seeds.checkpoints_table, result.benchmarks)),
                is_detail=True,
            ),
        ),
        cautions=seeds.seeds_cautions(result),
    )


def selection_page(result: SelectResult) -> Page:
    """Which prompt to train on, what ranked it, and whether that used labels."""
    first = selection.ranking_table(result, result.ranked[:SHOWN], start=1)
    rest = selection.ranking_table(result, result.ranked[SHOWN:], start=SHOWN + 1)
    return Page(
        kind="selection",
        title=selection.selection_title(result),
        chapter=selection.selection_chapter(result),
        question=selection.selection_question(result),
        answers=selection.selection_statements(result),
        sections=_not_empty(
            Section(heading="The ranking", words=(selection.UNCERTAIN,), tables=(first,)),
            Section(heading="The other prompts", tables=(rest,), is_detail=True),
        ),
        cautions=selection.selection_cautions(result),
    )


def training_page(result: TrainResult, updates: Mapping[str, Sequence[UpdateRecord]]) -> Page:
    """What training changed besides the score, and which checkpoint was registered.

    `updates` are the records of each run by its name, such as `seed-0` or `lr-1e-4/seed-0`; update
    0 is the start.
    """
    stage, notes = result.stage, [note for cell in result.cells for note in cell.notes]
    pictures = tuple(
        _picture(
            f"training-{group or 'runs'}",
            training_figure(runs, stage=stage),
            training.training_caption(group),
            alt=training.training_alt(runs, stage=stage, group=group),
        )
        for group, runs in training.seed_groups(updates).items()
        if any(len(records) > 1 for records in runs.values())
    )
    return Page(
        kind="training",
        title=training.training_title(result),
        question=training.training_question(updates),
        answers=(
            *training.training_statements(updates, stage=stage),
            training.registered_statement(result.out, result.chosen),
        ),
        sections=(
            Section(heading="Update by update", pictures=pictures),
            Section(heading=training.ENDS, tables=(training.ends_table(updates),)),
            Section(heading="Every update", tables=training.update_tables(updates), is_detail=True),
        ),
        cautions=training.training_cautions(updates, notes),
    )


def claims_page(result: ClaimsResult) -> Page:
    """Which claims hold here, which fail, and what would decide the others."""
    statements = claims.verdict_statements(result)
    return Page(
        kind="claims",
        title=claims.TITLE,
        question=claims.QUESTION,
        answers=tuple(s for s in statements if s.kind != "undecided"),
        sections=claims_sections(result),
        cautions=claims.claims_cautions(result),
    )


def claims_sections(result: ClaimsResult) -> tuple[Section, ...]:
    """The table of all claims; rules, reasons and every number are folded."""
    details = claims.claims_detail_tables(result)
    return _not_empty(
        Section(heading="Claims", tables=(claims.claims_table(result),)),
        Section(heading="Rules, reasons and numbers", tables=details, is_detail=True),
    )


def _not_empty(*sections: Section) -> tuple[Section, ...]:
    return tuple(s for s in sections if s.pictures or any(table.rows for table in s.tables))


def _picture(name: str, figure: Drawn, caption: str, *, alt: str) -> Picture:
    return Picture(name=name, svg=figure_svg(figure), caption=caption, alt=alt)


def _pictures(
    figures: Mapping[str, Drawn | None],
    captions: Mapping[str, str],
    shown: Sequence[Statement] = (),
) -> tuple[Picture, ...]:
    """Figures that have a caption, in the order of the captions; what they show ends their alt."""
    return tuple(
        _picture(name, figure, caption, alt=" ".join((caption, *sentences(shown))))
        for name, caption in captions.items()
        if (figure := figures.get(name)) is not None
    )
