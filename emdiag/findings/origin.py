"""What a page says of the runs, sessions and trainings behind its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emdiag.findings.numbers import count

STUDY_QUESTION: Final = "What do these measurements say together?"
OWN_TEXT: Final = "a text of the user's own"
"""What stands where training prompts have no ids."""

_PROBLEMS_NAMED = 5


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _PROBLEMS_NAMED
    return ", ".join(names[:_PROBLEMS_NAMED]) + (f" and {more} more" if more > 0 else "")


def leak(label: str, benchmark: str, shared: Sequence[str], *, is_whole: bool) -> str:
    """That a checkpoint was trained on problems it is measured on; not all may be known."""
    at_least = "" if is_whole else "at least "
    return (
        f"{label} was trained on {at_least}{count(len(shared), 'problem')} of {benchmark}, on "
        f"which it is measured: {some(shared)}"
    )


def not_closed(label: str, run: str) -> str:
    """Of a session that did not come to its end."""
    return f"a session of {label} ({run}) was not closed"


def unfinished(runs: int, of: int) -> str:
    """Of training runs that go on, or were stopped."""
    return (
        f"{runs} of {of} training runs are not finished; seeds that happen to be done may be the "
        "lucky ones"
    )


def choice_of_samples(fewest: int) -> str:
    """How samples were chosen where a page cannot hold all."""
    return (
        "of a problem and sample index all runs or none, chosen by a fixed rule in the "
        "proportions in which verdicts come together, with at least "
        f"{fewest} of each verdict of each run where there are as many"
    )
