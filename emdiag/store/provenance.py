"""Who drew the samples, with what, and when."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.results import Remark, remark
from emdiag.core.runs import EngineInfo, ProblemsFile, Provenance
from emdiag.resources import checkout, version
from emdiag.store.journal import JournalWriter, read_journal


@dataclass(kw_only=True)
class Work:
    """What a session has done so far; it took all the time it was open unless `seconds` says so."""

    samples: int = 0
    tokens: int = 0
    seconds: float | None = None


def now() -> str:
    """UTC, ISO 8601, to the microsecond."""
    return datetime.now(UTC).isoformat()


def start_session(
    checkpoint: CheckpointRef,
    engine: EngineInfo,
    *,
    command: Sequence[str],
    problems_file: ProblemsFile | None = None,
) -> Provenance:
    """The record of a session that begins now."""
    return Provenance(
        label=checkpoint.label,
        ref=checkpoint.ref,
        revision=checkpoint.revision,
        emdiag_version=version(),
        emdiag_commit=_commit(),
        versions=engine.versions,
        device=engine.device,
        dtype=engine.dtype,
        # That this process may run at once; how many an engine uses is in its settings.
        threads=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        command=tuple(command),
        settings={
            **engine.settings,
            **{name: str(fact) for name, fact in checkpoint.file_facts.items()},
            "deterministic": str(engine.deterministic).lower(),
        },
        started=now(),
        problems_file=problems_file,
        adapter=checkpoint.adapter,
    )


@contextmanager
def working(journal: JournalWriter[Provenance], session: Provenance) -> Iterator[Work]:
    """Write down that a session began and, however it ends, what was done in it."""
    with journal as sessions:
        sessions.append(session)
        work, began = Work(), time.perf_counter()
        try:
            yield work
        finally:
            elapsed = time.perf_counter() - began
            sessions.append(
                msgspec.structs.replace(
                    session,
                    finished=now(),
                    samples=work.samples,
                    tokens=work.tokens,
                    sampling_s=elapsed if work.seconds is None else work.seconds,
                )
            )


def read_sessions(path: Path) -> list[Provenance]:
    """The sessions of a journal in order; a session's later line closes it.

    Raises:
        JournalError: A line cannot be read.
    """
    sessions: dict[tuple[str, str], Provenance] = {}
    for record in read_journal(path, Provenance):
        sessions[record.started, record.label] = record
    return list(sessions.values())


def version_notes(sessions: Sequence[Provenance], done: str) -> tuple[Remark, ...]:
    """What differs between sessions that belong together; `done` is what they did, as `drawn`."""
    versions = [{**s.versions, "device": s.device, "version": s.emdiag_version} for s in sessions]
    names = sorted({name for session in sessions for name in session.versions})
    values = {
        name: tuple(sorted({of[name] for of in versions if name in of}))
        for name in (*names, "device", "version")
    }
    return tuple(
        remark("several-versions", done=done, name=name, values=of)
        for name, of in values.items()
        if len(of) > 1
    )


def _commit() -> str | None:
    """Commit of the checkout that runs, with `+changes` where it differs; None if installed."""
    folder = checkout()
    if folder is None:
        return None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        head = git("rev-parse", "HEAD")
        changes = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None  # no git on this machine, or a copy of the tree without its history
    return head + ("+changes" if changes else "")
