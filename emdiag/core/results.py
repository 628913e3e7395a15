"""Numbers, each with what it needs to be believed, and remarks: facts that `findings` words."""

from __future__ import annotations

from typing import ClassVar, Literal

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.records import Record, Result


class Interval(Record, frozen=True, kw_only=True):
    """Where the value lies if the study were repeated on other problems of the same kind.

    Attributes:
        level: Coverage aimed at, such as 0.95.
        method: How it was found, such as `wilson` or `bootstrap over problems`.
    """

    low: float
    high: float
    level: float
    method: str


Direction = Literal["higher", "lower", "undecided"]
"""Of a value against the one that it is compared with; `higher` or `lower` is significant."""


def direction_of(interval: Interval | None, p_value: float | None) -> Direction:
    """The one rule for what is significant: `higher` or `lower`, else `undecided`.

    The interval of the difference excludes zero, and the p-value, corrected over all tests of its
    family, is below one minus the interval's level. An interval alone decides nothing.
    """
    if interval is None or interval.low <= 0 <= interval.high:
        return "undecided"
    if p_value is None or p_value >= 1 - interval.level:
        return "undecided"
    return "higher" if interval.low > 0 else "lower"


class Metric(Record, frozen=True, kw_only=True):
    """One number with its name; `interval` is None where fewer than two problems define it."""

    name: str
    value: float
    interval: Interval | None


class Amount(Record, frozen=True):
    """A number that a remark or a statement rests on; None where it is not defined."""

    value: float | None
    interval: Interval | None = None


RemarkValue = str | int | float | bool | Amount | tuple["str | float | Remark", ...] | None
"""A fact of a remark."""


class Remark(Record, frozen=True, kw_only=True):
    """What a reader should know, as facts; `findings.remarks.words` says it in English.

    Attributes:
        code: What is remarked, such as `cut-off`; `findings/remark_words.py` has them all.
        values: By name, such as `share` and `limit`.
    """

    code: str
    values: dict[str, RemarkValue]

    def __hash__(self) -> int:
        return hash((self.code, frozenset(self.values)))

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {_plainly(value)}" for name, value in self.values.items())
        return f"{self.code}: {facts}" if facts else self.code


def remark(code: str, /, **values: RemarkValue) -> Remark:
    """The remark of this code; a guard holds its values against the words for it."""
    return Remark(code=code, values=values)


def as_given(text: str) -> Remark:
    """Words that somebody else chose: of a card, a tokenizer, or a file of claims."""
    return remark("as-given", text=text)


