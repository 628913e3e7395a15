"""How long the steps of two trainings were, where a claim compares them at equal ones."""

from __future__ import annotations

from statistics import fmean

from emdiag.core.checkpoints import Arm
from emdiag.core.claims import Claim, ClaimFigure
from emdiag.core.errors import StoreError
from emdiag.core.paths import expanded
from emdiag.core.results import Amount, Remark, remark
from emdiag.ledger.claims_file import figure_of
from emdiag.store.training_folder import followed, read_manifest, read_updates


def compare_steps(claim: Claim, left: Arm, right: Arm) -> tuple[list[ClaimFigure], list[Remark]]:
    """Mean step norm of `right` over that of `left`, and what the rule lacks of equal ones.

    Both are empty where the rule asks for none.
    """
    most = claim.decision.step_norm_ratio
    if most is None:
        return [], []
    norms = [_mean_step(arm) for arm in (left, right)]
    if norms[0] is None or norms[1] is None:
        return [], [remark("steps-unknown")]
    ratio = norms[1] / norms[0]
    figure = figure_of(
        remark("step-norms", right=right.label, left=left.label), Amount(ratio), "times"
    )
    is_alike = 1 / most <= ratio <= most
    return [figure], [] if is_alike else [remark("steps-unlike", most=most, ratio=ratio)]


def _mean_step(arm: Arm) -> float | None:
    """Mean L2 norm of the steps that led to an arm's checkpoints; None where one is not known."""
    means = [_mean_step_to(place) for place in arm.checkpoints]
    known = [mean for mean in means if mean]
    return fmean(known) if known and len(known) == len(means) else None


def _mean_step_to(place: str) -> float | None:
    try:
        folder = expanded(followed(place))
        manifest, records = read_manifest(str(folder)), read_updates(folder.parent)
    except (OSError, StoreError):  # the training folder has changed since
        return None
    last = manifest.update if manifest is not None else 0
    norms = [record.step_norm for record in records if 0 < record.update <= last]
    known = [norm for norm in norms if norm is not None]
    return fmean(known) if known and len(known) == last else None
