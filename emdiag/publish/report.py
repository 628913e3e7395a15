"""Results to pages: one self-contained file for whatever was measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.publish.kinds import result_page
from emdiag.publish.runs import evaluation_of_runs
from emdiag.publish.study import Found, study_of
from emdiag.publish.targets import find_targets
from emdiag.resources import default_home
from emdiag.store.run_store import Run, RunStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.publish.targets import Result, Target


def report(
    *runs: str | Path,
    out: str | Path | None = None,
    store: str | Path = "emdiag-out",
    home: str | Path | None = None,
    command: Sequence[str] = (),
) -> Path:
    """Write one page of what was measured before; the Python twin of `emdiag report`.

    Args:
        runs: Keys or folders of runs, stored results, training folders, or folders of runs; the
            last result of `store` where none is named. Runs alone make one evaluation; several
            results make a study with a chapter each.
        out: The page; below `store` by default.
        store: Folder of runs.
        home: Folder of imported benchmarks; the platform's data folder by default.
        command: What the user typed, for the page to repeat.

    Returns:
        The page.

    Raises:
        PlanError: A name means nothing that can be reported.
        StoreError: A file cannot be read, or the page cannot be written.
    """
    opened = RunStore(Path(store))
    targets = find_targets([str(name) for name in runs], store=opened)
    where = Path(out) if out is not None else _default_path(targets, store=opened)
    from emdiag.reports.render import write_page

    folder = Path(home) if home is not None else default_home()
    found = _results(targets, home=folder)
    if len(found) > 1:
        return write_page(study_of(found, home=folder, command=command), where)
    (only,) = found
    return write_report(only.result, where, store=only.store, home=folder, command=command)


def write_report(
    result: Result,
    path: Path,
    *,
    store: RunStore,
    home: Path,
    command: Sequence[str] = (),
) -> Path:
    """Write the page of a result.

    Args:
        result: Of any command that measures or trains.
        path: Of the page.
        store: Where the result's samples lie.
        home: Folder of imported benchmarks.
        command: That was typed; empty where Python measures.

    Returns:
        The page.

    Raises:
        StoreError: A run cannot be read, or the page cannot be written.
    """
    from emdiag.reports.render import write_page

    return write_page(result_page(result, store=store, home=home, command=command), path)


def _results(targets: Sequence[Target], *, home: Path) -> list[Found]:
    """Results in their order; all runs of one store together are one evaluation."""
    found: list[Found] = []
    runs: dict[Path, list[Run]] = {}
    for target in targets:
        if isinstance(target.found, Run):
            root = target.store.root.resolve()
            runs.setdefault(root, []).append(target.found)
        else:
            found.append(Found(name=target.name, result=target.found, store=target.store))
    for root, of_store in runs.items():
        store = next(t.store for t in targets if t.store.root.resolve() == root)
        distinct = list({run.key: run for run in of_store}.values())
        result = evaluation_of_runs(distinct, store=store, home=home)
        found.append(Found(name=f"{len(distinct)} runs", result=result, store=store))
    return found


def _default_path(targets: Sequence[Target], *, store: RunStore) -> Path:
    """`reports/NAME.html` in the store, after what is reported."""
    names = [target.name for target in targets]
    name = names[0] if len(names) == 1 else f"study-of-{len(names)}"
    return store.root / "reports" / f"{name}.html"
