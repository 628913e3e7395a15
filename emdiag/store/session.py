"""Where a verb works and whom it tells: the one value beside its plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emdiag.core.protocols import Progress, SilentProgress
from emdiag.resources import default_home
from emdiag.store.run_store import RunStore


@dataclass(frozen=True, kw_only=True)
class Session:
    """Everything that a verb needs beside its plan; none of it changes a result.

    Attributes:
        home: Folder of imported benchmarks and caches.
        command: What the user typed; empty for Python callers.
    """

    store: RunStore
    home: Path
    progress: Progress
    command: tuple[str, ...] = ()


def open_session(
    store: str | Path = "emdiag-out",
    *,
    home: str | Path | None = None,
    progress: Progress | None = None,
    command: Sequence[str] = (),
) -> Session:
    """A session on a folder of runs, which need not exist yet.

    By default `home` is the platform's data folder, and progress is silent.
    """
    return Session(
        store=RunStore(Path(store)),
        home=Path(home) if home is not None else default_home(),
        progress=progress or SilentProgress(),
        command=tuple(command),
    )
