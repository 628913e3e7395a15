"""Commands that make a page again: those that drew its samples, then the one that wrote it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emdiag.core.codec import to_plain
from emdiag.core.runs import EngineSpec, Provenance, RunSpec
from emdiag.engines.server.references import is_served
from emdiag.studies.evaluate.plan import EvaluatePlan

_SHOWING = ("--json", "--wide")
"""Options that change nothing but how a result is shown; `--report FILE` is another."""


@dataclass(frozen=True, kw_only=True)
class DrawnSession:
    """A session that drew samples of a run, or read them.

    Attributes:
        spec: Of the run; None for reading, which only its own command tells.
        samples: Of each problem, in the whole run.
        limit: The run holds only the first so many problems; None for all.
    """

    session: Provenance
    spec: RunSpec | None
    samples: int = 1
    limit: int | None = None


def recreating_commands(
    drawn: Iterable[DrawnSession], *, command: Sequence[str] = ()
) -> tuple[str, ...]:
    """Commands as they were typed, in order, each once.

    Two that differ only in how they show their result count once, as given last. Sessions of
    Python callers have no command; `emdiag eval` with the settings of their run stands for it.
    """
    typed = []
    for work in sorted(drawn, key=lambda work: work.session.started):
        if work.session.command:
            typed.append(work.session.command)
        elif work.spec is not None:
            typed.append(_evaluation(work, work.spec))
    return distinct_commands([shlex.join(words) for words in typed], command=command)


def distinct_commands(typed: Iterable[str], *, command: Sequence[str] = ()) -> tuple[str, ...]:
    """Commands in order, each once, and `command` at the end; options that only show count not."""
    commands = [*typed, *([shlex.join(command)] if command else [])]
    return tuple({_bare(shlex.split(words)): words for words in commands}.values())


def _bare(words: Sequence[str]) -> tuple[str, ...]:
    """The command without options that only show."""
    kept: list[str] = []
    skipping = False
    for word in words:
        is_shown = word in _SHOWING or word == "--report" or word.startswith("--report=")
        if not skipping and not is_shown:
            kept.append(word)
        skipping = word == "--report"
    return tuple(kept)


def _evaluation(work: DrawnSession, spec: RunSpec) -> tuple[str, ...]:
    """The command that draws the same run."""
    session, engine = work.session, spec.engine
    is_pinned = session.revision is not None and "@" not in session.ref
    ref = f"{session.ref}@{session.revision}" if is_pinned else session.ref
    sampling = to_plain(spec.sampling)
    del sampling["stop_token_ids"]  # of the checkpoint
    plan = EvaluatePlan.of(
        {
            "checkpoints": f"{session.label}={ref}",
            "benchmarks": [session.problems_file.path if session.problems_file else spec.benchmark],
            "template": spec.template,
            "chat": spec.chat,
            **to_plain(spec.wording),
            "reasoning": spec.reasoning.typed() if spec.reasoning else "auto",
            "limit": work.limit,
            "samples": work.samples,
            **sampling,
            "engine": engine.name,
            "dtype": "auto" if engine.dtype in {"none", "unknown"} else engine.dtype,
            "trust_remote_code": engine.trust_remote_code,
            **_address(session, engine),
        }
    )
    return plan.command()


def _address(session: Provenance, engine: EngineSpec) -> dict[str, object]:
    """Where a server was, which model of it was asked, and how."""
    if engine.name != "server":
        return {}
    return {
        "base_url": session.settings["base_url"],
        "model": None if is_served(session.ref) else session.settings["model"],
        "server_api": "auto" if is_served(session.ref) else engine.api,
    }
