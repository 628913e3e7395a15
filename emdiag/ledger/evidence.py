"""What stores hold for claims: arms, their runs, studies and sweeps. Nothing is drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os.path import commonprefix
from pathlib import Path
from typing import NamedTuple, cast, get_args

import msgspec

from emdiag.core.asking import Asking
from emdiag.core.checkpoints import Arm, Stage
from emdiag.core.claims import Claim, Role
from emdiag.core.errors import JournalError, PlanError, StoreError
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.paths import expanded
from emdiag.core.results import EvaluateResult
from emdiag.core.sampling import SamplingParams
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.training import TrainManifest
from emdiag.store.files import read_result, result_order
from emdiag.store.left_out import LeftOut
from emdiag.store.run_store import Run, RunStore
from emdiag.store.training_folder import followed, read_manifest
from emdiag.studies.stored.find_runs import graded, main_grading, require_run
from emdiag.studies.stored.outcomes import Outcomes

AnyResult = EvaluateResult | LogitSkewResult | TemperatureSweepResult
_RECORDS: tuple[type[AnyResult], ...] = (EvaluateResult, LogitSkewResult, TemperatureSweepResult)
_FOLDERS = ("runs", *(record.folder for record in _RECORDS))


class Setting(NamedTuple):
    """What must be equal on both sides; seeds of the run and stop ids are left out."""

    benchmark: str
    template: str
    chat: bool
    wording: Asking
    sampling: SamplingParams
    golds_sha256: str | None


BySetting = dict[Setting, dict[str, Outcomes]]
"""Setting to a checkpoint's digest to its outcomes."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that may speak for or against a claim; nothing in it changes.

    Attributes:
        arms: The last meaning of every label.
        manifests: Digest to what a trained checkpoint says of itself, if it is still there.
        runs: Every run, store by store.
        studies, sweeps: In the order they were written.
        left_out: What of the stores could not be read; neither verdicts nor arms come of it.
    """

    arms: tuple[Arm, ...]
    manifests: Mapping[str, TrainManifest]
    runs: tuple[Run, ...]
    studies: tuple[LogitSkewResult, ...]
    sweeps: tuple[TemperatureSweepResult, ...]
    stores: tuple[Path, ...]
    left_out: LeftOut

    @cached_property
    def measured(self) -> BySetting:
        """Graded samples of the checkpoints of all arms; read when they are first asked for.

        Raises:
            JournalError: A grade cannot be read: a verdict without it would be of other samples.
        """
        return _read_measured(self.runs, {digest for arm in self.arms for digest in arm.digests})

    def measured_of(self, arm: Arm) -> BySetting:
        """Graded samples of the checkpoints of one arm.

        Raises:
            JournalError: As `measured`.
        """
        by_setting = {
            setting: {digest: by[digest] for digest in by if digest in arm.digests}
            for setting, by in self.measured.items()
        }
        return {setting: by for setting, by in by_setting.items() if by}

    def manifest(self, arm: Arm) -> TrainManifest | None:
        """What the first of an arm's checkpoints that says anything says of itself."""
        return next((self.manifests[d] for d in arm.digests if d in self.manifests), None)

    def trained_on(self, arms: Sequence[Arm]) -> set[str]:
        """Problems that a checkpoint of the arms, or one it went on from, was trained on.

        As far as it says: a checkpoint names the first 100 problems.
        """
        problems: set[str] = set()
        ahead = [digest for arm in arms for digest in arm.digests]
        done: set[str] = set()
        while ahead:
            digest = ahead.pop()
            manifest = self.manifests.get(digest)
            if manifest is not None and digest not in done:
                problems |= set(manifest.problem_ids)
                ahead.append(manifest.parent_digest)
            done.add(digest)
        return problems

    def role(self, arm: Arm) -> Role | None:
        """The part an arm plays; None where nothing says it, and for controls without a part."""
        manifest = self.manifest(arm)
        objective = manifest.settings.get("objective") if manifest else None
        if objective == "random-direction":
            return None
        if objective == "entropy-maximised":
            return "em_maximised"
        stage = arm.stage
        return cast("Stage", arm.label) if stage is None and arm.label in get_args(Stage) else stage

    def of(self, role: Role) -> list[Arm]:
        """Arms that play a part, by label."""
        return [arm for arm in self.arms if self.role(arm) == role]

    def opposite(self, role: Role, arm: Arm) -> list[Arm]:
        """Arms that play a part beside `arm`; of several bases, the one it was trained from."""
        arms = self.of(role)
        manifest = self.manifest(arm)
        if role == "base" and manifest is not None:
            parents = [base for base in arms if manifest.parent_digest in base.digests]
            arms = parents or arms
        return arms[-1:] if role == "base" else arms

    def sides(self, claim: Claim) -> list[tuple[Arm, Arm]]:
        """Every arm of the claim's left side with every one of its right side beside it."""
        rights = self.of(claim.right)
        return [(left, right) for right in rights for left in self.opposite(claim.left, right)]


