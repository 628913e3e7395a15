"""Finds shipped data: the copy inside the package, else the folders of the repository."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import platformdirs

from emdiag.core.errors import EmdiagError
from emdiag.core.paths import expanded

_PACKAGE = Path(__file__).parent


def data_dir(name: str) -> Path:
    """Folder of shipped data, `benchmarks` or `reports`.

    Raises:
        EmdiagError: Neither the installed package nor the folder beside it holds the data.
    """
    for folder in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise EmdiagError(
        f"the shipped folder {name!r} is missing",
        package=_PACKAGE,
        hint="reinstall emdiag; its wheel carries this folder",
    )


def lab_weights() -> Path:
    """Folder of the shipped lab checkpoint."""
    return _PACKAGE / "lab" / "weights"


def version() -> str:
    """Version of the installed emdiag."""
    return metadata.version("emdiag")


def checkout() -> Path | None:
    """The repository emdiag runs from; None for an installed package."""
    return _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").is_file() else None


def default_home() -> Path:
    """Where benchmarks and caches live: `EMDIAG_HOME`, else the platform's data folder.

    The one environment variable read outside the command line, so that Python callers and
    commands see the same benchmarks.
    """
    folder = os.environ.get("EMDIAG_HOME")
    return expanded(folder) if folder else platformdirs.user_data_path("emdiag")
