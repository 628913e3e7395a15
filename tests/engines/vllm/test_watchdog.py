from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

from emdiag.engines.vllm.environment import Watchdog

PARENT = """
import subprocess, sys, time
from emdiag.engines.vllm.environment import Watchdog
program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", program], pass_fds=[int(sys.argv[1])])
Watchdog([child.pid])
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_parent_takes_its_engine_along() -> None:
    alive, held = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(held)],
        pass_fds=[held],
        stdout=subprocess.PIPE,
    )
    os.close(held)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not select.select([alive], [], [], 0)[0]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    # The pipe ends when its last holder, a child that ignores polite signals, is gone.
    ended, _, _ = select.select([alive], [], [], 20)
    if not ended:
        os.kill(child, signal.SIGKILL)
    assert ended
    os.close(alive)
    parent.stdout.close()


def test_a_dismissed_watchdog_touches_nobody() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    Watchdog([child.pid]).dismiss()
    assert child.poll() is None
    child.communicate(b"\n")
    assert child.returncode == 0
