"""The console script, and `python -m emdiag`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run a command; an interruption while it is being imported ends it quietly too."""
    try:
        from emdiag.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    finally:
        # Else CPython ends by the signal where an interruption that was handled went through eval.
        eval("0")


if __name__ == "__main__":
    main()
