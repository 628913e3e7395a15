"""Processes that start from nothing: they never import the program that uses emdiag.

Plain `spawn` imports the parent's main module again, so a script without a main guard would start
itself over and over. A grading worker needs nothing of it.
"""

from __future__ import annotations

import sys
import threading
import types
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.popen_spawn_posix import Popen
from typing import Any

_LOCK = threading.Lock()


class _Popen(Popen):
    def _launch(self, process_obj: Any) -> None:
        with _LOCK:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = types.ModuleType("__main__")
            try:
                super()._launch(process_obj)  # type: ignore[misc]
            finally:
                sys.modules["__main__"] = main


class BlankProcess(SpawnProcess):
    """A spawned process that does not import the parent's main module."""

    @staticmethod
    def _Popen(process_obj: Any) -> Popen:  # noqa: N802 - the name multiprocessing calls
        return _Popen(process_obj)


class BlankContext(SpawnContext):
    """The `spawn` context with `BlankProcess` for its processes."""

    Process = BlankProcess
