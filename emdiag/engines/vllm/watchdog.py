"""Ends processes we started when this one dies without a word, such as by `kill -9`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

_PROGRAM = """
import os, signal, sys, time
if sys.stdin.buffer.read() == b"":
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in map(int, sys.argv[1:]):
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                pass
        time.sleep(3)
"""


class Watchdog:
    """A small process that reads a pipe from this one; the pipe's end is this process's end.

    vLLM's engine outlives a parent that is killed, and with it all memory of the device.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        # Isolated and in a session of its own: Ctrl-C is for the parent to handle.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _PROGRAM, *map(str, pids)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Let the watched processes be: they are ended in an orderly way."""
        self._process.communicate(b"dismissed")
