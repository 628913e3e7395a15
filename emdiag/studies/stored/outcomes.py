"""Right or not, sample by sample of each problem: the one value that scores are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from emdiag.core.grades import Grade, Verdict
from emdiag.core.results import ProblemScore, TextRates
from emdiag.core.sampling import Completion
from emdiag.measure.answers import REPEATED_ABOVE, repeated_share, score_problem
from emdiag.store.run_store import Run, Sample


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """What became of the samples of one run under one grading.

    Arrays have one value for each sample, `[samples]`, problem by problem and by sample index, or
    one for each problem, `[problems]`. Texts are read only where something asks for them.

    Attributes:
        run: Holds the samples; its `spec` says how they were drawn.
        problems: Ids, in the order of the samples.
        grades: Of every sample: verdict, extracted answer and its class.
    """

    run: Run
    label: str
    grade_key: str
    problems: tuple[str, ...]
    grades: tuple[Grade, ...]

    @cached_property
    def completions(self) -> tuple[Completion, ...]:
        """Of every sample: text, tokens and why it ended.

        Raises:
            JournalError: The run's completions cannot be read.
        """
        drawn = self.run.completions()
        return tuple(drawn[grade.problem_id, grade.sample_index] for grade in self.grades)

    @cached_property
    def problem_numbers(self) -> NDArray[np.intp]:
        """Place in `problems` of the problem of every sample."""
        places = {problem: place for place, problem in enumerate(self.problems)}
        return np.array([places[grade.problem_id] for grade in self.grades], np.intp)

    @cached_property
    def counts(self) -> NDArray[np.intp]:
        """Samples of each problem."""
        return np.bincount(self.problem_numbers, minlength=len(self.problems))

    @cached_property
    def _parts(self) -> list[slice]:
        """Where the samples of each problem stand."""
        ends = np.cumsum(self.counts).tolist()
        return [slice(end - count, end) for end, count in zip(ends, self.counts, strict=True)]

    @property
    def samples(self) -> int:
        """Samples of each problem, the most of any; 0 where nothing was graded."""
        return int(self.counts.max(initial=0))

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether every sample is right."""
        return np.array([grade.verdict is Verdict.CORRECT for grade in self.grades], np.bool_)

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """Share of right samples of each problem."""
        return self.per_problem(self.right)

    @cached_property
    def correct(self) -> dict[str, list[bool]]:
        """Whether each sample is right, by problem."""
        rows = [self.right[part].tolist() for part in self._parts]
        return dict(zip(self.problems, rows, strict=True))

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of every sample."""
        return tuple(grade.verdict for grade in self.grades)

    @cached_property
    def classes(self) -> list[list[str | None]]:
        """Of each problem, the class of each sample's answer; equal answers share theirs."""
        return [[grade.answer_class for grade in self.grades[part]] for part in self._parts]

    @cached_property
    def boxed(self) -> NDArray[np.bool_]:
        r"""Whether the answer of every sample came out of a closed `\boxed{}`."""
        return np.array([grade.boxed for grade in self.grades], np.bool_)

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Length of every completion, in tokens."""
        return np.array([len(completion.token_ids) for completion in self.completions], np.int64)

    @cached_property
    def truncated(self) -> NDArray[np.bool_]:
        """Whether every completion was cut off at the limit of new tokens."""
        return np.array(
            [completion.finish_reason == "length" for completion in self.completions], np.bool_
        )

    @cached_property
    def repeated(self) -> NDArray[np.bool_]:
        """Whether more than half of the word 4-grams of every completion occur earlier in it."""
        shares = (repeated_share(completion.text) for completion in self.completions)
        return np.array([share > REPEATED_ABOVE for share in shares], np.bool_)

    @cached_property
    def scores(self) -> tuple[ProblemScore, ...]:
        """How each problem went."""
        return tuple(
            score_problem(self.completions[part], self.grades[part]) for part in self._parts
        )

    @cached_property
    def text_rates(self) -> TextRates:
        """What the completions look like, over all samples; at least one."""
        undecided = [verdict is Verdict.UNDECIDED for verdict in self.verdicts]
        return TextRates(
            truncated_frac=float(self.truncated.mean()),
            no_box_frac=float((~self.boxed).mean()),
            undecided_frac=sum(undecided) / len(undecided),
            repeated_frac=float(self.repeated.mean()),
            mean_tokens=float(self.tokens.mean()),
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
    grades = run.grades(grade_key)
    wanted = sorted(grades) if samples is None else list(samples)
    return Outcomes(
        run=run,
        label=label,
        grade_key=grade_key,
        problems=tuple(dict.fromkeys(problem for problem, _ in wanted)),
        grades=tuple(grades[sample] for sample in wanted),
    )


def on_shared_samples(left: Outcomes, right: Outcomes) -> tuple[Outcomes, Outcomes]:
    """Both on the samples that have a grade in both, by id."""
    kept = [{(g.problem_id, g.sample_index) for g in side.grades} for side in (left, right)]
    shared = sorted(kept[0] & kept[1])
    return (
        outcomes_of(left.run, left.grade_key, label=left.label, samples=shared),
        outcomes_of(right.run, right.grade_key, label=right.label, samples=shared),
    )


def rates_by_seed(seeds: Sequence[Outcomes], problems: Sequence[str]) -> NDArray[np.float64]:
    """Share of right samples, `[seeds, problems]`."""
    return np.stack([outcomes.rates_on(problems) for outcomes in seeds])
