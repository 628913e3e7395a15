"""A training folder as a result, and its page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emdiag.core.errors import StoreError
from emdiag.core.protocols import Progress
from emdiag.core.training import (
    TrainedCell,
    TrainFolder,
    TrainManifest,
    TrainResult,
    UpdateRecord,
    next_stage,
)
from emdiag.findings import origin
from emdiag.findings.page import Fact, Page
from emdiag.findings.training import seed_groups
from emdiag.plots.style import Drawn, save_figures
from emdiag.plots.training import training_figure
from emdiag.publish.context import facts
from emdiag.publish.sources import Sources
from emdiag.reports.pages import training_page
from emdiag.store.run_store import RunStore
from emdiag.store.training_folder import checkpoint_name, read_folder, read_manifest, read_updates

_DIGEST_SHOWN = 12


def training_of(out: Path) -> TrainResult:
    """What lies in a training folder, finished or not, as training gives it back.

    Raises:
        StoreError: It is no training folder, or holds no update yet.
    """
    folder = read_folder(out)
    cells = [cell for name in folder.cells if (cell := _cell(out, name, folder)) is not None]
    if not cells:
        raise StoreError(
            "training has written no update down yet",
            folder=out,
            hint="run the same `emdiag train` command again: it continues",
        )
    manifest = next(iter(_manifests(out, folder)), None)
    return TrainResult(
        out=str(out),
        parent=manifest.parent if manifest else "not known",
        stage=manifest.stage if manifest else next_stage(None, folder.method),
        chosen=folder.chosen,
        cells=tuple(cells),
    )


def training_sources(result: TrainResult, _store: RunStore) -> Sources:
    """The recipe, what it ran with, and how to train again."""
    folder = read_folder(Path(result.out))
    manifests = _manifests(Path(result.out), folder)
    unfinished = len(folder.cells) - len(manifests)
    caution = origin.unfinished(unfinished, len(folder.cells))
    return Sources(
        asked=(*_question(manifests[0], folder), *_settings(manifests)) if manifests else (),
        training=tuple(words for m in manifests if (words := m.provenance.get("command"))),
        provenance=_provenance(manifests),
        cautions=(*([caution] if unfinished else []), *_differences(manifests)),
    )


def training_result_page(result: TrainResult) -> Page:
    """The page of a training folder, with every update of its cells."""
    return training_page(result, _updates(result))


def training_figures(result: TrainResult, *, progress: Progress) -> tuple[str, ...]:
    """A figure for each group of seeds, beside its checkpoints; returns the files, without ending.

    Groups with a run that has made no update yet have none.

    Raises:
        StoreError: A file cannot be written.
    """
    groups = seed_groups(_updates(result))

    def draw() -> dict[str, Drawn]:
        return {
            f"{group}/training".lstrip("/"): training_figure(runs, stage=result.stage)
            for group, runs in groups.items()
            if all(len(records) > 1 for records in runs.values())
        }

    return save_figures(draw, Path(result.out), progress=progress)


def _updates(result: TrainResult) -> dict[str, list[UpdateRecord]]:
    return {cell.name: read_updates(Path(result.out) / cell.name) for cell in result.cells}


def _cell(out: Path, name: str, folder: TrainFolder) -> TrainedCell | None:
    records = read_updates(out / name)
    if not records:
        return None
    manifest = _manifest(out, name, folder)
    seed = name.rpartition("seed-")[2]
    return TrainedCell(
        name=name,
        seed=manifest.train_seed if manifest else int(seed) if seed.isdigit() else 0,
        recipe=manifest.recipe if manifest else "not known",
        checkpoint=str(out / name / checkpoint_name(max(folder.saved_updates))),
        start=records[0],
        first=records[1] if len(records) > 1 else None,
        last=records[-1],
        notes=manifest.notes if manifest else (),
    )


def _manifest(out: Path, cell: str, folder: TrainFolder) -> TrainManifest | None:
    return read_manifest(str(out / cell / checkpoint_name(max(folder.saved_updates))))


def _manifests(out: Path, folder: TrainFolder) -> list[TrainManifest]:
    """Of the runs that are finished."""
    manifests = (_manifest(out, cell, folder) for cell in folder.cells)
    return [manifest for manifest in manifests if manifest is not None]


def _question(first: TrainManifest, folder: TrainFolder) -> tuple[Fact, ...]:
    digest = first.parent_digest[:_DIGEST_SHOWN]
    return facts(
        {
            "parent": [f"{first.parent}, stage {first.parent_stage}, weights {digest}"],
            "recipe": [first.recipe],
            "training prompts": [origin.some(first.problem_ids) or origin.OWN_TEXT],
            "training runs": folder.cells,
        }
    )


def _settings(manifests: Sequence[TrainManifest]) -> tuple[Fact, ...]:
    """Every setting of the recipe; several values, of a grid, beside each other."""
    names = dict.fromkeys(name for m in manifests for name in m.settings if name != "name")
    return facts(
        {
            name.replace("_", " "): [_shown(m.settings.get(name)) for m in manifests]
            for name in names
        }
    )


def _shown(value: str | float | bool | None) -> str:  # noqa: FBT001 - a setting, not a switch
    match value:
        case None:
            return "by default"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _provenance(manifests: Sequence[TrainManifest]) -> tuple[Fact, ...]:
    values: dict[str, list[str]] = {}
    for manifest in manifests:
        for name, value in manifest.provenance.items():
            if value and name != "command":
                values.setdefault(name, []).append(value)
    for name, end in (("started", min), ("finished", max)):
        if name in values:
            values[name] = [end(values[name])]
    return facts({name.replace("_", " "): of for name, of in values.items()})


def _differences(manifests: Sequence[TrainManifest]) -> list[str]:
    """Versions and devices that differ between training runs that belong together."""
    notes = []
    for name in ("emdiag", "torch", "transformers", "trl", "device", "dtype"):
        values = sorted({m.provenance[name] for m in manifests if name in m.provenance})
        if len(values) > 1:
            notes.append(f"trained with {name} {' and '.join(values)}")
    return notes
