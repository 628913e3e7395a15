"""What vLLM needs around it: its environment, a clean standard output, and an end with ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout

DEFAULTS = {
    # Standard output belongs to the result of a command.
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_LOGGING_LEVEL": "WARNING",
    # A forked engine would inherit open files, and with them the lock on the run folder.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    # Measuring a checkpoint tells nobody.
    "VLLM_NO_USAGE_STATS": "1",
}
"""Read while vLLM is imported; set only where the user has not."""

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


def prepare_environment() -> dict[str, str]:
    """Set what is unset; the values in force. To be called before vLLM is imported."""
    return {name: os.environ.setdefault(name, value) for name, value in DEFAULTS.items()}


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Inside this block, descriptor 1 is standard error, also for processes started in it.

    Libraries below vLLM print from C++, where no Python setting reaches them.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


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
