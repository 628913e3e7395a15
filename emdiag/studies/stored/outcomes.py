"""Right or not, sample by sample of each problem: the one value that scores are made of."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emdiag.core.grades import Grade, Verdict, check_decided, is_outside_grader
from emdiag.core.results import ProblemScore, Remark, TextRates, ThinkingRates, remark
from emdiag.core.sampling import Completion
from emdiag.measure.answers import REPEATED_ABOVE, repeated_share, score_samples
from emdiag.store.run_store import Run
from emdiag.store.samples import VERDICTS, Sample, StoredCompletions, StoredGrades

Rows = NDArray[np.intp]
"""Rows of a run's samples, `[samples]`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """What became of the samples of one run under one grading.

    Arrays have one value for each sample, `[samples]`, problem by problem and by sample index, or
    one for each problem, `[problems]`. Texts are read only where something asks for them, and
    held only by `completions`.

    Attributes:
        run: Holds the samples; its `spec` says how they were drawn.
        problems: Ids, in the order of the samples.
        graded: The run's grades, of which these samples are a part.
        rows: Where each sample stands in `graded`.
    """

    run: Run
    label: str
    grade_key: str
    problems: tuple[str, ...]
    graded: StoredGrades
    rows: Rows

    def __len__(self) -> int:
        return self.rows.size

    @cached_property
    def grades(self) -> tuple[Grade, ...]:
        """Of every sample: verdict, extracted answer, its class and the reason.

        Raises:
            JournalError: The run's grades cannot be read.
        """
        return tuple(self.graded.read(self.rows.tolist()))

    @cached_property
    def completions(self) -> tuple[Completion, ...]:
        """Of every sample: text, tokens and why it ended.

        Raises:
            JournalError: The run's completions cannot be read.
        """
        return tuple(self.texts())

    @property
    def notes(self) -> tuple[Remark, ...]:
        """How many grades of the run do not count, since their texts have changed."""
        hidden = len(self.graded.hidden)
        return (remark("other-texts", samples=hidden, run=self.run.path.name),) if hidden else ()

    def texts(self) -> Iterator[Completion]:
        """The same one after another, without holding them."""
        return self._drawn.read(self._drawn_rows.tolist())

    @cached_property
    def sample_indices(self) -> NDArray[np.int64]:
        """Which sample of its problem each is."""
        return _column(self.graded.indices, self.rows).astype(np.int64)

    @cached_property
    def _drawn(self) -> StoredCompletions:
        return self.run.completions()

    @cached_property
    def _drawn_rows(self) -> Rows:
        drawn, graded = self._drawn, self.graded
        return _rows_of(drawn, (graded.sample(row) for row in self.rows.tolist()))

    @cached_property
    def problem_numbers(self) -> NDArray[np.intp]:
        """Place in `problems` of the problem of every sample."""
        places = {problem: place for place, problem in enumerate(self.problems)}
        by_number = np.array([places.get(name, -1) for name in self.graded.problem_ids], np.intp)
        return np.asarray(by_number[_column(self.graded.problems, self.rows)], np.intp)

    @cached_property
    def counts(self) -> NDArray[np.intp]:
        """Samples of each problem."""
        return np.bincount(self.problem_numbers, minlength=len(self.problems))

    @cached_property
    def parts(self) -> list[slice]:
        """Where the samples of each problem stand."""
        ends = np.cumsum(self.counts).tolist()
        return [slice(end - count, end) for end, count in zip(ends, self.counts, strict=True)]

    @property
    def samples(self) -> int:
        """Samples of each problem, the most of any; 0 where nothing was graded."""
        return int(self.counts.max(initial=0))

    @cached_property
    def _verdict_numbers(self) -> NDArray[np.int8]:
        return _column(self.graded.verdicts, self.rows)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether every sample is right."""
        return np.asarray(self._verdict_numbers == VERDICTS.index(Verdict.CORRECT), np.bool_)

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """Share of right samples of each problem."""
        return self.per_problem(self.right)

    @cached_property
    def correct(self) -> dict[str, list[bool]]:
        """Whether each sample is right, by problem."""
        rows = [self.right[part].tolist() for part in self.parts]
        return dict(zip(self.problems, rows, strict=True))

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of every sample."""
        return tuple(VERDICTS[number] for number in self._verdict_numbers.tolist())

    @cached_property
    def classes(self) -> list[list[str | None]]:
        """Of each problem, the class of each sample's answer; equal answers share theirs."""
        return self._by_problem(_column(self.graded.classes, self.rows))

    @property
    def extracted(self) -> Iterator[str | None]:
        """The answer of every sample, as it was cut out of its text."""
        numbers = _column(self.graded.extracted, self.rows).tolist()
        return (self.graded.answers[number] for number in numbers)

    def _by_problem(self, answers: NDArray[np.int64]) -> list[list[str | None]]:
        names = self.graded.answers
        return [[names[number] for number in answers[part].tolist()] for part in self.parts]

    @cached_property
    def boxed(self) -> NDArray[np.bool_]:
        r"""Whether the answer of every sample came out of a closed `\boxed{}`."""
        return _column(self.graded.boxed, self.rows).astype(np.bool_)

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Length of every completion, in tokens."""
        return _column(self._drawn.tokens, self._drawn_rows)

    @cached_property
    def truncated(self) -> NDArray[np.bool_]:
        """Whether every completion was cut off at the limit of new tokens."""
        return _column(self._drawn.is_cut, self._drawn_rows).astype(np.bool_)

    @cached_property
    def reasoning_tokens(self) -> NDArray[np.int64] | None:
        """Tokens of every completion before its answer; None where one was not told apart."""
        return _known(_column(self._drawn.reasoning, self._drawn_rows))

    @cached_property
    def unfinished(self) -> NDArray[np.int8] | None:
        """Whether the thinking of every completion never ended; None where nothing marks it."""
        return _known(_column(self._drawn.is_thinking, self._drawn_rows))

    @cached_property
    def repeated(self) -> NDArray[np.bool_]:
        """Whether more than half of the word 4-grams of every completion occur earlier in it."""
        shares = (repeated_share(completion.text) for completion in self.texts())
        return np.fromiter((share > REPEATED_ABOVE for share in shares), np.bool_)

    @cached_property
    def scores(self) -> tuple[ProblemScore, ...]:
        """How each problem went."""
        verdicts, cut, classes = self._verdict_numbers, self.truncated, self.classes
        return tuple(
            score_samples(
                problem,
                [VERDICTS[number] for number in verdicts[part].tolist()],
                answers,
                truncated=int(cut[part].sum()),
            )
            for problem, part, answers in zip(self.problems, self.parts, classes, strict=True)
        )

    @cached_property
    def text_rates(self) -> TextRates:
        """What the completions look like, over all samples; at least one."""
        undecided = self._verdict_numbers == VERDICTS.index(Verdict.UNDECIDED)
        return TextRates(
            truncated_frac=float(self.truncated.mean()),
            no_box_frac=float((~self.boxed).mean()),
            undecided_frac=float(undecided.mean()),
            repeated_frac=float(self.repeated.mean()),
            mean_tokens=float(self.tokens.mean()),
            thinking=self._thinking_rates(),
        )

    def _thinking_rates(self) -> ThinkingRates | None:
        unfinished, reasoning = self.unfinished, self.reasoning_tokens
        if unfinished is None:
            return None
        share = float(unfinished.mean())
        if reasoning is None:
            return ThinkingRates(unfinished_frac=share)
        return ThinkingRates(
            unfinished_frac=share,
            mean_reasoning_tokens=float(reasoning.mean()),
            mean_answer_tokens=float((self.tokens - reasoning).mean()),
            reasoning_frac=float(reasoning.sum() / max(1, self.tokens.sum())),
            longest_reasoning=int(reasoning.max()),
        )

    def per_problem(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Mean over the samples of each problem of one value for every sample."""
        sums = np.bincount(self.problem_numbers, values.astype(np.float64), len(self.problems))
        return sums / self.counts

    def rates_on(self, problems: Sequence[str]) -> NDArray[np.float64]:
        """Share of right samples of these problems, in their order."""
        places = {problem: place for place, problem in enumerate(self.problems)}
        return self.rates[[places[problem] for problem in problems]]


