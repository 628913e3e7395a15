"""Claims that one arm scores higher than another: by benchmark, or on the mean."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.core.errors import StoreError
from emdiag.findings.numbers import count, points
from emdiag.ledger.claims_file import (
    ROLE_WORDS,
    concluded,
    decide,
    missing,
    more_needed,
    points_figure,
)
from emdiag.ledger.fairness import Verdicts
from emdiag.ledger.rates import mean_difference, of_checkpoint, pairs
from emdiag.stats.comparisons import exact_mcnemar, holm, sign_flip
from emdiag.store.training_folder import is_training_folder, read_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emdiag.core.checkpoints import Arm
    from emdiag.core.claims import Claim, ClaimFigure, ClaimResult, ClaimVerdict
    from emdiag.ledger.evidence import Evidence
    from emdiag.ledger.rates import Pair

    Judge = Callable[[Claim, Arm, Arm, Sequence[Pair]], ClaimResult]

ALPHA = 0.05
ALIKE = ("updates", "learning_rate", "samples", "temperature")
"""Settings that make a trained arm and its control comparable."""
_MORE = "problems, and seeds where they are few"


def gain_by_benchmark(claim: Claim, evidence: Evidence) -> Verdicts:
    """The registered checkpoint benchmark by benchmark, and the mean over seeds."""
    return for_each_pair(claim, evidence, judge=_by_benchmark)


def gain(claim: Claim, evidence: Evidence) -> Verdicts:
    """The mean over benchmarks, seeds and problems."""
    return for_each_pair(claim, evidence, judge=_on_the_mean)


def gain_at_equal_updates(claim: Claim, evidence: Evidence) -> Verdicts:
    """As `gain`, between arms that were trained alike but for what they train towards."""
    return for_each_pair(claim, evidence, judge=_on_the_mean, must_be_alike=True)


def for_each_pair(
    claim: Claim, evidence: Evidence, *, judge: Judge, must_be_alike: bool = False
) -> Verdicts:
    """One result for each right arm beside each left one; one that says what is missing if none."""
    rights = evidence.of(claim.right)
    if not rights or not evidence.of(claim.left):
        absent = claim.right if not rights else claim.left
        what = f"no checkpoint of {ROLE_WORDS[absent]} was named in a result"
        return Verdicts([missing(claim, what)])
    results, fairness = [], []
    for right in rights:
        for left in evidence.opposite(claim.left, right):
            labels = (left.label, right.label)
            if must_be_alike and not _is_alike(evidence, left, right):
                continue
            measured = pairs(
                evidence, left, right, decision=claim.decision, benchmark=claim.benchmark
            )
            fairness += [pair.fairness for pair in measured]
            if measured:
                results.append(judge(claim, left, right, measured))
            else:
                what = (
                    "no run of both sides at this temperature, under equal settings and golds, on "
                    "problems that neither was trained on"
                )
                results.append(missing(claim, what, arms=labels))
    what = "no two arms were trained for as many updates, at one rate, on the same prompts"
    return Verdicts(results or [missing(claim, what)], fairness)


def short_of(claim: Claim, pair: Pair) -> str | None:
    """What a pair lacks of the fewest seeds and problems that the rule asks for."""
    wanted = claim.decision
    lacks = []
    for role, rates in ((claim.left, pair.left), (claim.right, pair.right)):
        if role != "base" and len(rates) < wanted.seeds:
            lacks.append(
                f"{wanted.seeds} training seeds of {ROLE_WORDS[role]} ({len(rates)} measured)"
            )
    if len(pair.problems) < wanted.problems:
        lacks.append(f"{wanted.problems} problems ({len(pair.problems)} measured)")
    return " and ".join(lacks) or None


def measured_on(pair: Pair) -> str:
    """On what a difference was found, in words."""
    sampling = pair.setting.sampling
    how = "greedy" if sampling.temperature == 0 else f"T {sampling.temperature:g}"
    return f"{pair.setting.benchmark}, {how}"


def difference_figure(pair: Pair, name: str) -> ClaimFigure:
    """Right minus left of one pair."""
    return points_figure(name, pair.difference, pair.interval)


def _by_benchmark(claim: Claim, left: Arm, right: Arm, measured: Sequence[Pair]) -> ClaimResult:
    value, interval = mean_difference(measured)
    name = f"{right.label} minus {left.label}"
    mean = points_figure(f"{name}, mean over seeds on {_benchmarks(measured)}", value, interval)
    digest, is_registered = _registered_digest(right)
    which = "registered checkpoint" if is_registered else "first named checkpoint"
    ones = [of_checkpoint(pair, digest) for pair in measured]
    figures = [difference_figure(pair, f"{name}, {which} on {measured_on(pair)}") for pair in ones]
    corrected = holm([_p_value(pair) for pair in ones])
    verdicts = [
        "undecided" if p >= ALPHA else decide(figure.interval, claim.decision)
        for figure, p in zip(figures, corrected, strict=True)
    ]
    needed = ceil(claim.decision.benchmarks_share * len(measured))
    verdict = _of_benchmarks(verdicts, needed, of_mean=decide(mean.interval, claim.decision))
    lacks = next((text for pair in measured if (text := short_of(claim, pair))), None)
    if any(digest not in pair.right_digests for pair in measured):
        lacks = f"the {which} of {right.label}, which was not run"
    held = verdicts.count("holds")
    why = f"the {which} holds on {held} of {len(measured)} benchmarks, {needed} needed"
    if len(measured) < claim.decision.benchmarks:
        why += f"; measured on {_benchmarks(measured)} only, and said of no other benchmark"
    return concluded(
        claim,
        verdict,
        why=f"mean over {count(len(measured[0].right), 'seed')} {points(value, interval)}; {why}",
        arms=(left.label, right.label),
        benchmarks=[pair.setting.benchmark for pair in measured],
        figures=[mean, *figures],
        lacks=lacks,
        would_decide=more_needed(mean, claim.decision, of=_MORE),
    )


def _of_benchmarks(
    verdicts: Sequence[ClaimVerdict | str], needed: int, *, of_mean: ClaimVerdict
) -> ClaimVerdict:
    """Enough benchmarks hold and the mean does; fails if the mean does, or too many fail."""
    if of_mean == "fails" or verdicts.count("fails") > len(verdicts) - needed:
        return "fails"
    return "holds" if of_mean == "holds" and verdicts.count("holds") >= needed else "undecided"


def _on_the_mean(claim: Claim, left: Arm, right: Arm, measured: Sequence[Pair]) -> ClaimResult:
    value, interval = mean_difference(measured)
    name = f"{right.label} minus {left.label}"
    mean = points_figure(f"{name} on {_benchmarks(measured)}", value, interval)
    lacks = next((text for pair in measured if (text := short_of(claim, pair))), None)
    figures = [mean]
    if len(measured) > 1:
        figures += [difference_figure(pair, f"{name} on {measured_on(pair)}") for pair in measured]
    seeds = ", ".join(
        f"{len(rates)} of {len(arm.digests)} of {arm.label}"
        for arm, rates in ((left, measured[0].left), (right, measured[0].right))
    )
    return concluded(
        claim,
        decide(interval, claim.decision),
        why=f"{points(value, interval)} on {_benchmarks(measured)}, checkpoints: {seeds}",
        arms=(left.label, right.label),
        benchmarks=[pair.setting.benchmark for pair in measured],
        figures=figures,
        lacks=lacks,
        would_decide=more_needed(mean, claim.decision, of=_MORE),
    )


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
        if _is_chosen(Path(place).expanduser()):
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


def _benchmarks(measured: Sequence[Pair]) -> str:
    return ", ".join(pair.setting.benchmark for pair in measured)
