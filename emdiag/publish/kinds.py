"""The page of each kind of result, with everything that lies beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.core.claims import ClaimsResult
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.core.selection import SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.training import TrainResult
from emdiag.findings.page import Context
from emdiag.publish.context import page_context
from emdiag.publish.sources import beside
from emdiag.publish.training import training_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.findings.page import Page
    from emdiag.publish.targets import Result
    from emdiag.store.run_store import RunStore


def result_page(
    result: Result, *, store: RunStore, home: Path, command: Sequence[str] = ()
) -> Page:
    """The page of a result, with everything that lies beside it; as `write_report`."""
    context = result_context(result, store=store, home=home, command=command)
    return built_page(result, context=context)


def result_context(
    result: Result, *, store: RunStore, home: Path, command: Sequence[str] = ()
) -> Context:
    """What a page of this result shows beside it."""
    match result:
        case TrainResult():
            return training_context(result, command=command)
        case ClaimsResult():
            return Context()
        case _:
            return page_context(beside(result, store=store), home=home, command=command)


def built_page(result: Result, *, context: Context) -> Page:
    """The page of a result around this context."""
    match result:
        case EvaluateResult():
            from emdiag.reports.evaluation_page import evaluation_page

            page = evaluation_page(result, context=context)
        case CompareResult():
            from emdiag.reports.comparison_page import comparison_page

            page = comparison_page(result, context=context)
        case LogitSkewResult():
            from emdiag.reports.logit_page import logit_page

            page = logit_page(result, context=context)
        case TemperatureSweepResult():
            from emdiag.reports.sweep_page import sweep_page

            page = sweep_page(result, context=context)
        case SeedScoresResult():
            from emdiag.reports.seeds_page import seeds_page

            page = seeds_page(result, context=context)
        case SelectResult():
            from emdiag.reports.selection_page import selection_page

            page = selection_page(result, context=context)
        case ClaimsResult():
            from emdiag.reports.claims_page import claims_page

            page = claims_page(result, context=context)
        case TrainResult():
            page = _training_page(result, context=context)
    return page


def _training_page(result: TrainResult, *, context: Context) -> Page:
    from emdiag.reports.training_page import training_page
    from emdiag.store.training_folder import read_updates

    return training_page(
        result.out,
        stage=result.stage,
        updates={cell.name: read_updates(Path(result.out) / cell.name) for cell in result.cells},
        notes=tuple(dict.fromkeys(note for cell in result.cells for note in cell.notes)),
        context=context,
        chosen=result.chosen,
    )
