"""Stored samples, as a reader of a page meets them; a part of them where they are too many."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emdiag.core.digest import digest
from emdiag.core.grades import Grade, is_second_grader
from emdiag.core.page_samples import PageSamples, ShownColumn, ShownProblem, ShownSample
from emdiag.core.sampling import Completion
from emdiag.store.run_store import Run, Sample
from emdiag.studies.stored.problems import problems_of_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from emdiag.core.problems import Problem
    from emdiag.core.runs import RunSpec
    from emdiag.studies.stored.problems import RunProblems

SamplePlace = tuple[str, str, int]
"""Benchmark, problem id and sample index: the samples of all columns that stand side by side."""

SampleVerdicts = tuple[tuple[int, str], ...]
"""Of the samples at one place: the column, and what the grader says."""

MOST_SAMPLES = 10_000
MOST_CHARACTERS = 20_000
MOST_TEXT = 25_000_000
"""Characters of all texts together."""
FEWEST_OF_A_VERDICT = 20
"""Samples of each verdict of each column that a choice keeps, where there are as many."""
_TAIL = 6_000
_GAP = "\n\n[... {count:,} characters are not shown ...]\n\n"


@dataclass(frozen=True, kw_only=True)
class SampledRun:
    """A run that becomes a column.

    Attributes:
        label: What its checkpoint is called.
        grade_key: Of the verdicts shown; None for those given last.
        samples: Of each problem, the first so many; None for all.
        limit: Only the first so many problems of the benchmark; None for all.
    """

    run: Run
    label: str
    grade_key: str | None = None
    samples: int | None = None
    limit: int | None = None


@dataclass(frozen=True, kw_only=True)
class _Column:
    """What a run holds of the samples asked for; some may have no grade."""

    run: Run
    completions: Mapping[Sample, Completion]
    grades: Mapping[Sample, Grade]
    second: Mapping[Sample, Grade]
    graders: tuple[str, ...]


def page_samples(
    runs: Sequence[SampledRun], *, home: Path, most_samples: int = MOST_SAMPLES
) -> PageSamples | None:
    """The samples of these runs in columns that can stand side by side.

    Where they are too many, the same problems and sample indices are taken of all columns: in the
    proportions in which verdicts come together, and so that rare verdicts are not lost. The choice
    is the same every time.

    Returns:
        None where these runs hold no sample.

    Raises:
        JournalError: A run cannot be read.
    """
    benchmarks = problems_of_runs([column.run for column in runs], home=home)
    columns = [_column(column, benchmarks[column.run.spec.benchmark]) for column in runs]
    places = _places(columns)
    if not places:
        return None
    total = sum(len(column.completions) for column in columns)
    chosen = choose_places(
        {place: _verdicts(place, having, columns) for place, having in places.items()},
        {place: _size(place, having, columns) for place, having in places.items()},
        most_samples=most_samples,
        most_text=MOST_TEXT,
    )
    problems = _problems({place[:2] for place in chosen}, benchmarks)
    samples = _samples(chosen, places, columns, order=list(problems))
    return PageSamples(
        problems=tuple(problems.values()),
        columns=_titled(runs),
        samples=samples,
        total=total,
        choice=_choice(len(samples), total),
        most_characters=MOST_CHARACTERS,
        graders=_graders(columns),
    )


def choose_places(
    verdicts: Mapping[SamplePlace, SampleVerdicts],
    sizes: Mapping[SamplePlace, int],
    *,
    most_samples: int,
    most_text: int,
) -> list[SamplePlace]:
    """Places whose samples fit, all columns of each; the same ones every time.

    Rare verdicts come first, then combinations of verdicts in their proportions. Both limits are of
    all places chosen; sizes are of the texts at a place together, in characters.
    """
    order = _in_proportion(verdicts)
    chosen, samples, text = [], 0, 0
    for place in dict.fromkeys([*_rare(order, verdicts), *order]):
        if samples + len(verdicts[place]) <= most_samples and text + sizes[place] <= most_text:
            chosen.append(place)
            samples, text = samples + len(verdicts[place]), text + sizes[place]
    return chosen


def shortened(text: str) -> tuple[str, int]:
    """The text, its middle left out where it is long, and how many characters are."""
    if len(text) <= MOST_CHARACTERS:
        return text, 0
    head = MOST_CHARACTERS - _TAIL - len(_GAP.format(count=len(text)))
    left_out = len(text) - head - _TAIL
    return text[:head] + _GAP.format(count=left_out) + text[-_TAIL:], left_out


def _titled(runs: Sequence[SampledRun]) -> tuple[ShownColumn, ...]:
    """Columns, called by their label and by the settings in which runs of a benchmark differ."""
    settings = [_settings(column.run.spec) for column in runs]
    titled = []
    for column, values in zip(runs, settings, strict=True):
        benchmark = column.run.spec.benchmark
        differing = [
            value
            for name, value in values.items()
            if any(
                other[name] != value
                for neighbour, other in zip(runs, settings, strict=True)
                if neighbour.run.spec.benchmark == benchmark
            )
        ]
        titled.append(
            ShownColumn(
                label=column.label,
                title=", ".join([column.label, *differing]),
                benchmark=benchmark,
                run_key=column.run.key,
            )
        )
    return tuple(titled)


def _settings(spec: RunSpec) -> dict[str, str]:
    sampling = spec.sampling
    return {
        "temperature": f"T {sampling.temperature:g}",
        "top_p": f"top-p {sampling.top_p:g}",
        "top_k": f"top-k {sampling.top_k}" if sampling.top_k else "all tokens",
        "penalty": f"repetition penalty {sampling.repetition_penalty:g}",
        "template": f"template {spec.template}",
        "chat": "chat" if spec.chat else "no chat",
        "max_tokens": f"{sampling.max_tokens} tokens",
        "engine": f"{spec.engine.name} {spec.engine.dtype}",
        "seed": f"seed {sampling.seed}",
    }


def _column(column: SampledRun, benchmark: RunProblems) -> _Column:
    run, graders = column.run, {digest(spec): spec.grader for spec in column.run.gradings()}
    last = next(reversed(graders), "")
    key = column.grade_key if column.grade_key in graders else last
    second = [other for other, grader in graders.items() if grader != graders.get(key)]
    second.sort(key=lambda other: is_second_grader(graders[other]))
    wanted = {problem.id for problem in benchmark.problems[: column.limit]}
    completions = {
        sample: completion
        for sample, completion in run.completions().items()
        if (column.samples is None or sample[1] < column.samples)
        and (not wanted or sample[0] in wanted)
    }
    return _Column(
        run=run,
        completions=completions,
        grades={
            sample: grade for sample, grade in run.grades(key).items() if sample in completions
        },
        second=run.grades(second[-1]) if second else {},
        graders=tuple(graders[name] for name in (key, *second[-1:]) if name in graders),
    )


def _places(columns: Sequence[_Column]) -> dict[SamplePlace, tuple[int, ...]]:
    """Every place with a sample, and the columns that have one."""
    places: dict[SamplePlace, tuple[int, ...]] = {}
    for number, column in enumerate(columns):
        for problem, index in column.completions:
            place = (column.run.spec.benchmark, problem, index)
            places[place] = (*places.get(place, ()), number)
    return places


def _verdicts(
    place: SamplePlace, having: Sequence[int], columns: Sequence[_Column]
) -> SampleVerdicts:
    grades = [(number, columns[number].grades.get(place[1:])) for number in having]
    return tuple((number, grade.verdict.value if grade else "ungraded") for number, grade in grades)


def _size(place: SamplePlace, having: Sequence[int], columns: Sequence[_Column]) -> int:
    """Characters of the texts at this place, as they are shown."""
    texts = [columns[number].completions[place[1:]].text for number in having]
    return sum(min(len(text), MOST_CHARACTERS) for text in texts)


def _problems(
    wanted: set[tuple[str, str]], benchmarks: Mapping[str, RunProblems]
) -> dict[tuple[str, str], ShownProblem]:
    return {
        (benchmark, problem.id): _shown_problem(problem, benchmark)
        for benchmark, known in benchmarks.items()
        for problem in known.by_id(name for of, name in wanted if of == benchmark).values()
    }


def _shown_problem(problem: Problem, benchmark: str) -> ShownProblem:
    level = None if problem.level is None else f"level {problem.level}"
    return ShownProblem(
        id=problem.id,
        benchmark=benchmark,
        statement=problem.statement,
        answer=problem.answer or None,
        group=", ".join(part for part in (level, problem.subject) if part) or None,
        tags=problem.tags,
    )


def _samples(
    chosen: Sequence[SamplePlace],
    places: Mapping[SamplePlace, tuple[int, ...]],
    columns: Sequence[_Column],
    *,
    order: Sequence[tuple[str, str]],
) -> tuple[ShownSample, ...]:
    at = {problem: number for number, problem in enumerate(order)}
    ranked = sorted((at[place[0], place[1]], place[2], place) for place in chosen)
    return tuple(
        _shown_sample(columns[number], place[1:], problem=problem, number=number)
        for problem, _, place in ranked
        for number in places[place]
    )


def _shown_sample(column: _Column, sample: Sample, *, problem: int, number: int) -> ShownSample:
    completion, grade = column.completions[sample], column.grades.get(sample)
    second = column.second.get(sample)
    text, left_out = shortened(completion.text)
    return ShownSample(
        problem=problem,
        column=number,
        sample_index=completion.sample_index,
        text=text,
        left_out=left_out,
        verdict=grade.verdict if grade else None,
        extracted=grade.extracted if grade else None,
        boxed=grade is not None and grade.boxed,
        finish_reason=completion.finish_reason,
        tokens=len(completion.token_ids),
        second_verdict=second.verdict if second else None,
    )


def _choice(shown: int, total: int) -> str | None:
    """How the shown samples were chosen; None where all are shown."""
    if shown == total:
        return None
    return (
        "of a problem and sample index all runs or none, chosen by a fixed rule in the "
        "proportions in which verdicts come together, with at least "
        f"{FEWEST_OF_A_VERDICT} of each verdict of each run where there are as many"
    )


def _graders(columns: Sequence[_Column]) -> tuple[str, ...]:
    """The first graders of all columns, then the second ones, each once."""
    named = [column.graders[place : place + 1] for place in (0, 1) for column in columns]
    return tuple(dict.fromkeys(name for names in named for name in names))


def _rare(
    order: Iterable[SamplePlace], verdicts: Mapping[SamplePlace, SampleVerdicts]
) -> list[SamplePlace]:
    """The first places in this order that give each column enough of each verdict."""
    kept: Counter[tuple[int, str]] = Counter()
    rare = []
    for place in order:
        if any(kept[verdict] < FEWEST_OF_A_VERDICT for verdict in verdicts[place]):
            rare.append(place)
            kept.update(verdicts[place])
    return rare


def _in_proportion(verdicts: Mapping[SamplePlace, SampleVerdicts]) -> list[SamplePlace]:
    """An order whose every beginning holds each combination of verdicts in its proportion."""
    strata: dict[SampleVerdicts, list[SamplePlace]] = {}
    for place in sorted(verdicts, key=_shuffled):
        strata.setdefault(verdicts[place], []).append(place)
    ranked = [
        ((number + 0.5) / len(members), _shuffled(place), place)
        for members in strata.values()
        for number, place in enumerate(members)
    ]
    return [place for _, _, place in sorted(ranked)]


def _shuffled(place: SamplePlace) -> bytes:
    """A key that sorts places in an order of no meaning."""
    return hashlib.sha256("\n".join(map(str, place)).encode()).digest()
