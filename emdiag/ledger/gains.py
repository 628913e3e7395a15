"""Claims that one arm scores higher than another: by benchmark, on the mean, or in many tries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path

from emdiag.core.checkpoints import Arm
from emdiag.core.claims import Claim, ClaimResult, ClaimVerdict
from emdiag.core.errors import StoreError
from emdiag.core.paths import expanded
from emdiag.core.results import Remark, remark
from emdiag.ledger.claims_file import (
    Verdicts,
    concluded,
    decide,
    figure_of,
    missing,
    more_needed,
    seeds_short,
)
from emdiag.ledger.evidence import Evidence, Setting
from emdiag.ledger.rates import Pair, mean_difference, of_checkpoint, pair_under, pairs, seeds_above
from emdiag.ledger.step_norms import compare_steps
from emdiag.stats.comparisons import exact_mcnemar, holm, sign_flip
from emdiag.stats.samples import pass_at_k
from emdiag.store.training_folder import is_training_folder, read_folder

Judge = Callable[[Claim, Arm, Arm, Sequence[Pair]], ClaimResult]

ALPHA = 0.05
ALIKE = ("updates", "learning_rate", "samples", "temperature")
"""Settings that make a trained arm and its control comparable."""
_MORE = "problems and seeds"


def for_each_pair(
    claim: Claim, evidence: Evidence, *, judge: Judge, must_be_alike: bool = False
) -> Verdicts:
    """One result for each right arm beside each left one; one that says what is missing if none.

    `must_be_alike` leaves arms that were trained alike but for what they train towards.
    """
    rights = evidence.of(claim.right)
    if not rights or not evidence.of(claim.left):
        absent = claim.right if not rights else claim.left
        return Verdicts([missing(claim, remark("no-checkpoint", roles=(absent,)))])
    results, fairness = [], []
    for left, right in evidence.sides(claim):
        if must_be_alike and not _is_alike(evidence, left, right):
            continue
        measured = pairs(evidence, left, right, decision=claim.decision, benchmark=claim.benchmark)
        fairness += [pair.fairness for pair in measured]
        labels = (left.label, right.label)
        results.append(
            judge(claim, left, right, measured)
            if measured
            else missing(claim, remark("no-equal-runs"), arms=labels)
        )
    return Verdicts(results or [missing(claim, remark("none-trained-alike"))], fairness)


def _short_of(claim: Claim, pair: Pair) -> list[Remark]:
    """What a pair lacks of the fewest seeds and problems that the rule asks for."""
    wanted = claim.decision
    lacks = seeds_short(claim, [(claim.left, len(pair.left)), (claim.right, len(pair.right))])
    if len(pair.problems) < wanted.problems:
        lacks.append(remark("problems-short", needed=wanted.problems, measured=len(pair.problems)))
    return lacks


def by_benchmark(claim: Claim, left: Arm, right: Arm, measured: Sequence[Pair]) -> ClaimResult:
    """The registered checkpoint benchmark by benchmark, and the mean over seeds."""
    benchmarks = tuple(pair.benchmark for pair in measured)
    difference = mean_difference(measured)
    name = remark("mean-over-seeds", right=right.label, left=left.label, benchmarks=benchmarks)
    mean = figure_of(name, difference)
    digest, is_registered = _registered_digest(right)
    ones = [of_checkpoint(pair, digest) for pair in measured]
    figures = [
        figure_of(
            remark(
                "one-checkpoint", right=right.label, left=left.label, is_registered=is_registered,
                benchmark=pair.benchmark, temperature=pair.temperature,
            ),
            pair.difference,
        )
        for pair in ones
    ]  # fmt: skip
    corrected = holm([_p_value(pair) for pair in ones])
    verdicts = [
        "undecided" if p >= ALPHA else decide(figure.interval, claim.decision)
        for figure, p in zip(figures, corrected, strict=True)
    ]
    of_seeds = [decide(pair.difference.interval, claim.decision) for pair in measured]
    rule = claim.decision
    needed = ceil(rule.benchmarks_share * len(measured))
    total = max(len(measured), rule.benchmarks)
    may_fail = total - ceil(rule.benchmarks_share * total)
    lacks = _short_of_all(claim, measured)
    if any(digest not in pair.right_digests for pair in measured):
        lacks = [remark("not-run", is_registered=is_registered, label=right.label)]
    why = [
        remark("mean-gain", seeds=len(measured[0].right), gain=difference),
        seeds_above(measured, left.label),
        remark(
            "benchmarks-held", is_registered=is_registered, held=verdicts.count("holds"),
            measured=len(measured), needed=needed,
        ),
    ]  # fmt: skip
    if len(measured) < claim.decision.benchmarks:
        why.append(remark("few-benchmarks", benchmarks=benchmarks))
    return concluded(
        claim,
        verdict_of_benchmarks(
            verdicts,
            of_seeds,
            needed=needed,
            may_fail=may_fail,
            of_mean=decide(mean.interval, rule),
        ),
        why=why,
        arms=(left.label, right.label),
        benchmarks=benchmarks,
        figures=[mean, *figures],
        lacks=lacks,
        would_decide=more_needed(mean, claim.decision, of=_MORE),
        deciding=2,  # the mean; and the benchmarks, corrected for their number
    )


def verdict_of_benchmarks(
    verdicts: Sequence[ClaimVerdict | str],
    of_seeds: Sequence[ClaimVerdict],
    *,
    needed: int,
    may_fail: int,
    of_mean: ClaimVerdict,
) -> ClaimVerdict:
    """Enough benchmarks hold and the mean does; fails if the mean does, or too many benchmarks.

    A benchmark fails where the registered checkpoint and the mean over seeds both do: one seed
    that came out badly says nothing of one prompt and ten steps. Too many are so many that those
    that were not measured could not make up for them.
    """
    failed = sum({alone, mean} == {"fails"} for alone, mean in zip(verdicts, of_seeds, strict=True))
    if of_mean == "fails" or failed > may_fail:
        return "fails"
    return "holds" if of_mean == "holds" and verdicts.count("holds") >= needed else "undecided"


def on_the_mean(claim: Claim, left: Arm, right: Arm, measured: Sequence[Pair]) -> ClaimResult:
    """The mean over benchmarks, seeds and problems; at equal step norms, where the rule asks."""
    steps, unlike = compare_steps(claim, left, right)
    benchmarks = tuple(pair.benchmark for pair in measured)
    difference = mean_difference(measured)
    name = remark("difference", right=right.label, left=left.label, benchmarks=benchmarks)
    mean = figure_of(name, difference)
    figures = [
        figure_of(
            remark(
                "difference-on", right=right.label, left=left.label, benchmark=pair.benchmark,
                temperature=pair.temperature,
            ),
            pair.difference,
        )
        for pair in measured
        if len(measured) > 1
    ]  # fmt: skip
    why = remark(
        "gain", gain=difference, benchmarks=benchmarks, left=left.label, right=right.label,
        left_seeds=len(measured[0].left), left_checkpoints=len(left.digests),
        right_seeds=len(measured[0].right), right_checkpoints=len(right.digests),
    )  # fmt: skip
    return concluded(
        claim,
        decide(mean.interval, claim.decision),
        why=[why, seeds_above(measured, left.label)],
        arms=(left.label, right.label),
        benchmarks=benchmarks,
        figures=[mean, *figures, *steps],
        lacks=[*_short_of_all(claim, measured), *unlike],
        would_decide=more_needed(mean, claim.decision, of=_MORE),
    )


def coverage(claim: Claim, evidence: Evidence) -> Verdicts:
    """Unbiased pass@k of an arm minus the base's at the k of the rule, or the largest k there is.

    Of several temperatures and benchmarks, the one with most seeds, then most samples.
    """

    def judge(claim: Claim, left: Arm, right: Arm, measured: Sequence[Pair]) -> ClaimResult:
        best = max(measured, key=lambda pair: (pair.samples, len(pair.problems)))
        return _coverage(claim, left, right, best, evidence)

    return for_each_pair(claim, evidence, judge=judge)


def _short_of_all(claim: Claim, measured: Sequence[Pair]) -> list[Remark]:
    """What the first benchmark lacks that lacks anything."""
    return next((lacks for pair in measured if (lacks := _short_of(claim, pair))), [])


def _p_value(pair: Pair) -> float:
    """As `emdiag compare` tests: McNemar for one sample of one checkpoint, else sign flips."""
    gaps = pair.right.mean(axis=0) - pair.left.mean(axis=0)
    if pair.samples == 1 and len(pair.left) == len(pair.right) == 1:
        return exact_mcnemar(
            wrong_to_right=int((gaps > 0).sum()), right_to_wrong=int((gaps < 0).sum())
        )
    return sign_flip(gaps)


def _is_alike(evidence: Evidence, left: Arm, right: Arm) -> bool:
    """Whether two arms were trained on the same prompts, as far, with `ALIKE` equal.

    Checkpoints that are gone, so that nothing can be read of them, are not.
    """
    of_left, of_right = evidence.manifest(left), evidence.manifest(right)
    if of_left is None or of_right is None:
        return False
    return (of_left.problem_ids, of_left.update) == (of_right.problem_ids, of_right.update) and all(
        of_left.settings.get(name) == of_right.settings.get(name) for name in ALIKE
    )


def _registered_digest(arm: Arm) -> tuple[str, bool]:
    """Digest of the checkpoint that `training.json` chose, and whether there is one.

    The first checkpoint named stands for it where no training folder is there, where it is a grid,
    or where the one chosen is not of the arm.
    """
    for place, digest in zip(arm.checkpoints, arm.digests, strict=True):
        if _is_chosen(expanded(place)):
            return digest, True
    return arm.digests[0], False


def _is_chosen(place: Path) -> bool:
    """Whether this is a training folder, which stands for its choice, or what its folder chose."""
    try:
        if is_training_folder(place):
            return read_folder(place).chosen is not None
        folder = next((parent for parent in place.parents if is_training_folder(parent)), None)
        chosen = read_folder(folder).chosen if folder is not None else None
    except (OSError, StoreError):
        return False
    return folder is not None and chosen is not None and place == folder / chosen


def _coverage(claim: Claim, left: Arm, right: Arm, pair: Pair, evidence: Evidence) -> ClaimResult:
    wanted = claim.decision.samples
    ks = [k for k in (2**power for power in range(20)) if k < min(wanted, pair.samples)]
    ks.append(min(wanted, pair.samples))
    by_k = {k: _pass_at(k, (left, right), pair.setting, evidence) for k in ks}
    figures = [
        figure_of(
            remark(
                "pass-at-k-difference", k=k, right=right.label, left=left.label,
                benchmark=pair.benchmark, temperature=pair.temperature,
            ),
            by_k[k].difference,
        )
        for k in sorted({ks[-1], 1}, reverse=True)
    ]  # fmt: skip
    lacks = _short_of(claim, pair)
    if pair.samples < wanted:
        lacks = [remark("samples-short", needed=wanted, drawn=pair.samples)]
    why = [
        remark(
            "pass-at-k", k=ks[-1], gain=by_k[ks[-1]].difference, left=left.label,
            right=right.label, left_seeds=len(pair.left), right_seeds=len(pair.right),
        )
    ]  # fmt: skip
    crossing = _crossing(by_k)
    if crossing is not None:
        why.append(remark("base-passes", label=right.label, low=crossing[0], high=crossing[1]))
    return concluded(
        claim,
        decide(figures[0].interval, claim.decision),
        why=why,
        arms=(left.label, right.label),
        benchmarks=(pair.benchmark,),
        figures=figures,
        lacks=lacks,
        would_decide=more_needed(figures[0], claim.decision, of="problems"),
    )


def _pass_at(k: int, arms: tuple[Arm, Arm], setting: Setting, evidence: Evidence) -> Pair:
    pair = pair_under(
        evidence, arms, setting, value=lambda right: pass_at_k(len(right), sum(right), k)
    )
    assert pair is not None, "a setting of a pair was given"
    return pair


def _crossing(by_k: dict[int, Pair]) -> tuple[int, int] | None:
    """The last k at which the arm leads and the next one, at which it does not, by both intervals.

    None where it never leads, always does, or noise could make the two.
    """
    ks = sorted(by_k)
    ends = [(by_k[k].difference.interval, k) for k in ks]
    leads = [k for interval, k in ends if interval is not None and interval.low > 0]
    trails = [k for interval, k in ends if interval is not None and interval.high < 0]
    if not leads or not trails or max(leads) > min(trails):
        return None
    last = max(k for k in ks if (by_k[k].difference.value or 0) > 0 and k < min(trails))
    return last, min(k for k in ks if k > last)
