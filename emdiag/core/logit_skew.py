"""Statistics of next-token distributions, each with its text, its interval and its base."""

from __future__ import annotations

from typing import ClassVar, Literal

from emdiag.core.checkpoints import Arm
from emdiag.core.moments import Histogram
from emdiag.core.records import Record, Result
from emdiag.core.results import Direction, Interval, Remark

StatisticKind = Literal["per_token", "pooled"]
"""`per_token`: found at every position, averaged over positions, then over problems; `pooled`: of
all values of all positions together."""

LogitSource = Literal["raw", "log_prob", "processed"]
"""`raw`: the model's logits; `log_prob`: those minus the log-sum-exp of their position;
`processed`: after temperature and top-k, as a sampler sees them."""

Continuation = Literal["shared", "own", "both"]
"""`shared`: every checkpoint reads the same texts; `own`: each reads what it wrote itself."""

OWN = "own"
"""Name of the text where every checkpoint reads its own."""


class LogitDifference(Record, frozen=True, kw_only=True):
    """A checkpoint minus the base, paired by problem.

    Attributes:
        p_value: By sign flips over problems, or of Student's t over seeds and problems; None where
            fewer than two problems define the difference.
        p_holm: Corrected, step by step as by Holm, over all differences of the study, of all
            statistics, texts and checkpoints; those of parts are a family of their own.
    """

    base: str
    value: float
    interval: Interval | None
    p_value: float | None
    p_holm: float | None
    direction: Direction


class LogitEstimate(Record, frozen=True, kw_only=True):
    """One statistic of one checkpoint on one set of texts.

    Attributes:
        text: Who wrote what was read, or `own`.
        statistic: Such as `skewness`, `entropy_nats` or `kl_nats`.
        part: Which tokens or ranks, such as `decile 3`, `answer`, `forking` or `rank 5-8`; None for
            all.
        value: None where it is not defined on these texts; `note` says why.
        interval: Over problems; over seeds and problems where there are several seeds. None below
            two problems.
        difference: None for the base itself, and where the two were not read on the same texts of
            the same problems.
    """

    checkpoint: str
    text: str
    statistic: str
    kind: StatisticKind
    source: LogitSource
    part: str | None
    value: float | None
    interval: Interval | None
    tokens: int
    problems: int
    seeds: int
    difference: LogitDifference | None = None
    note: Remark | None = None


class TextInfo(Record, frozen=True, kw_only=True):
    """A set of texts that was read.

    Attributes:
        name: As in `LogitEstimate.text`; for `own` there is one of these for each writer.
        writer: Label of the checkpoint that wrote it, or what it was taken from.
        run: Folder of the run, or of the traces where no run wrote it.
        temperature: None for texts that were not sampled.
    """

    name: str
    writer: str
    run: str
    problems: int
    texts: int
    tokens: int
    temperature: float | None
    truncated_frac: float
    unfinished_frac: float | None = None


Finding = Literal["cooling", "partly cooling", "not cooling", "unchanged", "undecided"]
"""Of the change from base to checkpoint, by the share of KL that one temperature explains:
`cooling` if the interval lies above 0.8, `not cooling` if below 0.2, `partly cooling` if between
the two, `undecided` if it crosses one; `unchanged` where the KL is below a thousandth of a nat."""


class Decomposition(Record, frozen=True, kw_only=True):
    """Where the divergence between base and checkpoint comes from, in nats per token.

    KL = cooling + re-ranking + rest; no part is negative. The same with their intervals are
    among the estimates under the same names.

    Attributes:
        temperature: Of the base, at which it comes closest to the checkpoint; None where that
            lies outside of the temperatures tried.
        cooling_nats: What that one temperature takes away.
        reranking_nats: What no distribution in the base's order can take away, at least.
        rest_nats: What is left: another shape in the base's order.
        own_temperatures_nats: What a best temperature for every position would take away.
        curve_temperatures, curve_nats: KL to the base at each temperature tried.
    """

    checkpoint: str
    text: str
    temperature: float | None
    kl_nats: float
    cooling_nats: float
    reranking_nats: float
    rest_nats: float
    own_temperatures_nats: float
    curve_temperatures: tuple[float, ...]
    curve_nats: tuple[float, ...]
    finding: Finding


