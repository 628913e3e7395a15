"""Graded samples of checkpoints, under what they were drawn and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from emdiag.core.errors import JournalError, StoreError
from emdiag.studies.stored.find_runs import graded, main_grading

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from emdiag.core.sampling import SamplingParams
    from emdiag.store.run_store import Run

RightSamples = dict[str, list[bool]]
"""Problem to whether each of its samples is right."""


class Setting(NamedTuple):
    """What must be equal on both sides; seeds of the run and stop ids are left out."""

    benchmark: str
    template: str
    chat: bool
    sampling: SamplingParams
    golds_sha256: str | None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of one checkpoint under one setting.

    Attributes:
        engine: What drew the samples, in words.
        prompts: Checksum of the prompts that they were drawn from.
    """

    right: RightSamples
    engine: str
    prompts: str

    @property
    def samples(self) -> int:
        """Of all problems together."""
        return sum(map(len, self.right.values()))


BySetting = dict[Setting, dict[str, Measured]]
"""Setting to a checkpoint's digest to what was measured of it."""


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
        right = _right(run) if digest in digests else {}
        if not right:
            continue
        engine = f"{run.spec.engine.name} in {run.spec.engine.dtype}"
        measured = Measured(right=right, engine=engine, prompts=run.spec.prompts_sha256)
        of_setting = by_setting.setdefault(setting_of(run), {})
        if digest not in of_setting or measured.samples > of_setting[digest].samples:
            of_setting[digest] = measured
    return by_setting


def _right(run: Run) -> RightSamples:
    """The main grades of a run; empty where it was drawn and not graded yet."""
    try:
        return graded(run, label=run.short_key).correct
    except JournalError:
        raise
    except StoreError:
        return {}
