"""`accelerate launch -m emdiag.train.em ...` is `emdiag train em ...` on every device."""

from __future__ import annotations

import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:1] = ["train", "em"]
    runpy.run_module("emdiag", run_name="__main__", alter_sys=True)
