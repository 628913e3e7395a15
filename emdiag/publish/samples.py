"""Stored samples, as a reader of a page meets them; a part of them where they are too many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from msgspec import UnsetType

from emdiag.core.digest import digest
from emdiag.core.grades import is_second_grader
from emdiag.core.page_samples import PageSamples, ShownColumn, ShownProblem, ShownSample
from emdiag.core.problems import Problem
from emdiag.core.runs import RunSpec
from emdiag.core.sampling import Completion
from emdiag.findings.origin import choice_of_samples
from emdiag.publish.places import FEWEST_OF_A_VERDICT, Places, SamplePlace
from emdiag.store.run_store import Run
from emdiag.store.samples import VERDICTS, StoredCompletions, StoredGrades
from emdiag.studies.stored.problems import RunProblems

MOST_SAMPLES = 10_000
MOST_CHARACTERS = 20_000
MOST_TEXT = 25_000_000
"""Characters of all texts together."""
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
class _Column:
    """The samples that a run is asked for, with its grades by the main and a second grader."""

    number: int
    benchmark: str
    drawn: StoredCompletions
    grades: tuple[StoredGrades, ...]
    samples: int | None
    wanted: frozenset[str]

    def asks(self, place: SamplePlace) -> bool:
        """Whether the run is asked for the sample at a place."""
        benchmark, problem, index = place
        is_asked = self.samples is None or index < self.samples
        return (
            is_asked and benchmark == self.benchmark and (not self.wanted or problem in self.wanted)
        )

    def places(self) -> Iterator[tuple[int, SamplePlace]]:
        """Row and place of each sample asked for; some may have no grade."""
        for row in range(len(self.drawn)):
            place = (self.benchmark, *self.drawn.sample(row))
            if self.asks(place):
                yield row, place

    def verdict(self, place: SamplePlace) -> str:
        """Of the main grader."""
        row = self.grades[0].row(place[1:]) if self.grades else None
        return "ungraded" if row is None else VERDICTS[self.grades[0].verdicts[row]].value

    def shown(
        self, places: Sequence[SamplePlace], order: Mapping[tuple[str, str], int]
    ) -> Iterator[tuple[int, ShownSample]]:
        """Of those of the places that this run has, the number and the sample as it is shown."""
        rows = [self.drawn.row(place[1:]) if self.asks(place) else None for place in places]
        held = {number: row for number, row in enumerate(rows) if row is not None}
        for number, completion in zip(held, self.drawn.read(held.values()), strict=True):
            yield number, self._shown(completion, order[places[number][:2]])

    def _shown(self, completion: Completion, problem: int) -> ShownSample:
        sample = completion.problem_id, completion.sample_index
        grade, second, *_ = [*(grades.get(sample) for grades in self.grades), None, None]
        text, left_out = shortened(completion.text)
        start, thought = completion.answer_start or 0, completion.reasoning_tokens
        return ShownSample(
            problem=problem,
            column=self.number,
            sample_index=completion.sample_index,
            text=text,
            left_out=left_out,
            verdict=grade.verdict if grade else None,
            extracted=grade.extracted if grade else None,
            boxed=grade is not None and grade.boxed,
            finish_reason=completion.finish_reason,
            tokens=completion.length,
            second_verdict=second.verdict if second else None,
            why=grade.why if grade else None,
            thinking=None if completion.is_thinking else _place_in(completion.text, start),
            reasoning_tokens=None if isinstance(thought, UnsetType) else thought,
        )


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
    columns = [
        _column(number, column, keys, benchmarks[column.run.spec.benchmark])
        for number, (column, keys) in enumerate(zip(runs, graders, strict=True))
    ]
    held = Places()
    for column in columns:
        for row, place in column.places():
            characters = min(column.drawn.characters[row], MOST_CHARACTERS)
            held.add(place, (column.number, column.verdict(place)), characters)
    if not held.samples:
        return None
    chosen = held.choose(most_samples=most_samples, most_text=MOST_TEXT)
    problems = [
        _shown_problem(problem, benchmark)
        for benchmark, known in benchmarks.items()
        for problem in known.by_id(name for of, name, _ in chosen if of == benchmark).values()
    ]
    order = {(problem.benchmark, problem.id): place for place, problem in enumerate(problems)}
    chosen.sort(key=lambda place: (order[place[:2]], place[2]))
    samples = _side_by_side(columns, chosen, order)
    named = zip_longest(*(keys.values() for keys in graders))
    return PageSamples(
        problems=tuple(problems),
        columns=_titled(runs),
        samples=samples,
        total=held.samples,
        choice=None if len(samples) == held.samples else choice_of_samples(FEWEST_OF_A_VERDICT),
        most_characters=MOST_CHARACTERS,
        graders=tuple(dict.fromkeys(name for names in named for name in names if name)),
    )


def _head(text: str) -> int:
    """Characters before what is left out of a long text."""
    return MOST_CHARACTERS - _TAIL - len(_GAP.format(count=len(text)))


def shortened(text: str) -> tuple[str, int]:
    """The text, its middle left out where it is long, and how many characters are."""
    if len(text) <= MOST_CHARACTERS:
        return text, 0
    head = _head(text)
    left_out = len(text) - head - _TAIL
    return text[:head] + _GAP.format(count=left_out) + text[-_TAIL:], left_out


def _place_in(text: str, place: int) -> int:
    """Where a place of a text is in what is shown of it; behind the gap if it is left out."""
    shown, left_out = shortened(text)
    behind = len(text) - place
    return place if place <= _head(text) or not left_out else len(shown) - min(behind, _TAIL)


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
        "asking": spec.wording.line or "template alone",
        "reasoning": spec.reasoning.typed() if spec.reasoning else "no reasoning style",
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
    number: int, column: SampledRun, grade_keys: Iterable[str], benchmark: RunProblems
) -> _Column:
    return _Column(
        number=number,
        benchmark=column.run.spec.benchmark,
        drawn=column.run.completions(),
        grades=tuple(column.run.grades(key) for key in grade_keys),
        samples=column.samples,
        wanted=frozenset(problem.id for problem in benchmark.problems[: column.limit]),
    )


def _side_by_side(
    columns: Sequence[_Column], places: Sequence[SamplePlace], order: Mapping[tuple[str, str], int]
) -> tuple[ShownSample, ...]:
    """The samples of all columns, place by place."""
    shown = [entry for column in columns for entry in column.shown(places, order)]
    return tuple(sample for _, sample in sorted(shown, key=lambda entry: entry[0]))


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