def _plainly(value: RemarkValue) -> str:
    if isinstance(value, Amount):
        interval = value.interval
        ends = "" if interval is None else f" [{interval.low:.4g}, {interval.high:.4g}]"
        return f"{_plainly(value.value)}{ends}"
    if isinstance(value, tuple):
        return " and ".join(_plainly(v) if not isinstance(v, Remark) else str(v) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class ProblemScore(Record, frozen=True, kw_only=True):
    """How one problem went.

    Attributes:
        majority: Share of right answers in the largest class of equal answers, averaged over
            classes of the same size; 0 where no sample gave an answer, which is no vote.
    """

    problem_id: str
    samples: int
    correct: int
    by_verdict: dict[str, int]
    truncated: int
    majority: float

    @property
    def rate(self) -> float:
        """Share of right samples."""
        return self.correct / self.samples


class DetectableGain(Record, frozen=True, kw_only=True):
    """Smallest true gain that a paired comparison finds with 80 % power; in shares of 1.

    Attributes:
        gain: None where no gain would be found or is possible; `note` says why.
        changing: Share of problems whose answer changes: assumed before the other checkpoint is
            measured, found after; None where several samples are compared by their means.
        method: `exact McNemar`, for one sample of each problem, or `standard errors` of the mean
            difference, 2.8 of them at 5 %.
    """

    gain: float | None
    changing: float | None
    method: Literal["exact McNemar", "standard errors"]
    note: Remark | None


class GroupScore(Record, frozen=True, kw_only=True):
    """The headline metric on a part of a benchmark, such as `level 3`."""

    group: str
    problems: int
    metric: Metric


class ThinkingRates(Record, frozen=True, kw_only=True):
    """How much of the completions is thinking; fractions are between 0 and 1.

    Attributes:
        unfinished_frac: Samples whose thinking never ended; they have no answer.
        mean_reasoning_tokens, mean_answer_tokens: Over all samples; markers and all of an
            unfinished sample are reasoning. These and the two below are None where an engine gives
            texts apart and does not count their tokens.
        reasoning_frac: Tokens of reasoning among all tokens.
        longest_reasoning: Of any sample, in tokens.
    """

    unfinished_frac: float
    mean_reasoning_tokens: float | None = None
    mean_answer_tokens: float | None = None
    reasoning_frac: float | None = None
    longest_reasoning: int | None = None


class TextRates(Record, frozen=True, kw_only=True):
    """What the completions look like; fractions of all samples, between 0 and 1.

    Attributes:
        truncated_frac: Cut off at the limit of new tokens.
        no_box_frac: Without a closed box around the answer.
        undecided_frac: Verdict `undecided`.
        repeated_frac: More than half of the word 4-grams occur earlier in the same text.
        mean_tokens: Mean length of a completion, in tokens.
        thinking: None where nothing marks thinking.
    """

    truncated_frac: float
    no_box_frac: float
    undecided_frac: float
    repeated_frac: float
    mean_tokens: float
    thinking: ThinkingRates | None = None

    @property
    def unfinished_frac(self) -> float | None:
        """Samples whose thinking never ended; None where nothing marks thinking."""
        return None if self.thinking is None else self.thinking.unfinished_frac


class BenchmarkScore(Record, frozen=True, kw_only=True):
    """One checkpoint on one benchmark.

    Attributes:
        metric: Name of the headline, such as `avg@8`: the mean share of right samples.
        pass_at_k: Unbiased, for every k up to the number of samples.
        maj_at_k: Share of problems whose most frequent answer is right; None for one sample.
        without_tagged: The headline without problems whose gold is known to be doubtful; None
            where the benchmark has none.
        detectable: What a comparison with one sample of each problem would find if 10, 20 or 40 %
            of problems change; empty in records of before.
        detectable_gain: Of records of before, which took outcomes to correlate by 0.5 between
            checkpoints; too small where they correlate less, and no longer shown.
        tokens_per_s: New tokens per second of sampling; None where it was not recorded.
        per_problem: In the benchmark's order; empty in records of version 0.1.0.
    """

    label: str
    checkpoint: CheckpointRef
    benchmark: str
    benchmark_revision: int
    template: str
    chat: bool
    temperature: float
    engine: str
    run_key: str
    grade_key: str
    metric: str
    value: float
    interval: Interval | None
    problems: int
    problems_total: int
    partial: bool
    samples: int
    pass_at_k: tuple[Metric, ...]
    maj_at_k: Metric | None
    without_tagged: Metric | None
    by_verdict: dict[str, int]
    rates: TextRates
    tokens_per_s: float | None
    groups: tuple[GroupScore, ...]
    notes: tuple[Remark, ...]
    per_problem: tuple[ProblemScore, ...] = ()
    metrics: tuple[Metric, ...] = ()
    detectable: tuple[DetectableGain, ...] = ()
    detectable_gain: float | None = None


class EvaluateResult(Result, frozen=True, kw_only=True, tag="evaluation"):
    """All scores of one evaluation, and where its runs lie."""

    folder: ClassVar[str] = "evaluations"
    scores: tuple[BenchmarkScore, ...]
    store: str


Conclusion = Literal["right better", "left better", "equivalent", "undecided"]
"""`equivalent`: the whole interval lies within the margin; `undecided`: neither that nor a
difference that survives the correction."""


class Comparison(Record, frozen=True, kw_only=True):
    """Two checkpoints on the same problems.

    Attributes:
        difference: Right minus left, in shares of 1.
        test: How `p_value` was found; None for a macro-average stored without a test.
        p_holm: `p_value` corrected over the benchmarks compared and their macro-average.
        wrong_to_right, right_to_wrong: Problems whose answer flipped: for one sample by verdict,
            for several by more than half of the samples being right.
        margin: Half-width of the zone counted as no difference, in shares of 1.
        detectable: Gain of the right over the left that a pair that varies like this one would
            show, tested with as many others; None for a macro-average and in records of before.
        temperatures, run_keys: Of the left and of the right; None likewise.
    """

    left: str
    right: str
    benchmark: str
    metric: str
    left_value: float
    right_value: float
    difference: float
    interval: Interval | None
    test: str | None
    p_value: float | None
    p_holm: float | None
    problems: int
    left_samples: int
    right_samples: int
    wrong_to_right: tuple[str, ...]
    right_to_wrong: tuple[str, ...]
    margin: float
    conclusion: Conclusion
    notes: tuple[Remark, ...]
    detectable: DetectableGain | None = None
    temperatures: tuple[float, float] | None = None
    run_keys: tuple[str, str] | None = None


class CompareResult(Result, frozen=True, kw_only=True, tag="comparison"):
    """Comparisons by benchmark, and where there are several their mean, each counted once.

    Attributes:
        notes: On the store: what could not be read of it, and clocks that disagree.
    """

    comparisons: tuple[Comparison, ...]
    macro: Comparison | None
    notes: tuple[Remark, ...] = ()
