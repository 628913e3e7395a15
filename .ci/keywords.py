"""Write `emdiag/core/keywords.py`: options of each plan, for type checkers and editors.

python .ci/keywords.py
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from emdiag.core.options import fields_of
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.logits.plan import LogitSkewPlan
from emdiag.studies.sweep.plan import TemperatureSweepPlan
from emdiag.studies.training.plans import SeedScoresPlan, SelectPlan
from emdiag.train.em.plan import EMPlan
from emdiag.train.rl.plan import RLPlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.option_types import Field
    from emdiag.core.plans import Plan

FILE = Path(__file__).parents[1] / "emdiag" / "core" / "keywords.py"

PLANS: dict[type[Plan], tuple[str, ...]] = {
    EvaluatePlan: ("checkpoints", "benchmarks", "metrics"),
    TemperatureSweepPlan: ("checkpoints", "benchmarks"),
    LogitSkewPlan: ("checkpoints", "benchmarks"),
    SelectPlan: ("checkpoint", "pool"),
    SeedScoresPlan: ("out", "benchmarks"),
    EMPlan: ("ref", "out"),
    RLPlan: ("ref", "benchmark", "out"),
}
"""Each plan, and what its function names itself."""

HEAD = '''"""Options of each plan, for type checkers and editors; written by `.ci/keywords.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
'''


def module() -> str:
    """The whole module."""
    return HEAD + "".join(_keywords(plan, own) for plan, own in PLANS.items())


def _keywords(plan: type[Plan], own: Sequence[str]) -> str:
    name = plan.__name__.removesuffix("Plan")
    lines = [f"    {one.name}: {_accepted(one)}" for one in fields_of(plan) if one.name not in own]
    body = "\n".join(lines)
    title = f'"""Options of `emdiag {plan.verb}`."""'
    return f"\n\nclass {name}Keywords(TypedDict, total=False):\n    {title}\n\n{body}\n"


def _accepted(one: Field) -> str:
    """What a Python caller may pass."""
    if one.name == "sweep":
        return "Mapping[str, Sequence[float]] | Sequence[str]"
    return _named(one.kind)


def _named(kind: Any) -> str:
    if get_origin(kind) in {Union, types.UnionType}:
        return " | ".join(_named(inner) for inner in get_args(kind))
    if kind is type(None):
        return "None"
    if get_origin(kind) is Literal:
        return (
            f"Literal[{', '.join(repr(word).replace(chr(39), chr(34)) for word in get_args(kind))}]"
        )
    if get_origin(kind) is tuple:
        inner = _named(get_args(kind)[0])
        return f"str | Sequence[{inner}]"
    return kind.__name__ if kind in {int, float, str, bool} else "str"


if __name__ == "__main__":
    FILE.write_text(module(), encoding="utf-8")