class TopTokenFlow(Record, frozen=True, kw_only=True):
    """Positions at which the most likely token went from one to another.

    Attributes:
        from_token, to_token: As text; the base's and the checkpoint's.
        share: Of all positions of this text; of flips it is `count` over their sum.
    """

    checkpoint: str
    text: str
    from_token: str
    to_token: str
    count: int
    share: float


LogitQuantity = Literal["logits", "centred logits", "per-token skewness"]
"""`centred logits` are less the mean of their position."""


class NamedHistogram(Record, frozen=True, kw_only=True):
    """Counts of one quantity, over all positions and seeds."""

    checkpoint: str
    text: str
    quantity: LogitQuantity
    histogram: Histogram


Quirk = Literal["own-text", "cut-to-shortest", "top-k", "zeros-dropped", "temperature", "pooled"]
"""What the published figure does that ours does not, in the order in which they are undone."""


class QuirkValue(Record, frozen=True, kw_only=True):
    """One checkpoint under some of the quirks.

    Attributes:
        interval: Of the skewness, over problems.
        change, change_interval: Of the skewness against the base's under the same quirks, paired by
            problem; None for the base.
    """

    checkpoint: str
    mean: float | None
    sigma: float | None
    skewness: float | None
    interval: Interval | None
    tokens: int
    change: float | None = None
    change_interval: Interval | None = None


class QuirkStep(Record, frozen=True, kw_only=True):
    """The published figure with some of its quirks undone.

    Attributes:
        name: Such as `as published`, `without top-k` or `also without top-k`.
        cumulative: Whether the quirks of all steps before are undone as well.
    """

    name: str
    undone: tuple[Quirk, ...]
    cumulative: bool
    values: tuple[QuirkValue, ...]

    def value_of(self, checkpoint: str) -> QuirkValue | None:
        """Of one checkpoint; None where it was not measured."""
        return next((value for value in self.values if value.checkpoint == checkpoint), None)


class PublishedFigure(Record, frozen=True, kw_only=True):
    """The released script's measurement, and what becomes of it without its quirks.

    Attributes:
        positions: Where every text was cut: the length of the shortest.
        undone: Quirks the user asked to be undone in `shown`.
        shown: The figure asked for: as published unless quirks were named.
        alone: Each quirk undone by itself.
        ladder: One quirk undone after the other, from as published to raw, shared, per token.
    """

    temperature: float
    top_k: int
    positions: int
    texts: tuple[TextInfo, ...]
    undone: tuple[Quirk, ...]
    shown: QuirkStep
    alone: tuple[QuirkStep, ...]
    ladder: tuple[QuirkStep, ...]

    @property
    def steps(self) -> tuple[QuirkStep, ...]:
        """The ladder; the figure asked for where there is none."""
        return self.ladder or (self.shown,)


class LogitSkewResult(Result, frozen=True, kw_only=True, tag="logits"):
    """Everything one study of logits found.

    Attributes:
        vocab_size: Logits counted at each position; None in records of before, which have no
            `top10_prob`, `top50_prob`, `tail_prob`, `varentropy_nats2`, `kl_by_rank_nats` or share
            of the third moment (`skewness_top1_share`, `skewness_top10_share`) either.
        figures: Files of the plots, without ending; each as `.svg` and `.png`.
    """

    folder: ClassVar[str] = "logit-studies"
    benchmark: str
    problems: int
    problems_total: int
    samples: int
    continuation: Continuation
    base: str
    arms: tuple[Arm, ...]
    texts: tuple[TextInfo, ...]
    estimates: tuple[LogitEstimate, ...]
    decompositions: tuple[Decomposition, ...]
    flows: tuple[TopTokenFlow, ...]
    histograms: tuple[NamedHistogram, ...]
    published: PublishedFigure | None
    notes: tuple[Remark, ...]
    store: str
    figures: tuple[str, ...] = ()
    vocab_size: int | None = None
