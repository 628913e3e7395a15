"""Made-up results of a study of logits, as plain as the laboratory's and as odd as may come."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from math import exp, log, pi, sqrt
from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.checkpoints import Arm
from emdiag.core.logit_skew import (
    Decomposition,
    LogitDifference,
    LogitEstimate,
    LogitSkewResult,
    NamedHistogram,
    PublishedFigure,
    QuirkStep,
    QuirkValue,
    TextInfo,
    TopTokenFlow,
)
from emdiag.core.moments import (
    COOLING_TEMPERATURES,
    HISTOGRAM_BINS,
    HISTOGRAM_LOW,
    HISTOGRAM_WIDTH,
    RANK_BUCKETS,
    Histogram,
)
from emdiag.core.results import Interval
from emdiag.plots.figures import skew_figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

QUIRKS = ("own-text", "cut-to-shortest", "top-k", "zeros-dropped", "temperature", "pooled")
FLOWS = (
    ("3", "4", 40),
    ("+", "\n", 31),
    (" ", "C", 22),
    ("7", "4", 9),
    ("3", "9", 5),
    ("a", "b", 1),
)


def around(value: float, half: float = 0.05) -> Interval:
    return Interval(
        low=value - half, high=value + half, level=0.95, method="bootstrap over problems"
    )


def counts(mean: float, sigma: float, *, total: int = 100_000, skewed: float = 0.0) -> Histogram:
    """Of a normal, or of one whose right half is wider."""
    made = []
    for index in range(HISTOGRAM_BINS):
        x = HISTOGRAM_LOW + (index + 0.5) * HISTOGRAM_WIDTH - mean
        width = sigma * (1 + skewed if x > 0 else 1 - skewed)
        made.append(
            int(total * HISTOGRAM_WIDTH * exp(-0.5 * (x / width) ** 2) / sigma / sqrt(2 * pi))
        )
    return Histogram(low=HISTOGRAM_LOW, width=HISTOGRAM_WIDTH, counts=tuple(made))


@dataclass(kw_only=True)
class MadeUp:
    """A result in the making; arms as (label, stage), their shifts as they come."""

    arms: list[tuple[str, Any]]
    texts: list[str] = field(default_factory=lambda: ["base"])
    problems: int = 20
    intervals: bool = True
    estimates: list[LogitEstimate] = field(default_factory=list)

    @property
    def base(self) -> str:
        return self.arms[0][0]

    def add(self, label: str, text: str, value: float | None, **what: Any) -> None:
        """An estimate; `against` is the base's value that it is compared to."""
        against = what.pop("against", None)
        half = what.pop("half", 0.05)
        bounded = self.intervals and value is not None
        gap = None
        if against is not None and value is not None and label != self.base:
            moved = value - against
            undecided = abs(moved) <= half or not bounded
            gap = LogitDifference(
                base=self.base,
                value=moved,
                interval=around(moved, half) if bounded else None,
                p_value=0.2 if undecided else 0.0001,
                p_holm=0.9 if undecided else 0.002,
                direction="undecided" if undecided else "higher" if moved > 0 else "lower",
            )
        self.estimates.append(
            LogitEstimate(
                **{"kind": "per_token", "source": "raw", "part": None} | what,
                checkpoint=label,
                text=text,
                value=value,
                interval=around(value, half) if bounded and value is not None else None,
                tokens=12_345,
                problems=self.problems,
                seeds=1 if label == self.base else 5,
                difference=gap,
                note=None if value is not None else "all logits are equal",
            )
        )

    def fill(self, shift: Callable[[int], float]) -> None:
        """All statistics of all arms; `shift(index)` is how far an arm is from the base."""
        for text in self.texts:
            for index, (label, _) in enumerate(self.arms):
                self._alone(label, text, shift(index))
                if index and text != "own":
                    self._beside(label, text, shift(index))

    def _alone(self, label: str, text: str, far: float) -> None:
        compared = text != "own"
        for kind, start, moved in (("per_token", 2.24, -0.31), ("pooled", -0.04, 0.09)):
            against = start if compared else None
            value = start + moved * far
            self.add(label, text, value, statistic="skewness", kind=kind, against=against)
            for name, amount in (("mean", -3.1), ("sigma", 2.4), ("excess_kurtosis", 4.0)):
                value = amount + 0.2 * far
                self.add(label, text, value, statistic=name, kind=kind, against=amount)
        against = 0.5 if compared else None
        self.add(label, text, 0.5 - 0.2 * far, statistic="entropy_nats", against=against)
        for tenth in range(1, 11):
            part, start = f"decile {tenth}", 2.2 + 0.05 * tenth
            value, against = start - 0.04 * far * tenth, start if compared else None
            self.add(label, text, value, statistic="skewness", part=part, against=against)
            start = 0.9 / tenth
            value, against = start * (1 - 0.4 * far), start if compared else None
            self.add(label, text, value, statistic="entropy_nats", part=part, against=against)

    def _beside(self, label: str, text: str, far: float) -> None:
        kl = 0.12 * abs(far) + 0.0001
        for name, value in (
            ("kl_nats", kl),
            ("cooling_temperature", 1 - 0.35 * far),
            ("cooling_share", 0.7),
            ("top1_flips_frac", 0.11),
        ):
            self.add(label, text, value, statistic=name, half=value / 8)
        for index, (low, high) in enumerate(RANK_BUCKETS):
            part = f"rank {low}" if low == high else f"rank {low}-{high or ''}"
            value = far * (0.25 - 0.12 * index)
            shifted = {"statistic": "log_prob_shift_nats", "source": "log_prob", "part": part}
            self.add(label, text, value, against=0.0, **shifted)
            value += 0.3 * far
            self.add(label, text, value, against=0.0, statistic="centred_shift", part=part)

    def decompositions(self, shift: Callable[[int], float]) -> tuple[Decomposition, ...]:
        made = []
        for text in self.texts:
            for index, (label, _) in enumerate(self.arms[1:], start=1):
                if text == "own":
                    continue
                kl = 0.12 * abs(shift(index)) + 0.0001
                best = max(1 - 0.35 * shift(index), 0.2)
                rest = 0.3 * kl
                steep = (kl - rest) / log(best) ** 2 if best != 1 else 0.1
                made.append(
                    Decomposition(
                        checkpoint=label,
                        text=text,
                        temperature=best,
                        kl_nats=kl,
                        cooling_nats=0.7 * kl,
                        reranking_nats=0.1 * kl,
                        rest_nats=0.2 * kl,
                        own_temperatures_nats=0.85 * kl,
                        curve_temperatures=COOLING_TEMPERATURES,
                        curve_nats=tuple(
                            rest + steep * log(t / best) ** 2 for t in COOLING_TEMPERATURES
                        ),
                        finding="partly cooling",
                    )
                )
        return tuple(made)

    def histograms(self, shift: Callable[[int], float]) -> tuple[NamedHistogram, ...]:
        made = []
        for text in self.texts:
            for index, (label, _) in enumerate(self.arms):
                far = shift(index)
                for quantity, histogram in (
                    ("logits", counts(-3.1 + far, 2.4 + 0.2 * far, skewed=0.1)),
                    ("centred logits", counts(0, 2.2 + 0.3 * far, skewed=0.3)),
                    ("per-token skewness", counts(2.24 - 0.31 * far, 0.8, total=900, skewed=0.2)),
                ):
                    named: Any = quantity
                    made.append(
                        NamedHistogram(
                            checkpoint=label, text=text, quantity=named, histogram=histogram
                        )
                    )
        return tuple(made)

    def published(self) -> PublishedFigure:
        def step(name: str, undone: tuple[Any, ...], *, cumulative: bool, at: int) -> QuirkStep:
            values: list[Any] = []
            for index, (label, _) in enumerate(self.arms):
                skewness = (1.5 * (index % 2) + 0.02) * (1 - at / 6) + (2.2 - 0.3 * index) * at / 6
                interval = around(skewness, 0.12) if self.intervals else None
                change = skewness - values[0].skewness if values else None
                values.append(
                    QuirkValue(
                        checkpoint=label,
                        mean=-2.0,
                        sigma=2.0,
                        skewness=skewness,
                        interval=interval,
                        tokens=4_000,
                        change=change,
                        change_interval=None
                        if change is None or not self.intervals
                        else around(change, 0.12),
                    )
                )
            return QuirkStep(name=name, undone=undone, cumulative=cumulative, values=tuple(values))

        first = step("as published", (), cumulative=True, at=0)
        names = [("also " if index else "") + f"without {one}" for index, one in enumerate(QUIRKS)]
        rungs = [
            step(name, QUIRKS[: index + 1], cumulative=True, at=index + 1)
            for index, name in enumerate(names)
        ]
        alone = [
            step(f"without {one}", (one,), cumulative=False, at=index)
            for index, one in enumerate(QUIRKS)
        ]
        return PublishedFigure(
            temperature=0.6,
            top_k=50,
            positions=37,
            texts=self.infos(),
            undone=(),
            shown=first,
            alone=tuple(alone),
            ladder=(first, *rungs),
        )

    def infos(self) -> tuple[TextInfo, ...]:
        return tuple(
            TextInfo(
                name=text,
                writer=text,
                run="runs/1",
                problems=self.problems,
                texts=self.problems,
                tokens=12_345,
                temperature=1.0,
                truncated_frac=0.0,
            )
            for text in self.texts
        )

    def result(self, **other: Any) -> LogitSkewResult:
        """Everything written down."""
        arms = [
            Arm(label=label, stage=stage, checkpoints=("a",), digests=("0",))
            for label, stage in self.arms
        ]
        fields: dict[str, Any] = {
            "benchmark": "chain",
            "problems": self.problems,
            "problems_total": 200,
            "samples": 1,
            "continuation": "shared",
            "base": self.base,
            "arms": tuple(arms),
            "texts": self.infos(),
            "estimates": tuple(self.estimates),
            "decompositions": (),
            "flows": (),
            "histograms": (),
            "published": None,
            "notes": (),
            "store": "runs",
        } | other
        return LogitSkewResult(**fields)


