"""Every kind of result that has a page, one entry each: the place to add one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from emdiag.core.claims import ClaimsResult
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.records import Result
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.core.selection import SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.training import TrainResult
from emdiag.findings.page import Page
from emdiag.publish.sources import (
    Sources,
    comparison_sources,
    evaluation_sources,
    logit_sources,
    seeds_sources,
    selection_sources,
    sweep_sources,
)
from emdiag.publish.training import training_result_page, training_sources
from emdiag.store.run_store import RunStore

if TYPE_CHECKING:
    from emdiag.findings.page import Context

R = TypeVar("R", bound=Result)


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[R]):
    """A kind of result: its record says by which word it is stored, and in which folder.

    Attributes:
        record: A `Result` with `tag`, and with `folder` where it is stored.
        sources: What its numbers come from, as far as a store holds it.
        page: A result and its `context` to its page.
        heading: Of its chapter in a study.
    """

    record: type[R]
    sources: Callable[[R, RunStore], Sources]
    page: Callable[..., Page]
    heading: Callable[[R], str]


def _page(name: str) -> Callable[..., Page]:
    """The function of this name in `reports.pages`; drawing is imported when a page is made."""

    def page(result: Result, *, context: Context) -> Page:
        from emdiag.reports import pages

        full: Page = getattr(pages, name)(result, context=context)
        return full

    return page


KINDS: tuple[Kind[Any], ...] = (
    Kind(
        record=EvaluateResult,
        sources=evaluation_sources,
        page=_page("evaluation_page"),
        heading=lambda _: "How often they are right",
    ),
    Kind(
        record=CompareResult,
        sources=comparison_sources,
        page=_page("comparison_page"),
        heading=lambda result: (
            f"{result.comparisons[0].right} against {result.comparisons[0].left}"
        ),
    ),
    Kind(
        record=LogitSkewResult,
        sources=logit_sources,
        page=_page("logit_page"),
        heading=lambda _: "What happened to the logits",
    ),
    Kind(
        record=TemperatureSweepResult,
        sources=sweep_sources,
        page=_page("sweep_page"),
        heading=lambda _: "Temperature sweep",
    ),
    Kind(
        record=SeedScoresResult,
        sources=seeds_sources,
        page=_page("seeds_page"),
        heading=lambda result: f"Seeds of {Path(result.out).name}",
    ),
    Kind(
        record=SelectResult,
        sources=selection_sources,
        page=_page("selection_page"),
        heading=lambda result: f"Which prompt to train on, of {result.pool}",
    ),
    Kind(
        record=TrainResult,
        sources=training_sources,
        page=training_result_page,
        heading=lambda result: f"Training {Path(result.out).name}",
    ),
    Kind(
        record=ClaimsResult,
        sources=lambda _result, _store: Sources(),
        page=_page("claims_page"),
        heading=lambda _: "Claims",
    ),
)
"""In the order of a story."""

RECORDS: tuple[type[Result], ...] = tuple(kind.record for kind in KINDS)
FOLDERS = tuple(record.folder for record in RECORDS if record.folder)
"""Folders of a store that hold results."""


def kind_of(result: Result) -> Kind[Any]:
    """The entry of a result."""
    return KINDS[RECORDS.index(type(result))]
