"""Several results as one page: a chapter each, the samples together, the claims at the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from emdiag.publish.commands import distinct_commands
from emdiag.publish.context import Beside, page_context
from emdiag.publish.kinds import built_page
from emdiag.publish.sources import beside
from emdiag.publish.targets import Result
from emdiag.publish.training import training_context
from emdiag.store.run_store import RunStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.findings.page import Page

_QUESTION = "What do these measurements say together?"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A result to report, and the store that holds its samples.

    Attributes:
        heading: Of its chapter in a study; None for what its kind is called.
        words: That open its chapter, a paragraph each.
        is_brief: Whether all tables of its chapter are folded.
    """

    name: str
    result: Result
    store: RunStore
    heading: str | None = None
    words: tuple[str, ...] = ()
    is_brief: bool = False


def study_of(
    found: Sequence[Found],
    *,
    home: Path,
    title: str = "Study",
    question: str = _QUESTION,
    command: Sequence[str] = (),
) -> Page:
    """A page with a chapter for each result; claims end it.

    Args:
        found: Results in the order of their chapters.
        home: Folder of imported benchmarks.
        title: Of the page.
        question: Of the study, in a sentence.
        command: That writes the page; empty where Python does.

    Raises:
        StoreError: A run cannot be read.
    """
    from emdiag.reports.study_page import Chapter, study_page

    claims = [one.result for one in found if isinstance(one.result, ClaimsResult)]
    chapters = [
        Chapter(
            heading=one.heading or _heading(one),
            words=one.words,
            page=built_page(one.result, context=Context()),
            is_brief=one.is_brief,
        )
        for one in found
        if not isinstance(one.result, ClaimsResult)
    ]
    return study_page(
        title=title,
        question=question,
        chapters=chapters,
        claims=claims[-1] if claims else None,
        context=study_context(found, home=home, command=command),
    )


def study_context(found: Sequence[Found], *, home: Path, command: Sequence[str] = ()) -> Context:
    """What lies beside all results together, each run, command and doubt once."""
    trainings = [
        training_context(one.result) for one in found if isinstance(one.result, TrainResult)
    ]
    measured = [
        beside(one.result, store=one.store)
        for one in found
        if not isinstance(one.result, TrainResult | ClaimsResult)
    ]
    runs = {column.run.key: column for part in measured for column in part.runs}
    together = Beside(
        runs=tuple(runs.values()),
        checkpoints=tuple(one for part in measured for one in part.checkpoints),
        sessions=tuple(one for part in measured for one in part.sessions),
        notes=tuple(note for part in measured for note in part.notes),
    )
    context = page_context(together, home=home)
    typed = [words for one in (*trainings, context) for words in one.commands]
    typed += [words for part in measured for words in part.untold()]
    cautions = [caution for one in (*trainings, context) for caution in one.cautions]
    return replace(
        context,
        commands=distinct_commands(typed, command=command),
        cautions=tuple(dict.fromkeys(cautions)),
    )


def _heading(one: Found) -> str:
    match one.result:
        case EvaluateResult():
            heading = "How often they are right"
        case CompareResult(comparisons=(first, *_)):
            heading = f"{first.right} against {first.left}"
        case CompareResult() | ClaimsResult():
            heading = one.name
        case LogitSkewResult():
            heading = "What happened to the logits"
        case TemperatureSweepResult():
            heading = "What the temperature does"
        case SeedScoresResult():
            heading = f"Seeds of {Path(one.result.out).name}"
        case SelectResult():
            heading = f"Which prompt to train on, of {one.result.pool}"
        case TrainResult():
            heading = f"Training {Path(one.result.out).name}"
    return heading
