"""What vLLM reads from the environment while it is imported; set only where the user has not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
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
