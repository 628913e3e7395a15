"""What a user means by the arguments of `emdiag report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emdiag.core.errors import PlanError
from emdiag.core.paths import expanded
from emdiag.core.records import Result
from emdiag.findings.numbers import count
from emdiag.publish.kinds import FOLDERS, RECORDS
from emdiag.publish.training import training_of
from emdiag.store.files import read_result, result_order
from emdiag.store.run_store import Run, RunStore
from emdiag.store.training_folder import is_training_folder
from emdiag.studies.stored.find_runs import find_run


@dataclass(frozen=True, kw_only=True)
class Target:
    """A result to report, or a run whose grades are scored again, and where its samples lie."""

    name: str
    subject: Result | Run
    store: RunStore


def find_targets(names: Sequence[str], *, store: RunStore) -> list[Target]:
    """What each name means; for no name the last result of the store.

    Raises:
        PlanError: A name means nothing, or the store is empty.
        StoreError: A file or folder cannot be read.
    """
    if not names:
        files = sorted(result_files(store), key=result_order, reverse=True)
        last = next(store.left_out.readable(files, lambda file: _of_file(file, store=store)), None)
        if last is None:
            raise _empty(store)
        return [last]
    return [target for name in names for target in _of_name(name, store=store)]


def result_files(store: RunStore) -> list[Path]:
    """Every stored result, by kind, the last one of each kind at its end."""
    return [
        file
        for folder in FOLDERS
        for file in sorted((store.root / folder).glob("*.json"), key=result_order)
    ]


def is_store(folder: Path) -> bool:
    """Whether results or runs lie in this folder."""
    return any((folder / name).is_dir() for name in ("runs", *FOLDERS))


def _of_name(name: str, *, store: RunStore) -> list[Target]:
    path = expanded(name)
    if path.is_file():
        return [_of_file(path, store=store)]
    if is_training_folder(path):
        return [Target(name=path.name, subject=training_of(path), store=store)]
    if path.is_dir() and is_store(path):
        return _of_store(store.at(path))
    home = store.at(path.resolve().parents[1]) if (path / "spec.json").is_file() else store
    run = find_run(name, store=home)
    if run is not None:
        return [Target(name=run.path.name, subject=run, store=home)]
    raise _unknown(path, name, store=store)


def _of_store(store: RunStore) -> list[Target]:
    """The last result of each kind and the claims; where there is no result, every run."""
    targets = store.left_out.readable(result_files(store), lambda file: _of_file(file, store=store))
    last = {type(target.subject): target for target in targets}
    if last:
        from emdiag.ledger.run import claims_on

        measured = claims_on((), store)
        judged = [Target(name="claims", subject=measured, store=store)] if measured.claims else []
        return [*last.values(), *judged]
    runs = [Target(name=run.path.name, subject=run, store=store) for run in store.runs()]
    if not runs:
        raise _empty(store)
    return runs


def _of_file(path: Path, *, store: RunStore) -> Target:
    """A record in a file, whichever it is; its samples lie in the store around it, if any."""
    around = path.resolve().parents[1]
    holder = store.at(around) if is_store(around) else store
    return Target(name=path.stem, subject=read_result(path, *RECORDS), store=holder)


def _empty(store: RunStore) -> PlanError:
    state = "holds no result" if store.root.is_dir() else "does not exist"
    return PlanError(
        f"there is nothing to report: the folder {state}",
        store=store.root,
        **{f"left out ({file})": reason for file, reason in store.left_out.reasons().items()},
        hint="measure something first, such as `emdiag eval lab`, or name its folder with --store",
    )


def _unknown(path: Path, name: str, *, store: RunStore) -> PlanError:
    labels = {score.label for result in store.results() for score in result.scores}
    names = [entry.name for entry in path.iterdir()] if path.is_dir() else []
    inside = ", ".join(sorted(name for name in names if not name.startswith("."))[:5])
    return PlanError(
        f"there is nothing to report by the name {name!r}",
        expected="a run's key or folder, a stored result (.json), a training folder, or a folder "
        "of runs",
        found="a label of several runs, which `emdiag compare` takes"
        if name in labels
        else f"a folder that holds {inside or 'nothing'}"
        if path.is_dir()
        else f"no such file, folder or key; {store.root} holds {count(len(store.runs()), 'run')}",
        hint="`emdiag runs list` shows runs; a key needs its first 4 digits",
    )
