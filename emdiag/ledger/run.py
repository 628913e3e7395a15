"""Every claim of the ledger against what is stored; nothing is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from emdiag.core.claims import Claim, ClaimResult, ClaimsResult
from emdiag.core.results import Remark, remark
from emdiag.ledger.claims_file import Fairness, Verdicts, ledger_file, read_ledger
from emdiag.ledger.evidence import Evidence, gather
from emdiag.ledger.fairness import fairness_notes
from emdiag.ledger.gains import by_benchmark, coverage, for_each_pair, on_the_mean
from emdiag.ledger.logits import entropy_auroc, skewness
from emdiag.ledger.orders import order
from emdiag.ledger.repeats import repeats, two_graders
from emdiag.ledger.seeds import seed_spread, variance_and_gain
from emdiag.ledger.sweeps import cooled_base, slopes
from emdiag.ledger.templates import best_template
from emdiag.store.run_store import RunStore

STATISTICS: dict[str, Callable[[Claim, Evidence], Verdicts]] = {
    "best_template": best_template,
    "cooled_base": cooled_base,
    "coverage": coverage,
    "entropy_auroc": entropy_auroc,
    "gain": partial(for_each_pair, judge=on_the_mean),
    "gain_at_equal_updates": partial(for_each_pair, judge=on_the_mean, must_be_alike=True),
    "gain_by_benchmark": partial(for_each_pair, judge=by_benchmark),
    "order": order,
    "repeats": repeats,
    "seed_spread": seed_spread,
    "skewness": skewness,
    "slopes": slopes,
    "two_graders": two_graders,
    "variance_and_gain": variance_and_gain,
}
"""What a claim may ask for: one result for each set of arms that it can be looked at on."""


def claims(
    runs: str | Sequence[str] = (),
    *,
    store: str | Path = "emdiag-out",
    ledger: str | Path | None = None,
) -> ClaimsResult:
    """Verdicts on the claims of the ledger; the Python twin of `emdiag claims`.

    Args:
        runs: Stores, run folders, run keys in `store`, or files of results; all of `store` where
            there are none. A run drawn in two stores tells whether results repeat.
        store: Folder of runs.
        ledger: Another `claims.toml`; the shipped one by default.

    Raises:
        PlanError: A name is none of these, or the ledger cannot be read.
        StoreError: Something that is stored cannot be read.
    """
    names = [runs] if isinstance(runs, str) else list(runs)
    return claims_on(names, RunStore(Path(store)), ledger=ledger)


def claims_on(
    names: Sequence[str], store: RunStore, *, ledger: str | Path | None = None
) -> ClaimsResult:
    """The same on an open store, whose runs are not decoded again.

    Raises:
        PlanError, StoreError: As `claims`.
    """
    file = Path(ledger) if ledger is not None else ledger_file()
    wanted = read_ledger(file, statistics=STATISTICS)
    evidence = gather(names, store=store)
    results, notes = judge(wanted, evidence)
    return ClaimsResult(
        claims=tuple(results),
        notes=tuple(notes),
        store=", ".join(str(root) for root in evidence.stores) or str(store.root),
    )


def judge(wanted: Sequence[Claim], evidence: Evidence) -> tuple[list[ClaimResult], list[Remark]]:
    """Results in the order of the claims, and notes on all of them.

    Raises:
        StoreError: Something that is stored cannot be read.
    """
    verdicts = [STATISTICS[claim.statistic](claim, evidence) for claim in wanted]
    results = [result for verdict in verdicts for result in verdict.results]
    fairness = [fair for verdict in verdicts for fair in verdict.fairness]
    return results, [_wrong_by_chance(results), *_notes(evidence, fairness)]


def _wrong_by_chance(results: Sequence[ClaimResult]) -> Remark:
    """How many verdicts would be wrong on average, by the draw of problems and seeds alone."""
    alphas = [result.alpha for result in results if result.alpha > 0]
    if not alphas:
        return remark("not-corrected")
    return remark("wrong-by-chance", verdicts=len(alphas), expected=sum(alphas))


def _notes(evidence: Evidence, fairness: Sequence[Fairness]) -> list[Remark]:
    unknown = tuple(arm.label for arm in evidence.arms if evidence.role(arm) is None)
    notes = [*evidence.left_out.notes(), *fairness_notes(evidence, fairness)]
    if unknown:
        notes.append(remark("roles-unknown", labels=unknown))
    benchmarks = tuple(sorted({run.spec.benchmark for run in evidence.runs}))
    if benchmarks:
        notes.append(remark("measured-on", benchmarks=benchmarks))
    return notes
