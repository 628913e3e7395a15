"""Every kind of result that has a page, one entry each: the place to add one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from emdiag.core.claims import ClaimsResult
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.records import Result
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.core.selection import SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.training import TrainResult
from emdiag.findings.page import Page
from emdiag.publish import sources
from emdiag.publish.training import training_result_page, training_sources
from emdiag.reports import pages
from emdiag.store.run_store import RunStore

R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Kind(Generic[R]):
    """A kind of result: its record says by which word it is stored, and in which folder.

    Attributes:
        sources: What its numbers come from, as far as a store holds it.
        page: Its page, without what lies behind it.
    """

    record: type[R]
    sources: Callable[[R, RunStore], sources.Sources]
    page: Callable[[R], Page]


KINDS: tuple[Kind[Any], ...] = (
    Kind(EvaluateResult, sources.evaluation_sources, pages.evaluation_page),
    Kind(CompareResult, sources.comparison_sources, pages.comparison_page),
    Kind(LogitSkewResult, sources.logit_sources, pages.logit_page),
    Kind(TemperatureSweepResult, sources.sweep_sources, pages.sweep_page),
    Kind(SeedScoresResult, sources.seeds_sources, pages.seeds_page),
    Kind(SelectResult, sources.selection_sources, pages.selection_page),
    Kind(TrainResult, training_sources, training_result_page),
    Kind(ClaimsResult, sources.no_sources, pages.claims_page),
)
"""In the order of a story."""

RECORDS: tuple[type[Result], ...] = tuple(kind.record for kind in KINDS)
FOLDERS = tuple(record.folder for record in RECORDS if record.folder)
"""Folders of a store that hold results."""


def kind_of(result: Result) -> Kind[Any]:
    """The entry of a result."""
    return KINDS[RECORDS.index(type(result))]
