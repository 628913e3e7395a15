"""Graded samples of checkpoints, under what they were drawn and judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from emdiag.core.errors import JournalError, StoreError
from emdiag.studies.stored.find_runs import graded, main_grading
from emdiag.studies.stored.outcomes import Outcomes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from emdiag.core.sampling import SamplingParams
    from emdiag.store.run_store import Run


class Setting(NamedTuple):
    """What must be equal on both sides; seeds of the run and stop ids are left out."""

    benchmark: str
    template: str
    chat: bool
    sampling: SamplingParams
    golds_sha256: str | None


BySetting = dict[Setting, dict[str, Outcomes]]
"""Setting to a checkpoint's digest to its outcomes."""


def setting_of(run: Run) -> Setting:
    """Under what the run was drawn, and against which golds its main grader judged."""
    spec = run.spec
    sampling = msgspec.structs.replace(spec.sampling, seed=0, stop_token_ids=())
    grading = main_grading(run)
    golds = grading.golds_sha256 if grading else None
    return Setting(spec.benchmark, spec.template, spec.chat, sampling, golds)


def read_measured(runs: Sequence[Run], digests: Collection[str]) -> BySetting:
    """What the runs of these checkpoints hold; of one checkpoint's, the run with most samples.

    Raises:
        JournalError: A grade cannot be read.
    """
    by_setting: BySetting = {}
    for run in runs:
        digest = run.spec.checkpoint_digest
        outcomes = _main_outcomes(run) if digest in digests else None
        if outcomes is None or not outcomes.problems:
            continue
        of_setting = by_setting.setdefault(setting_of(run), {})
        if digest not in of_setting or len(outcomes.grades) > len(of_setting[digest].grades):
            of_setting[digest] = outcomes
    return by_setting


def _main_outcomes(run: Run) -> Outcomes | None:
    """By the main grades of a run; None where it was drawn and not graded yet."""
    try:
        return graded(run, label=run.short_key)
    except JournalError:
        raise
    except StoreError:
        return None
