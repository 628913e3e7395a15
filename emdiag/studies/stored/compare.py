"""Two checkpoints on the same problems, benchmark by benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from emdiag.core.errors import MeasurementError, PlanError
from emdiag.core.results import CompareResult, Comparison, DetectableGain, Remark, remark
from emdiag.stats.comparisons import conclude, exact_mcnemar, holm, sign_flip
from emdiag.stats.detectable import gain_by_flips, gain_by_spread
from emdiag.stats.intervals import LEVEL, bootstrap_of_means, of_differences
from emdiag.store.run_store import RunStore
from emdiag.studies.stored.find_runs import Measured, find_pairs, settings_of
from emdiag.studies.stored.outcomes import Outcomes

MARGIN = 0.02
"""Two points: the zone counted as no difference, unless the user says otherwise."""

_SIGN_FLIPS = "sign flips over problems"


def compare(  # noqa: PLR0913 - a doorway: each has a default and a name
    left: str,
    right: str,
    *,
    store: str | Path = "emdiag-out",
    benchmarks: Sequence[str] = (),
    margin: float = MARGIN,
    temperature: float | None = None,
    samples: int | None = None,
    template: str | None = None,
    max_tokens: int | None = None,
) -> CompareResult:
    """Paired differences, right minus left; the Python twin of `emdiag compare`.

    Args:
        left: A label of an evaluation, a run's key (its first digits are enough), or its folder.
        right: Likewise.
        store: Folder of runs.
        benchmarks: Only these; all that both sides share by default.
        margin: Half-width of the zone counted as no difference, in shares of 1.
        temperature: Of what is compared, where labels were measured in several ways.
        samples: Of each problem, likewise.
        template: Of the prompts, likewise.
        max_tokens: Limit of new tokens, likewise.

    Raises:
        PlanError: A name fits no run, or several.
        MeasurementError: The two share no problem, or no benchmark.
    """
    measured = Measured(
        temperature=temperature, samples=samples, template=template, max_tokens=max_tokens
    )
    runs = RunStore(Path(store))
    return compare_stored(
        left, right, store=runs, benchmarks=benchmarks, margin=margin, measured=measured
    )


def compare_stored(
    left: str,
    right: str,
    *,
    store: RunStore,
    benchmarks: Sequence[str] = (),
    margin: float = MARGIN,
    measured: Measured,
) -> CompareResult:
    """The same on an open store, whose runs are not decoded again for the page.

    Raises:
        PlanError, MeasurementError: As `compare`.
    """
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 <= margin < 1:
        raise PlanError(
            f"`margin` must be a share of at least 0 and below 1, got {margin!r}",
            hint="--margin counts in points: from 0 to below 100",
        )
    pairs = find_pairs(left, right, store=store, benchmarks=benchmarks, measured=measured)
    result = compare_outcomes(pairs, margin=margin)
    return msgspec.structs.replace(result, notes=store.notes())


def compare_outcomes(
    pairs: Sequence[tuple[Outcomes, Outcomes]], *, margin: float = MARGIN
) -> CompareResult:
    """Paired differences, right minus left, of a pair for each benchmark, and their mean.

    All tests, that of the mean among them, are one family (Holm).

    Raises:
        MeasurementError: A pair shares no problem.
    """
    tested = len(pairs) + 1 if len(pairs) > 1 else 1  # each benchmark, and their mean
    comparisons = [
        _compare_pair(first, second, margin=margin, tests=tested) for first, second in pairs
    ]
    macro = [_macro(comparisons, pairs)] if len(comparisons) > 1 else []
    family = [comparison.p_value for comparison in (*comparisons, *macro)]
    corrected = iter(holm([p_value for p_value in family if p_value is not None]))
    tests = [None if p_value is None else next(corrected) for p_value in family]
    final = tuple(
        msgspec.structs.replace(
            comparison,
            p_holm=p_holm,
            conclusion=conclude(comparison.interval, p_value=p_holm, margin=margin),
        )
        for comparison, p_holm in zip((*comparisons, *macro), tests, strict=True)
    )
    of_all = final[-1] if macro else None
    return CompareResult(comparisons=final[: len(comparisons)], macro=of_all)


def _compare_pair(left: Outcomes, right: Outcomes, *, margin: float, tests: int) -> Comparison:
    shared, before, after = _shared_rates(left, right)
    up = tuple(p for p, b, a in zip(shared, before, after, strict=True) if b <= 0.5 < a)
    down = tuple(p for p, b, a in zip(shared, before, after, strict=True) if a <= 0.5 < b)
    single = left.samples == right.samples == 1
    if single:
        test = "exact McNemar"
        p_value = exact_mcnemar(wrong_to_right=len(up), right_to_wrong=len(down))
    else:
        test, p_value = _SIGN_FLIPS, sign_flip(after - before)
    return Comparison(
        left=left.label,
        right=right.label,
        benchmark=left.run.spec.benchmark,
        metric=f"avg@{left.samples}" if left.samples == right.samples else "mean of samples",
        left_value=float(before.mean()),
        right_value=float(after.mean()),
        difference=float((after - before).mean()),
        interval=of_differences(after - before),
        test=test,
        p_value=p_value,
        p_holm=None,
        problems=len(shared),
        left_samples=left.samples,
        right_samples=right.samples,
        wrong_to_right=up,
        right_to_wrong=down,
        margin=margin,
        conclusion="undecided",
        notes=_notes(left, right, shared=len(shared)),
        detectable=_detectable(before, after, is_single=single, tests=tests),
        temperatures=(left.run.spec.sampling.temperature, right.run.spec.sampling.temperature),
        run_keys=(left.run.key, right.run.key),
    )


def _detectable(
    before: NDArray[np.float64], after: NDArray[np.float64], *, is_single: bool, tests: int
) -> DetectableGain:
    """The gain over `before` that would be found whatever the other tests say."""
    score, alpha = float(before.mean()), (1 - LEVEL) / tests
    if is_single:
        changing = float((before != after).mean())
        return gain_by_flips(len(before), changing, score=score, alpha=alpha)
    return gain_by_spread(after - before, score=score, alpha=alpha)


def _macro(
    comparisons: Sequence[Comparison], pairs: Sequence[tuple[Outcomes, Outcomes]]
) -> Comparison:
    """Mean over benchmarks, each counted once."""
    clusters = []
    for left, right in pairs:
        _, before, after = _shared_rates(left, right)
        clusters.append(after - before)
    count = len(comparisons)
    return msgspec.structs.replace(
        comparisons[0],
        benchmark=f"mean of {count} benchmarks",
        metric="macro-average",
        left_value=sum(c.left_value for c in comparisons) / count,
        right_value=sum(c.right_value for c in comparisons) / count,
        difference=sum(c.difference for c in comparisons) / count,
        interval=bootstrap_of_means(clusters),
        test=_SIGN_FLIPS,
        p_value=sign_flip(np.concatenate([cluster / cluster.size for cluster in clusters])),
        p_holm=None,
        problems=sum(c.problems for c in comparisons),
        wrong_to_right=(),
        right_to_wrong=(),
        notes=(),
        detectable=None,
    )


def _shared_rates(
    left: Outcomes, right: Outcomes
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Problems both sides have, and the share of right samples of each on either side."""
    measured = set(right.problems)
    shared = [problem for problem in left.problems if problem in measured]
    if not shared:
        raise MeasurementError(
            f"{left.label} and {right.label} share no graded problem",
            left=left.run.path,
            right=right.run.path,
            hint="evaluate both on the same benchmark with the same --limit",
        )
    return shared, left.rates_on(shared), right.rates_on(shared)


def _notes(left: Outcomes, right: Outcomes, *, shared: int) -> tuple[Remark, ...]:
    """Settings on which the two sides differ, and problems only one of them has."""
    of_left, of_right = settings_of(left.run.spec), settings_of(right.run.spec)
    notes = [
        remark("setting-differs", name=name, left=value, right=of_right[name])
        for name, value in of_left.items()
        if value != of_right[name]
    ]
    if left.samples != right.samples:
        notes.append(remark("samples-differ", left=left.samples, right=right.samples))
    lonely = len(left.problems) + len(right.problems) - 2 * shared
    if lonely:
        notes.append(remark("on-one-side-only", problems=lonely))
    if left.run.key == right.run.key:
        notes.append(remark("same-run"))
    elif left.run.spec.checkpoint_digest == right.run.spec.checkpoint_digest:
        notes.append(remark("same-weights", labels=(left.label, right.label)))
    notes += [note for side in (left, right) for note in side.notes]
    return tuple(notes)