def setting_of(run: Run) -> Setting:
    """Under what the run was drawn, and against which golds its main grader judged."""
    spec = run.spec
    sampling = msgspec.structs.replace(spec.sampling, seed=0, stop_token_ids=())
    grading = main_grading(run)
    golds = grading.golds_sha256 if grading else None
    return Setting(spec.benchmark, spec.template, spec.chat, spec.wording, sampling, golds)


def _read_measured(runs: Sequence[Run], digests: Collection[str]) -> BySetting:
    """What the runs of these checkpoints hold; of one checkpoint's, the run with most samples."""
    by_setting: BySetting = {}
    for run in runs:
        digest = run.spec.checkpoint_digest
        outcomes = _main_outcomes(run) if digest in digests else None
        if outcomes is None or not outcomes.problems:
            continue
        of_setting = by_setting.setdefault(setting_of(run), {})
        if digest not in of_setting or len(outcomes) > len(of_setting[digest]):
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


def gather(names: Sequence[str], *, store: RunStore) -> Evidence:
    """The evidence that the names stand for; the whole store where there are none.

    Raises:
        PlanError: A name is none of these.
        StoreError: The store is asked for and does not exist, something there cannot be read, or a
            file holds no result.
    """
    out = store.root
    whole: dict[Path, None] = {}
    left_out = LeftOut()
    runs: list[Run] = []
    results: dict[Path, AnyResult] = {}
    if not names and not expanded(out).is_file():
        store.at(expanded(out)).require()
    for name in names or [str(out)]:
        path = expanded(name)
        if path.is_file():
            results[path] = read_result(path, *_RECORDS)
            whole.setdefault(path.parent.parent.resolve())
        elif path.is_dir() and not (path / "spec.json").is_file():
            whole.setdefault(path.resolve())
            results |= _results(path, left_out)
        else:
            runs.append(require_run(name, store=store))
            runs[-1].check()
            results |= _results(path.resolve().parent.parent if path.is_dir() else out, left_out)
    for root in whole:
        if not any((root / name).is_dir() for name in _FOLDERS):
            raise PlanError("the folder holds no runs and no results", folder=root)
        held = store.at(root)
        runs += [run for run in held.runs() if held.is_readable(run)]
        left_out.update(held.left_out)
    return _evidence(results, runs, left_out)


def _results(root: Path, left_out: LeftOut) -> dict[Path, AnyResult]:
    def read(file: Path) -> tuple[Path, AnyResult]:
        return file, read_result(file, *_RECORDS)

    files = (file for record in _RECORDS for file in (root / record.folder).glob("*.json"))
    return dict(left_out.readable(files, read))


def _evidence(results: dict[Path, AnyResult], runs: list[Run], left_out: LeftOut) -> Evidence:
    """Results in the order they were written."""
    ordered = [results[file] for file in sorted(results, key=result_order)]
    once = tuple({run.path.resolve(): run for run in runs}.values())
    manifests = _manifests(ordered, left_out)
    return Evidence(
        arms=_arms(ordered, manifests),
        manifests=manifests,
        runs=once,
        studies=tuple(result for result in ordered if isinstance(result, LogitSkewResult)),
        sweeps=tuple(result for result in ordered if isinstance(result, TemperatureSweepResult)),
        stores=tuple(dict.fromkeys(run.path.parent.parent for run in once)),
        left_out=left_out,
    )


