"""Results to pages: one self-contained file for whatever was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emdiag.core.claims import ClaimsResult
from emdiag.core.paths import page_path
from emdiag.core.protocols import Progress
from emdiag.core.records import Result
from emdiag.core.training import TrainResult
from emdiag.findings import origin
from emdiag.findings.page import Page
from emdiag.findings.remarks import words_of
from emdiag.publish.context import page_context
from emdiag.publish.kinds import kind_of
from emdiag.publish.runs import evaluation_of_runs
from emdiag.publish.sources import sources_together
from emdiag.publish.targets import Target, find_targets
from emdiag.reports.render import write_page
from emdiag.reports.study_page import Chapter, study_page
from emdiag.store.run_store import Run, RunStore
from emdiag.store.session import Session, open_session


@dataclass(frozen=True, kw_only=True)
class StudyPart:
    """A result that becomes a `Chapter`, and the store that holds its samples."""

    result: Result
    store: RunStore
    heading: str | None = None
    words: tuple[str, ...] = ()
    is_brief: bool = False


def report(
    *runs: str | Path,
    out: str | Path | None = None,
    store: str | Path = "emdiag-out",
    home: str | Path | None = None,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> Path:
    """Write one page of what was measured before; the Python twin of `emdiag report`.

    Args:
        runs: Keys or folders of runs, stored results, training folders, or folders of runs; the
            last result of `store` where none is named. Runs alone make one evaluation; several
            results make a study with a chapter each.
        out: The page; by default below the store that holds what is reported, or below `store`
            where several do.
        store: Folder of runs.
        home: Folder of imported benchmarks; the platform's data folder by default.
        command: What the user typed, for the page to repeat.
        progress: Told what of the store cannot be read; silent by default.

    Raises:
        PlanError: A name means nothing that can be reported.
        StoreError: A file cannot be read, or the page cannot be written.
    """
    session = open_session(store, home=home, command=command, progress=progress)
    if out is not None:
        page_path(out)
    targets = find_targets([str(name) for name in runs], store=session.store)
    path = Path(out) if out is not None else _default_path(targets, store=session.store)
    parts = _results(targets, home=session.home)
    if len(parts) > 1:
        page = study_of(parts, session)
    else:
        page = result_page(parts[0].result, replace(session, store=parts[0].store))
    for store_read in {id(part.store): part.store for part in parts}.values():
        for note in store_read.notes():
            session.progress.note(words_of(note))
    return write_page(page, path)


def write_report(result: Result, path: Path, session: Session) -> Path:
    """Write the page of a result; returns where it is.

    Raises:
        StoreError: A run cannot be read, or the page cannot be written.
    """
    return write_page(result_page(result, session), path)


def result_page(result: Result, session: Session) -> Page:
    """The page of a result, with everything that lies beside it; as `write_report`."""
    kind = kind_of(result)
    context = page_context(kind.sources(result, session.store), session)
    return replace(kind.page(result), context=context)


def study_of(
    parts: Sequence[StudyPart],
    session: Session,
    *,
    title: str = "Study",
    question: str = origin.STUDY_QUESTION,
) -> Page:
    """A page with a chapter for each result; claims end it.

    Raises:
        StoreError: A run cannot be read.
    """
    claims = [part.result for part in parts if isinstance(part.result, ClaimsResult)]
    chapters = [
        Chapter(
            page=kind_of(part.result).page(part.result),
            heading=part.heading,
            words=part.words,
            is_brief=part.is_brief,
        )
        for part in parts
        if not isinstance(part.result, ClaimsResult)
    ]
    page = study_page(
        title=title, question=question, chapters=chapters, claims=claims[-1] if claims else None
    )
    sources = [kind_of(part.result).sources(part.result, part.store) for part in parts]
    return replace(page, context=page_context(sources_together(sources), session))


def _results(targets: Sequence[Target], *, home: Path) -> list[StudyPart]:
    """Results in their order; all runs of one store together are one evaluation."""
    parts: list[StudyPart] = []
    runs: dict[Path, tuple[RunStore, dict[str, Run]]] = {}
    for target in targets:
        if isinstance(target.subject, Run):
            root = target.store.root.resolve()
            runs.setdefault(root, (target.store, {}))[1][target.subject.key] = target.subject
        else:
            parts.append(StudyPart(result=target.subject, store=target.store))
    for store, by_key in runs.values():
        result = evaluation_of_runs(list(by_key.values()), store=store, home=home)
        parts.append(StudyPart(result=result, store=store))
    return parts


def _default_path(targets: Sequence[Target], *, store: RunStore) -> Path:
    """`reports/NAME.html`, after what is reported, in its store; trainings lie in none."""
    names = [target.name for target in targets]
    name = names[0] if len(names) == 1 else f"study-of-{len(names)}"
    measured = (target for target in targets if not isinstance(target.subject, TrainResult))
    holders = {target.store.root.resolve(): target.store for target in measured}
    holder = next(iter(holders.values())) if len(holders) == 1 else store
    return holder.root / "reports" / f"{name}.html"
