"""A training over its seeds: the mean, the registered checkpoint, and how seeds differ."""

from __future__ import annotations

from itertools import chain
from pathlib import PurePath
from typing import Final

from emdiag.core.results import Amount
from emdiag.core.seed_scores import (
    BenchmarkSeeds,
    SeedDifference,
    SeedGroup,
    SeedScore,
    SeedScoresResult,
)
from emdiag.findings.cautions import distinct, few_problems, note_sentences, truncation, unfinished
from emdiag.findings.numbers import (
    NOTHING,
    count,
    how_scored,
    intervals_drawn,
    listed,
    metric_cell,
    percent,
    percent_cell,
    points,
    points_cell,
)
from emdiag.findings.page import (
    TONES,
    Cell,
    Findings,
    Row,
    Statement,
    Table,
    sentences,
    statement,
    table,
    table_of,
)
from emdiag.findings.remarks import words_of

CAPTION: Final = (
    "Every dot is one training seed, the diamond the mean of all, with the 95 % interval over "
    "seeds and problems. How far the dots lie apart is what a single training run hides."
)


def seeds_findings(result: SeedScoresResult) -> Findings:
    """Means over seeds, single checkpoints, and what to distrust."""
    return Findings(
        tables=(*map(groups_table, result.benchmarks), *map(checkpoints_table, result.benchmarks)),
        statements=seeds_statements(result),
        cautions=seeds_cautions(result),
        next=(f"runs are stored in {result.store}; the same command continues them",),
    )


def seeds_title(result: SeedScoresResult) -> str:
    """Such as `em-good over its seeds`."""
    return f"{_folder(result)} over its seeds"


def seeds_chapter(result: SeedScoresResult) -> str:
    """Of the chapter in a study."""
    return f"Seeds of {_folder(result)}"


def seeds_question(result: SeedScoresResult) -> str:
    """What was asked, in a sentence."""
    benchmarks = listed([of.benchmark for of in result.benchmarks])
    return f"How does {_folder(result)} score on {benchmarks}, and how far do its seeds differ?"


def seeds_alt(of: BenchmarkSeeds) -> str:
    """What the figure of seeds shows, for who cannot see it."""
    words = " ".join(sentences(benchmark_statements(of)))
    return f"Scores of single seeds on {of.benchmark}, in percent. {words}"


def seeds_note(of: BenchmarkSeeds) -> str:
    """Below the title of the figure of seeds."""
    return (
        f"{of.benchmark}, {of.metric}; n = {count(of.problems, 'problem')}. "
        f"{intervals_drawn((group.interval for group in of.groups), 'Bars')}. "
        "Diamond: mean of the seeds; ring: registered before training; line: the base."
    )


def seeds_statements(result: SeedScoresResult) -> tuple[Statement, ...]:
    """For each benchmark, means over seeds, the registered checkpoint and the spread."""
    return tuple(chain.from_iterable(map(benchmark_statements, result.benchmarks)))


def benchmark_statements(of: BenchmarkSeeds) -> list[Statement]:
    """The mean against the base, the registered checkpoint, and the spread."""
    statements = [mean_statement(group, of) for group in of.groups]
    if of.registered is not None:
        at, seed = place(of.registered), of.registered
        words = f"Registered checkpoint, {at}: {percent(seed.value, seed.interval)}"
        subject = f"{at} on {of.benchmark}"
        statements.append(statement(f"{words} on {of.benchmark}", "registered", subject, of=seed))
    for group in of.groups:
        statements += _above(group, of)
        statements += [_spread(group, of)] if group.deviation else []
    return statements


def mean_statement(group: SeedGroup, of: BenchmarkSeeds) -> Statement:
    """Such as `Mean over 3 seeds minus base on chain (greedy): +25.0 points [20.0, 30.0]`."""
    mean = f"{group.name}: mean" if group.name else "Mean"
    mean = f"{mean} over {count(len(group.seeds), 'seed')}"
    where = f"on {of.benchmark} ({_setting(of)})"
    gap, kind = group.difference, "mean over seeds"
    if gap is None:
        words = f"{mean} {where}: {percent(group.mean, group.interval)}"
        amount = Amount(group.mean, group.interval)
        return statement(words, kind, f"{_name(group)} on {of.benchmark}", of=amount)
    words = f"{mean} minus {gap.base} {where}: {points(gap.difference, gap.interval)}"
    subject = f"{_name(group)} minus {gap.base} on {of.benchmark}"
    amount = Amount(gap.difference, gap.interval)
    tone = TONES[gap.direction]
    return statement(words, kind, subject, of=amount, direction=gap.direction, tone=tone)


def _above(group: SeedGroup, of: BenchmarkSeeds) -> list[Statement]:
    """Such as `3 of 3 seeds above base on chain, so at least 37 % of all seeds are (95 %)`."""
    gap = group.difference
    if gap is None or gap.seeds_above is None:
        return []
    counted, subject = gap.seeds_above, f"{_name(group)} against {gap.base} on {of.benchmark}"
    name = f"{group.name}: " if group.name else ""
    words = f"{name}{words_of(counted.remark(f'{gap.base} on {of.benchmark}'))}"
    return [statement(words, "seeds above", subject, of=Amount(counted.at_least))]