def _arms(results: Sequence[AnyResult], manifests: Mapping[str, TrainManifest]) -> tuple[Arm, ...]:
    """Label to its last meaning; checkpoints evaluated alone are arms if they are in no other."""
    named: dict[str, Arm] = {}
    alone: dict[str, Arm] = {}
    for result in results:
        if isinstance(result, EvaluateResult):
            for score in result.scores:
                checkpoint = score.checkpoint
                alone[score.label] = Arm(
                    label=score.label,
                    stage=checkpoint.stage,
                    checkpoints=(checkpoint.ref,),
                    digests=(checkpoint.digest,),
                )
        else:
            named |= {arm.label: _without_repeats(arm) for arm in result.arms}
    grouped = {digest for arm in named.values() for digest in arm.digests}
    single = [arm for arm in alone.values() if arm.digests[0] not in grouped]
    single = [arm for arm in single if arm.label not in named]
    return _without_parts([*named.values(), *seeds_together(single, manifests)])


def _without_repeats(arm: Arm) -> Arm:
    """The arm with equal weights once: results of before counted them as seeds."""
    first = dict(zip(reversed(arm.digests), reversed(arm.checkpoints), strict=True))
    once = dict.fromkeys(arm.digests)
    return msgspec.structs.replace(
        arm, digests=tuple(once), checkpoints=tuple(first[digest] for digest in once)
    )


def seeds_together(single: Sequence[Arm], manifests: Mapping[str, TrainManifest]) -> list[Arm]:
    """Checkpoints that differ in nothing but their training seed, as one arm.

    That is what `emdiag train score` evaluates. Such an arm is called what its labels begin with;
    checkpoints that do not say how they were trained stay alone.
    """
    groups: dict[object, list[Arm]] = {}
    for arm in single:
        manifest = manifests.get(arm.digests[0])
        groups.setdefault(arm.label if manifest is None else _training(manifest), []).append(arm)
    by_label: dict[str, Arm] = {}
    for members in groups.values():
        label = members[0].label if len(members) == 1 else _shared_label(members)
        if label in by_label:
            label = members[0].label
        by_label[label] = Arm(
            label=label,
            stage=members[0].stage,
            checkpoints=tuple(member.checkpoints[0] for member in members),
            digests=tuple(member.digests[0] for member in members),
        )
    return list(by_label.values())


def _training(manifest: TrainManifest) -> tuple[object, ...]:
    """Everything but the seed; of a chain's second training the parent's stage, not its weights."""
    parent = manifest.parent_digest if manifest.parent_stage == "base" else manifest.parent_stage
    settings = tuple(sorted((name, str(value)) for name, value in manifest.settings.items()))
    return (manifest.stage, manifest.update, manifest.prompts_sha256, parent, settings)


def _shared_label(members: Sequence[Arm]) -> str:
    """`good` for `good0` and `good1`; `em` for `em/seed-0/update-0010` and its like."""
    start = commonprefix([arm.label for arm in members])  # noqa: RUF071 - characters are meant
    return start.rstrip("0123456789-_./").removesuffix("seed").rstrip("-_./") or members[0].label


def _without_parts(arms: list[Arm]) -> tuple[Arm, ...]:
    """Without arms all of whose checkpoints belong to another one; of equal ones the last stays."""
    kept = []
    for place, arm in enumerate(arms):
        digests = set(arm.digests)
        later = [set(other.digests) for other in arms[place + 1 :]]
        larger = [set(other.digests) for other in arms if len(set(other.digests)) > len(digests)]
        if not any(digests <= other for other in later + larger):
            kept.append(arm)
    return tuple(kept)


def _manifests(results: Sequence[AnyResult], left_out: LeftOut) -> dict[str, TrainManifest]:
    places: dict[str, str] = {}
    for result in results:
        if isinstance(result, EvaluateResult):
            places |= {score.checkpoint.digest: score.checkpoint.folder for score in result.scores}
        else:
            for arm in result.arms:
                places |= dict(zip(arm.digests, arm.checkpoints, strict=True))
    manifests = {digest: _manifest(place, left_out) for digest, place in places.items()}
    return {digest: manifest for digest, manifest in manifests.items() if manifest is not None}


def _manifest(place: str, left_out: LeftOut) -> TrainManifest | None:
    """What a checkpoint says of itself; None where it is gone, or was not trained here."""
    try:
        folder = followed(place)
    except StoreError:  # the training folder has changed since
        return None
    try:
        return read_manifest(folder)
    except StoreError as error:
        left_out.add(error)
        return None
