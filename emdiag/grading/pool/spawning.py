"""Processes that start quickly and from nothing: they never import the program that uses emdiag.

They are forked from Python's fork server, which loads the parser once for all of them; where that
server runs already with other modules, each loads the parser itself. The plain contexts import the
parent's main module again, so a script without a main guard would start itself over and over. A
grading worker needs nothing of it.
"""

from __future__ import annotations

import sys
import threading
import types
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.popen_forkserver import Popen
from typing import Any

LOADED_ONCE = ("math_verify", "msgspec", "pebble")
"""Libraries alone: a worker takes emdiag from where its parent has it."""

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


class BlankProcess(ForkServerProcess):
    """A forked process that does not import the parent's main module."""

    @staticmethod
    def _Popen(process_obj: Any) -> Popen:  # noqa: N802 - the name multiprocessing calls
        return _Popen(process_obj)


class BlankContext(ForkServerContext):
    """The `forkserver` context with `BlankProcess` for its processes."""

    Process = BlankProcess

    def __init__(self) -> None:
        super().__init__()
        self.set_forkserver_preload(list(LOADED_ONCE))
