"""The border for what version 0.1.0 wrote: its plain JSON goes in, that of this version comes out.

Nothing else knows how older results looked. Where a record of today loses a field, its name goes
into `dropped` here; where it gains one, `derive` fills it in from what was stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from emdiag.core.results import Interval, direction_of
from emdiag.core.runs import ProblemsFile

JsonObject = dict[str, Any]
"""A JSON object of whatever version, before it is checked."""


@dataclass(frozen=True, kw_only=True)
class _Former:
    """A kind of result as 0.1.0 wrote it, which said nowhere what it was.

    Attributes:
        fields: That no other kind has together.
        dropped: Fields that are stored no longer, or that only `--json` prints.
        parts: Fields that hold results themselves.
        derive: Fills in, in place, what is stored since.
    """

    fields: frozenset[str]
    dropped: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    derive: Callable[[JsonObject], None] | None = None


def _slope_directions(sweep: JsonObject) -> None:
    for pair in sweep["slope_differences"]:
        interval = msgspec.convert(pair["interval"], Interval | None)
        pair["direction"] = direction_of(interval, pair["p_holm"])


def _seed_directions(seeds: JsonObject) -> None:
    for benchmark in seeds["benchmarks"]:
        for group in benchmark["groups"]:
            if (gap := group["difference"]) is not None:
                interval = msgspec.convert(gap["interval"], Interval | None)
                gap["direction"] = direction_of(interval)


FORMER = {
    "evaluation": _Former(fields=frozenset({"scores", "store"})),
    "comparison": _Former(fields=frozenset({"comparisons", "macro"})),
    "logits": _Former(fields=frozenset({"estimates", "texts"}), dropped=("statements",)),
    "sweep": _Former(
        fields=frozenset({"points", "controls"}), dropped=("statements",), derive=_slope_directions
    ),
    "seeds": _Former(fields=frozenset({"out", "benchmarks"}), derive=_seed_directions),
    "selection": _Former(fields=frozenset({"pool", "ranked"})),
    "training": _Former(fields=frozenset({"out", "cells"})),
    "claims": _Former(fields=frozenset({"claims", "notes"})),
    "regrade": _Former(fields=frozenset({"runs", "notes"})),
    "demo": _Former(fields=frozenset({"page", "stages"}), parts=("claims",)),
    "demonstration": _Former(
        fields=frozenset({"plan", "selected"}),
        parts=(
            *("base", "selected", "trained", "scores", "comparisons", "logits", "sweep", "claims"),
        ),
    ),
}
"""By today's `kind`."""


def upgraded(plain: object) -> object:
    """A result as this version writes it; what this version wrote, or no version, as it is."""
    if isinstance(plain, list):
        return [upgraded(part) for part in plain]
    if not isinstance(plain, dict):
        return plain
    if "kind" in plain:
        former = FORMER.get(str(plain["kind"]))
        return plain if former is None else _kept(former, plain)
    for kind, former in FORMER.items():
        if former.fields <= plain.keys():
            kept = _kept(former, plain)
            if former.derive is not None:
                former.derive(kept)
            return {"kind": kind, **kept, **{name: upgraded(kept[name]) for name in former.parts}}
    return plain


def named_problems_files(commands: Iterable[Sequence[str]]) -> list[ProblemsFile]:
    """Files in the commands that drew a run of 0.1.0, which kept its problems' file nowhere else.

    They may be files of anything: whoever opens one checks that its problems are the run's.
    """
    words = {
        part.strip()
        for command in commands
        for word in command
        for part in word.partition("=")[2 if word.startswith("-") else 0].split(",")
    }
    return [
        ProblemsFile(path=word, sha256=None)
        for word in sorted(words)
        if word.endswith((".jsonl", ".json", ".parquet"))
    ]


def _kept(former: _Former, plain: JsonObject) -> JsonObject:
    return {name: value for name, value in plain.items() if name not in former.dropped}