def outcomes_of(
    run: Run, grade_key: str, *, label: str, samples: Iterable[Sample] | None = None
) -> Outcomes:
    """The outcomes of a run under a grading: of these samples, all graded, problem by problem.

    None for `samples` takes every graded one, by id.
    """
    graded = run.grades(grade_key)
    rows = (
        np.fromiter(graded.sorted_rows(), np.intp) if samples is None else _rows_of(graded, samples)
    )
    numbers = _column(graded.problems, rows)
    firsts = np.sort(np.unique(numbers, return_index=True)[1])
    return Outcomes(
        run=run,
        label=label,
        grade_key=grade_key,
        problems=tuple(graded.problem_ids[number] for number in numbers[firsts].tolist()),
        graded=graded,
        rows=rows,
    )


def check_grades(graded: StoredGrades, grader: str) -> None:
    """Refuse grades of a user's own grader of which it decided none: they are no score of 0.

    Raises:
        GraderError: As `check_decided`.
    """
    undecided = VERDICTS.index(Verdict.UNDECIDED)
    if is_outside_grader(grader) and set(graded.verdicts) <= {undecided}:
        check_decided(tuple(graded.values()), grader)


def on_shared_samples(left: Outcomes, right: Outcomes) -> tuple[Outcomes, Outcomes]:
    """Both on the samples that have a grade in both, by id."""
    first, second = (
        outcomes_of(side.run, side.grade_key, label=side.label, samples=_shared(left, right))
        for side in (left, right)
    )
    return first, second


def _shared(left: Outcomes, right: Outcomes) -> Iterator[Sample]:
    sides = [
        {
            problem: side.sample_indices[part]
            for problem, part in zip(side.problems, side.parts, strict=True)
        }
        for side in (left, right)
    ]
    for problem in sorted(sides[0].keys() & sides[1].keys()):
        for index in np.intersect1d(sides[0][problem], sides[1][problem]).tolist():
            yield problem, index


def _rows_of(table: StoredGrades | StoredCompletions, samples: Iterable[Sample]) -> Rows:
    """The rows of samples, each of which the table holds."""

    def rows() -> Iterator[int]:
        for sample in samples:
            row = table.row(sample)
            if row is None:
                raise KeyError(sample)
            yield row

    return np.fromiter(rows(), np.intp)


def _column(values: array[int], rows: Rows) -> NDArray[Any]:
    """A column's values of rows."""
    whole = np.frombuffer(values, values.typecode) if values else np.empty(0, values.typecode)
    return whole[rows]


def _known(values: NDArray[Any]) -> NDArray[Any] | None:
    """A column in which nothing is absent."""
    return values if values.size and (values >= 0).all() else None


def rates_by_seed(seeds: Sequence[Outcomes], problems: Sequence[str]) -> NDArray[np.float64]:
    """Share of right samples, `[seeds, problems]`."""
    return np.stack([outcomes.rates_on(problems) for outcomes in seeds])