def flows(label: str, pairs: Any = FLOWS, text: str = "base") -> tuple[TopTokenFlow, ...]:
    whole = sum(count for _, _, count in pairs)
    return tuple(
        TopTokenFlow(
            checkpoint=label,
            text=text,
            from_token=one,
            to_token=other,
            count=count,
            share=count / whole,
        )
        for one, other, count in pairs
    )


@pytest.fixture(scope="session")
def usual() -> LogitSkewResult:
    """Base, EM and RL, with everything a study can find."""
    made = MadeUp(arms=[("base", "base"), ("em", "em"), ("rl", "rl")])

    def shift(index: int) -> float:
        return (0.0, 1.0, 1.4)[index]

    made.fill(shift)
    return made.result(
        decompositions=made.decompositions(shift),
        histograms=made.histograms(shift),
        published=made.published(),
        flows=(*flows("em"), *flows("rl", [*FLOWS, ("4", "3", 60)])),
    )


HOSTILE = [
    ("a $x_1$ & <b>label</b> of a user who likes to write", None),
    ("_base", "base"),
    ("em", "em"),
    ("em, bad prompt", "em"),
    ("\u202eevil\n\x1b[31m\u200f", "em_rl"),
    ("\u4e2d\u6587 checkpoint", None),
]
TOKENS = [
    ("$\\frac{", "\u202e\u05e9\u05dc\u05d5\u05dd", 3),
    ("\x00\x1b", " " * 30, 2),
    ("\u4e2d\u6587\u5b57\u7b26", "e\u0301\u0302", 2),
    ("", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), 1),
    *((f"token number {index}", f"other token {index}", 1) for index in range(20)),
]