def _spread(group: SeedGroup, of: BenchmarkSeeds) -> Statement:
    name = f"{group.name}: seeds" if group.name else "Seeds"
    words = (
        f"{name} range from {percent_cell(group.lowest)} to {percent_cell(group.highest)} % on "
        f"{of.benchmark}, standard deviation {percent_cell(group.deviation)} points over "
        f"{count(len(group.seeds), 'seed')}"
    )
    if group.lower_seeds is not None:
        ordered = sorted(seed.value for seed in group.seeds)
        low, high = ordered[group.lower_seeds - 1], ordered[group.lower_seeds]
        words += (
            f"; they are two groups, {group.lower_seeds} of at most {percent_cell(low)} and "
            f"{len(ordered) - group.lower_seeds} of at least {percent_cell(high)} %, so that their "
            "mean describes neither"
        )
    subject = f"{_name(group)} on {of.benchmark}"
    return statement(words, "seed spread", subject, of=Amount(group.deviation))


def groups_table(of: BenchmarkSeeds) -> Table:
    """Means over seeds, the base first."""
    base, name, note = of.base, "base", "95 % intervals over seeds and problems"
    rows: list[Row] = []
    if base is not None:
        name = base.name
        note = (
            f"{note}; that of {name} over problems. \N{BLACK UP-POINTING TRIANGLE} "
            "\N{BLACK DOWN-POINTING TRIANGLE}: by interval and test, corrected over all differences"
        )
        rows.append([name, NOTHING, NOTHING, metric_cell(base), *[NOTHING] * 4])
    rows += [
        [
            group.name or "all seeds",
            str(group.update),
            str(len(group.seeds)),
            percent_cell(group.mean, group.interval),
            *map(percent_cell, (group.deviation, group.lowest, group.highest)),
            _gap(group.difference),
        ]
        for group in of.groups
    ]
    return table(
        f"{of.benchmark} ({_setting(of)}): means over seeds in percent",
        (
            *("trained", "update", "seeds", "mean", "s.d.", "lowest", "highest"),
            f"minus {name}, points",
        ),
        rows=rows,
        note=f"{note}.",
        secondary=("update", "lowest", "highest", "seeds"),
    )


def _gap(gap: SeedDifference | None) -> Cell | str:
    if gap is None:
        return NOTHING
    return Cell(text=points_cell(gap.difference, gap.interval), tone=TONES[gap.direction])


def checkpoints_table(of: BenchmarkSeeds) -> Table:
    """Each trained checkpoint by itself."""
    return table_of(
        chain.from_iterable(group.seeds for group in of.groups),
        f"{of.benchmark}: each checkpoint in percent, with 95 % intervals over problems",
        (
            ("checkpoint", place),
            ("seed", lambda seed: NOTHING if seed.seed is None else str(seed.seed)),
            (of.metric, lambda seed: percent_cell(seed.value, seed.interval)),
            ("cut off", lambda seed: percent_cell(seed.truncated_frac)),
            ("unfinished", lambda seed: percent_cell(seed.unfinished_frac)),
        ),
    )


def seeds_cautions(result: SeedScoresResult) -> tuple[str, ...]:
    """What to distrust, the best seed among it."""
    cautions = few_problems({of.benchmark: of.problems for of in result.benchmarks})
    for of in result.benchmarks:
        if of.partial:
            cautions.append(f"Partial: {count(of.problems, 'problem')} of {of.benchmark} only.")
        if of.registered is None:
            cautions.append(f"{of.benchmark}: a grid has no registered checkpoint.")
        cautions += [
            f"{_name(group)} has one seed: the seed spread is not known."
            for group in of.groups
            if len(group.seeds) == 1
        ]
        if any(group.lowest < group.highest for group in of.groups) or len(of.groups) > 1:
            cautions.append(
                f"The best of {of.candidates} on {of.benchmark}, {place(of.oracle)} with "
                f"{percent_cell(of.oracle.value)} %, was selected on the test problems, so it is "
                "biased upwards."
            )
        seeds = [seed for group in of.groups for seed in group.seeds]
        cautions += truncation({place(seed): seed.truncated_frac for seed in seeds})
        cautions += unfinished({place(seed): seed.unfinished_frac for seed in seeds})
        notes = note_sentences(of.notes, without=("partial",))
        cautions += [f"{of.benchmark}: {note}" for note in notes]
    return distinct(cautions)


def place(seed: SeedScore) -> str:
    """Where the checkpoint is in its training folder."""
    name = PurePath(seed.checkpoint).name
    return name if seed.cell == "." else f"{seed.cell}/{name}"


def _name(group: SeedGroup) -> str:
    return group.name or "The training"


def _setting(of: BenchmarkSeeds) -> str:
    return how_scored(of.metric, samples=of.samples, temperature=of.temperature)


def _folder(result: SeedScoresResult) -> str:
    return PurePath(result.out).name or result.out
