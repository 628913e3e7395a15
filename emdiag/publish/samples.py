"""Stored samples, as a reader of a page meets them; a part of them where they are too many."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from emdiag.core.digest import digest
from emdiag.core.grades import Grade, is_second_grader
from emdiag.core.page_samples import PageSamples, ShownColumn, ShownProblem, ShownSample
from emdiag.core.problems import Problem
from emdiag.core.runs import RunSpec
from emdiag.core.sampling import Completion
from emdiag.findings.origin import choice_of_samples
from emdiag.store.run_store import Run
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


@dataclass(frozen=True)
class _GradedSample:
    """A sample with its grades, if it has any, and the number of its column."""

    column: int
    completion: Completion
    grade: Grade | None
    second: Grade | None

    @property
    def verdict(self) -> str:
        """Of the main grader."""
        return self.grade.verdict.value if self.grade else "ungraded"

    @property
    def characters(self) -> int:
        """Of the text, as it is shown."""
        return min(len(self.completion.text), MOST_CHARACTERS)


def page_samples(
    runs: Sequence[SampledRun],
    benchmarks: Mapping[str, RunProblems],
    *,
    most_samples: int = MOST_SAMPLES,
) -> PageSamples | None:
    """The samples of these runs in columns that can stand side by side.

    Where they are too many, the same problems and sample indices are taken of all columns: in the
    proportions in which verdicts come together, and so that rare verdicts are not lost. The choice
    is the same every time.
    None where these runs hold no sample.

    Raises:
        JournalError: A run cannot be read.
    """
    graders = [_graders(column) for column in runs]
    places: dict[SamplePlace, list[_GradedSample]] = {}
    for number, (column, keys) in enumerate(zip(runs, graders, strict=True)):
        for place, graded in _column(number, column, keys, benchmarks):
            places.setdefault(place, []).append(graded)
    if not places:
        return None
    total = sum(map(len, places.values()))
    chosen = choose_places(
        {place: tuple((s.column, s.verdict) for s in drawn) for place, drawn in places.items()},
        {place: sum(s.characters for s in drawn) for place, drawn in places.items()},
        most_samples=most_samples,
        most_text=MOST_TEXT,
    )
    problems = [
        _shown_problem(problem, benchmark)
        for benchmark, known in benchmarks.items()
        for problem in known.by_id(name for of, name, _ in chosen if of == benchmark).values()
    ]
    order = {(problem.benchmark, problem.id): place for place, problem in enumerate(problems)}
    samples = tuple(
        _shown_sample(drawn, problem=order[place[:2]])
        for place in sorted(chosen, key=lambda place: (order[place[:2]], place[2]))
        for drawn in places[place]
    )
    named = zip_longest(*(keys.values() for keys in graders))
    return PageSamples(
        problems=tuple(problems),
        columns=_titled(runs),
        samples=samples,
        total=total,
        choice=None if len(samples) == total else choice_of_samples(FEWEST_OF_A_VERDICT),
        most_characters=MOST_CHARACTERS,
        graders=tuple(dict.fromkeys(name for names in named for name in names if name)),
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
    values: dict[tuple[str, str], set[str]] = {}
    for column in runs:
        for name, value in _settings(column.run.spec).items():
            values.setdefault((column.run.spec.benchmark, name), set()).add(value)
    titled = []
    for column in runs:
        run, label = column.run, column.label
        benchmark, settings = run.spec.benchmark, _settings(run.spec)
        differing = [value for name, value in settings.items() if len(values[benchmark, name]) > 1]
        title = ", ".join([label, *differing])
        titled.append(ShownColumn(label=label, title=title, benchmark=benchmark, run_key=run.key))
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


def _graders(column: SampledRun) -> dict[str, str]:
    """Keys of the grades shown, with their graders: the main one's, then a second one's, if any."""
    graders = {digest(spec): spec.grader for spec in column.run.gradings()}
    last = next(reversed(graders), "")
    key = column.grade_key if column.grade_key in graders else last
    second = [other for other, grader in graders.items() if grader != graders.get(key)]
    second.sort(key=lambda other: is_second_grader(graders[other]))
    return {name: graders[name] for name in (key, *second[-1:]) if name in graders}


def _column(
    number: int,
    column: SampledRun,
    grade_keys: Iterable[str],
    benchmarks: Mapping[str, RunProblems],
) -> Iterator[tuple[SamplePlace, _GradedSample]]:
    """The samples asked for that a run holds; some may have no grade."""
    run, benchmark = column.run, column.run.spec.benchmark
    wanted = {problem.id for problem in benchmarks[benchmark].problems[: column.limit]}
    grades = [run.grades(key) for key in grade_keys]
    for (problem, index), completion in run.completions().items():
        is_asked = column.samples is None or index < column.samples
        if is_asked and (not wanted or problem in wanted):
            main, second, *_ = [*(of.get((problem, index)) for of in grades), None, None]
            yield (benchmark, problem, index), _GradedSample(number, completion, main, second)


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


def _shown_sample(drawn: _GradedSample, *, problem: int) -> ShownSample:
    completion, grade = drawn.completion, drawn.grade
    text, left_out = shortened(completion.text)
    return ShownSample(
        problem=problem,
        column=drawn.column,
        sample_index=completion.sample_index,
        text=text,
        left_out=left_out,
        verdict=grade.verdict if grade else None,
        extracted=grade.extracted if grade else None,
        boxed=grade is not None and grade.boxed,
        finish_reason=completion.finish_reason,
        tokens=len(completion.token_ids),
        second_verdict=drawn.second.verdict if drawn.second else None,
        why=grade.why if grade else None,
    )


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
