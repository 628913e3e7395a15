"""Figures of a study as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from emdiag.core.protocols import Progress
    from emdiag.plots.style import Drawn


def write_figures(
    draw: Callable[[], Mapping[str, Drawn]], folder: Path, *, progress: Progress
) -> tuple[str, ...]:
    """Draw figures and write each as SVG and PNG; returns the files, without ending.

    Raises:
        StoreError: A file cannot be written.
    """
    from emdiag.plots.style import save_figure

    files = []
    with progress.stage("drawing figures", total=1) as stage:
        for name, figure in draw().items():
            save_figure(figure, folder / name)
            files.append(str(folder / name))
        stage.advance()
    return tuple(files)
