"""Claims on training seeds and training prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emdiag.core.checkpoints import Arm
from emdiag.core.claims import Claim, ClaimResult
from emdiag.core.results import Amount, remark
from emdiag.ledger.claims_file import Verdicts, concluded, decide, figure_of, missing, more_needed
from emdiag.ledger.evidence import Evidence, Setting
from emdiag.ledger.rates import Pair, mean_difference, pairs
from emdiag.stats.resampled import best_over_worst, expected_best, rank_correlation
from emdiag.stats.samples import outcome_variance

_DRAWN = 5
"""Seeds that the expected best one is of, where there are more."""


def seed_spread(claim: Claim, evidence: Evidence) -> Verdicts:
    """Best seed over worst seed of every arm, on every benchmark."""
    measured = [
        (arm, pair)
        for arm in evidence.of(claim.right)
        for pair in pairs(evidence, arm, arm, decision=claim.decision)
    ]
    results = [_spread(claim, arm, pair) for arm, pair in measured if len(pair.right) > 1]
    return Verdicts(
        results or [missing(claim, remark("no-seeds"))],
        [pair.fairness for _, pair in measured],
    )


def variance_and_gain(claim: Claim, evidence: Evidence) -> Verdicts:
    """Rank correlation, over training prompts, of the base's outcome variance and the gain.

    A prompt counts once, by the means of the arms that were trained on it. Variances are of one
    way of sampling for all prompts: the one that covers most of them, then with most samples.
    """
    rows, fairness = {}, []
    outcomes = _outcomes_on_prompts(claim, evidence)
    for arm in evidence.of(claim.right):
        prompt, measured = _measured_prompt(claim, arm, evidence, outcomes=outcomes)
        fairness += [pair.fairness for pair in measured]
        if prompt is not None and measured:
            variance = outcome_variance(len(outcomes[prompt]), sum(outcomes[prompt]))
            assert variance is not None, "a rule that asks for one sample has no variance"
            rows[arm.label] = (prompt, variance, mean_difference(measured).value or 0.0)
    bins = {_fifth(outcomes[prompt]) for prompt, _, _ in rows.values()}
    return Verdicts([_variance_and_gain(claim, rows, bins=len(bins))], fairness)


def _fifth(right: list[bool]) -> int:
    """In which fifth of the pass rate a prompt is, 0 to 4; 1 belongs to the last."""
    return min(5 * sum(right) // len(right), 4)


def _variance_and_gain(
    claim: Claim, rows: dict[str, tuple[str, float, float]], *, bins: int
) -> ClaimResult:
    wanted = claim.decision.prompts
    prompts = {prompt for prompt, _, _ in rows.values()}
    if len(prompts) < wanted:
        what = remark(
            "prompts-short", prompts=len(prompts), samples=claim.decision.samples, needed=wanted
        )
        return missing(claim, what, arms=list(rows))
    variances = _by_prompt([(prompt, variance) for prompt, variance, _ in rows.values()])
    gains = _by_prompt([(prompt, gain) for prompt, _, gain in rows.values()])
    correlated = rank_correlation(variances, gains)
    if correlated is None:
        return missing(claim, remark("prompts-alike"), arms=list(rows))
    correlation = Amount(correlated[0], correlated[1])
    figure = figure_of(remark("variance-and-gain"), correlation, "rank correlation")
    return concluded(
        claim,
        decide(figure.interval, claim.decision),
        why=[remark("correlation", correlation=correlation, prompts=len(prompts))],
        arms=list(rows),
        figures=[figure],
        lacks=[remark("bins-short", needed=claim.decision.pass_rate_bins, measured=bins)]
        if bins < claim.decision.pass_rate_bins
        else (),
        would_decide=more_needed(figure, claim.decision, of="training prompts"),
    )


def _by_prompt(rows: Sequence[tuple[str, float]]) -> NDArray[np.float64]:
    """Mean of the values of each prompt, `[prompts]`."""
    by_prompt: dict[str, list[float]] = {}
    for prompt, value in rows:
        by_prompt.setdefault(prompt, []).append(value)
    return np.array([np.mean(values) for values in by_prompt.values()], np.float64)


def _spread(claim: Claim, arm: Arm, pair: Pair) -> ClaimResult:
    means, wanted = pair.right.mean(axis=1), claim.decision.seeds
    ratio = best_over_worst(pair.right)
    n = min(_DRAWN, len(means))
    best = expected_best(means.tolist(), n) - float(means.mean())
    figures, why = [], [remark("never-right")]
    if ratio is not None:
        name = remark(
            "best-over-worst-of", seeds=len(means), label=arm.label, benchmark=pair.benchmark,
            temperature=pair.temperature,
        )  # fmt: skip
        amount = Amount(ratio[0], ratio[1])
        figures = [figure_of(name, amount, "times")]
        why = [
            remark("best-over-worst", ratio=amount),
            remark(
                "seeds-as-measured", ratio=float(means.max() / means.min()),
                worst=float(means.min()), best=float(means.max()),
                deviation=float(means.std(ddof=1)), drawn=n, expected_gain=best,
            ),
        ]  # fmt: skip
    lacks = [remark("seeds-short", needed=wanted, measured=len(means))]
    return concluded(
        claim,
        decide(figures[0].interval, claim.decision) if figures else "undecided",
        why=why,
        arms=(arm.label,),
        benchmarks=(pair.benchmark,),
        figures=figures,
        lacks=lacks if len(means) < wanted else (),
        would_decide=more_needed(figures[0], claim.decision, of="problems") if figures else None,
    )


def _measured_prompt(
    claim: Claim, arm: Arm, evidence: Evidence, *, outcomes: dict[str, list[bool]]
) -> tuple[str | None, list[Pair]]:
    """The prompt of an arm, and the arm against its base; no pairs where one is missing."""
    prompt, bases = _prompt(arm, evidence), evidence.opposite(claim.left, arm)
    if prompt not in outcomes or not bases:
        return prompt, []
    return prompt, pairs(evidence, bases[-1], arm, decision=claim.decision)


def _outcomes_on_prompts(claim: Claim, evidence: Evidence) -> dict[str, list[bool]]:
    """Training prompt to the base's outcomes on it, all drawn under one setting."""
    by_setting: dict[Setting, dict[str, list[bool]]] = {}
    for arm in evidence.of(claim.right):
        prompt, bases = _prompt(arm, evidence), evidence.opposite(claim.left, arm)
        if prompt is None or not bases:
            continue
        for setting, by_digest in evidence.measured_of(bases[-1]).items():
            most = max(
                (outcomes.correct.get(prompt, []) for outcomes in by_digest.values()), key=len
            )
            if setting.sampling.temperature > 0 and len(most) >= claim.decision.samples:
                shared = setting._replace(benchmark="", golds_sha256=None)
                by_setting.setdefault(shared, {})[prompt] = most
    covered = {
        key: (len(by_prompt), sum(map(len, by_prompt.values())), repr(key))
        for key, by_prompt in by_setting.items()
    }
    return by_setting[max(covered, key=lambda key: covered[key])] if by_setting else {}


def _prompt(arm: Arm, evidence: Evidence) -> str | None:
    """The one prompt that an arm was trained on; None where it does not say, or of several."""
    manifest = evidence.manifest(arm)
    if manifest is None or len(manifest.problem_ids) != 1:
        return None
    return manifest.problem_ids[0]