@pytest.fixture(scope="session")
def odd() -> LogitSkewResult:
    """Six arms of which some share a stage, hostile words, one problem, values that are missing."""
    made = MadeUp(
        arms=HOSTILE, texts=["reference", "own", HOSTILE[0][0]], problems=1, intervals=False
    )

    def shift(index: int) -> float:
        return 0.3 * index * (-1) ** index

    made.fill(shift)
    kept = []
    for index, row in enumerate(made.estimates):
        kept.append(row if index % 7 else _without_value(row))
    made.estimates = kept
    parts = made.decompositions(shift)
    return made.result(
        continuation="both",
        decompositions=parts,
        histograms=made.histograms(shift),
        published=made.published(),
        flows=tuple(
            flow for label, _ in HOSTILE[1:] for flow in flows(label, TOKENS, HOSTILE[0][0])
        ),
    )


def _without_value(row: LogitEstimate) -> LogitEstimate:
    fields = {name: getattr(row, name) for name in row.__struct_fields__}
    return LogitEstimate(**fields | {"value": None, "interval": None, "difference": None})


@pytest.fixture(scope="session")
def own_only() -> LogitSkewResult:
    """Every checkpoint on its own text: nothing is paired."""
    made = MadeUp(arms=[("base", "base"), ("em", "em")], texts=["own"])
    made.fill(float)
    return made.result(continuation="own", histograms=made.histograms(float))


@pytest.fixture(scope="session")
def many_texts() -> LogitSkewResult:
    """Five shared texts and each checkpoint's own."""
    arms: list[tuple[str, Any]] = [("base", "base"), ("em", "em"), ("rl", "rl")]
    made = MadeUp(arms=arms, texts=["em", "base", "rl", "reference", "fifth", "own"])
    made.fill(float)
    return made.result(decompositions=made.decompositions(float), histograms=made.histograms(float))


@pytest.fixture(scope="session")
def drawn(request: pytest.FixtureRequest) -> Callable[[str], dict[str, Figure]]:
    """Figures of a result by its name, drawn once for all tests."""
    return cache(lambda name: skew_figures(request.getfixturevalue(name)))
