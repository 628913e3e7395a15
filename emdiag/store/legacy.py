"""The border for what version 0.1.0 wrote: its plain JSON goes in, that of this version comes out.

Nothing else knows how older results looked. Where a record of today loses a field, its name goes
into `dropped` here; where it gains one, `derive` fills it in from what was stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from emdiag.core.results import Interval, direction_of
from emdiag.core.runs import ProblemsFile

JsonObject = dict[str, Any]
"""A JSON object of whatever version, before it is checked."""

_PARTIAL = re.compile(r"partial: (?:the first )?(\d+) of (\d+) problems")
_UNITS = {
    "AUROC": "AUROC",
    "best over worst": "times",
    "rank correlation": "rank correlation",
    "change": "standard errors",
}
"""Units by what the names of figures began with, which were all shares or ratios before."""


@dataclass(frozen=True, kw_only=True)
class _Former:
    """A kind of result as 0.1.0 wrote it, which said nowhere what it was.

    Attributes:
        fields: That no other kind has together.
        dropped: Fields that are stored no longer, or that only `--json` prints.
        parts: Fields that hold results themselves.
        derive: Fills in, in place, what is stored since.
        remarks: Places of sentences of today and before, which are remarks since; dots go down.
    """

    fields: frozenset[str]
    dropped: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    derive: Callable[[JsonObject], None] | None = None
    remarks: tuple[str, ...] = ()


def _slope_directions(sweep: JsonObject) -> None:
    for pair in sweep["slope_differences"]:
        interval = msgspec.convert(pair["interval"], Interval | None)
        pair["direction"] = direction_of(interval, pair["p_holm"])


def _seed_directions(seeds: JsonObject) -> None:
    for benchmark in seeds["benchmarks"]:
        for group in benchmark["groups"]:
            if group["difference"] is not None:
                group["difference"]["direction"] = "undecided"  # no test was made


FORMER = {
    "evaluation": _Former(
        fields=frozenset({"scores", "store"}), remarks=("scores.notes", "scores.detectable.note")
    ),
    "comparison": _Former(
        fields=frozenset({"comparisons", "macro"}), remarks=("comparisons.notes", "macro.notes")
    ),
    "logits": _Former(
        fields=frozenset({"estimates", "texts"}),
        dropped=("statements",),
        remarks=("notes", "estimates.note"),
    ),
    "sweep": _Former(
        fields=frozenset({"points", "controls"}),
        dropped=("statements",),
        derive=_slope_directions,
        remarks=("notes",),
    ),
    "seeds": _Former(
        fields=frozenset({"out", "benchmarks"}),
        derive=_seed_directions,
        remarks=("benchmarks.notes",),
    ),
    "selection": _Former(fields=frozenset({"pool", "ranked"}), remarks=("notes", "meaning")),
    "training": _Former(fields=frozenset({"out", "cells"})),
    "claims": _Former(
        fields=frozenset({"claims", "notes"}),
        remarks=("notes", "claims.why", "claims.would_decide", "claims.figures.name"),
    ),
    "regrade": _Former(fields=frozenset({"runs", "notes"}), remarks=("notes",)),
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
    named = str(plain.get("kind", ""))
    of_fields = (kind for kind, former in FORMER.items() if former.fields <= plain.keys())
    kind = named if "kind" in plain else next(of_fields, "")
    former = FORMER.get(kind)
    if former is None:
        return plain
    kept = {name: value for name, value in plain.items() if name not in former.dropped}
    if not named and former.derive is not None:
        former.derive(kept)
    for place in former.remarks:
        _make_remarks(kept, place.split("."))
    return {"kind": kind, **kept, **{name: upgraded(kept[name]) for name in former.parts}}


def _make_remarks(plain: Any, place: Sequence[str]) -> None:
    """Sentences at this place become remarks, in place; what is none stays as it is."""
    if isinstance(plain, list):
        for part in plain:
            _make_remarks(part, place)
    elif isinstance(plain, dict) and len(place) > 1:
        _make_remarks(plain.get(place[0]), place[1:])
    elif isinstance(plain, dict):
        (name,) = place
        value = plain.get(name)
        if isinstance(value, list):
            plain[name] = [_remark(part) for part in value]
        elif value is not None:
            plain[name] = [_remark(value)] if name == "why" else _remark(value)
        if name == "name":
            plain["unit"] = _UNITS.get(str(value).split(" of ")[0], plain["unit"])


def _remark(value: Any) -> Any:
    """A sentence as a remark; how many problems of how many were measured as numbers."""
    if not isinstance(value, str):
        return value
    partial = _PARTIAL.match(value)
    if partial is None:
        return {"code": "as-given", "values": {"text": value}}
    problems, total = map(int, partial.groups())
    return {"code": "partial", "values": {"problems": problems, "total": total}}


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
