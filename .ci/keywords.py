"""Write `emdiag/core/keywords.py`: options of each plan, for type checkers and editors.

python .ci/keywords.py
"""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from emdiag.core.asking import Asking
from emdiag.core.option_groups import Grading, Sampling, Targets
from emdiag.core.options import fields_of
from emdiag.engines.options import EngineOptions
from emdiag.studies.doctor.plan import DoctorPlan
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.logits.plan import LogitSkewPlan
from emdiag.studies.sweep.plan import TemperatureSweepPlan
from emdiag.studies.training.plans import SeedScoresPlan, SelectPlan
from emdiag.train.em.plan import EMPlan
from emdiag.train.rl.plan import RLPlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emdiag.core.options import Field
    from emdiag.core.plans import Plan
    from emdiag.core.records import Record

FILE = Path(__file__).parents[1] / "emdiag" / "core" / "keywords.py"

PLANS: dict[type[Plan], tuple[str, ...]] = {
    EvaluatePlan: ("checkpoints", "benchmarks", "metrics"),
    TemperatureSweepPlan: ("checkpoints", "benchmarks"),
    LogitSkewPlan: ("checkpoints", "benchmarks"),
    SelectPlan: ("checkpoint", "pool"),
    SeedScoresPlan: ("out", "benchmarks"),
    DoctorPlan: ("checkpoint",),
    EMPlan: ("ref", "out"),
    RLPlan: ("ref", "benchmark", "out"),
}
"""Each plan, and what its function names itself."""

HEAD = '''"""Options of each plan, for type checkers and editors; written by `.ci/keywords.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict
'''


GROUPS: dict[type[Record], tuple[str, ...]] = {
    Asking: (),
    Targets: ("benchmarks",),
    Sampling: (),
    EngineOptions: (),
    Grading: (),
}
"""Groups that plans take whole, and what functions name themselves."""


def module() -> str:
    """The whole module."""
    groups = (
        _class(group, fields_of(group), own, title=str(group.__doc__).partition("\n")[0])
        for group, own in GROUPS.items()
    )
    return HEAD + "".join(groups) + "".join(_plan(plan, own) for plan, own in PLANS.items())


def _plan(plan: type[Plan], own: Sequence[str]) -> str:
    """Options of a plan, those of whole groups by inheritance."""
    hints = get_type_hints(plan)
    fields = fields_of(plan)
    whole = {
        name: hints[name]
        for name in dict.fromkeys(field.group for field in fields)
        if name and hints[name] in GROUPS and _is_whole(hints[name], name, fields)
    }
    rest = [field for field in fields if field.group not in whole]
    bases = [_name(group) for group in whole.values()]
    return _class(plan, rest, own, title=f"Options of `emdiag {plan.verb}`.", bases=bases)


def _is_whole(group: type[Record], name: str, fields: Sequence[Field]) -> bool:
    names = {field.name for field in fields if field.group == name} | {*GROUPS[group]}
    return names == {field.name for field in fields_of(group)}


def _class(
    record: type[Record],
    fields: Sequence[Field],
    own: Sequence[str],
    *,
    title: str,
    bases: Sequence[str] = (),
) -> str:
    lines = [f"    {one.name}: {_accepted(one)}" for one in fields if one.name not in own]
    parents = ", ".join(bases or ["TypedDict"])
    body = f'    """{title}"""\n'
    body += "\n" + "\n".join(lines) + "\n" if lines else ""
    return f"\n\nclass {_name(record)}({parents}, total=False):\n{body}"


def _name(record: type[Record]) -> str:
    return record.__name__.removesuffix("Plan").removesuffix("Options") + "Keywords"


def _accepted(one: Field) -> str:
    """What a Python caller may pass."""
    by_name = {
        "sweep": "Mapping[str, Sequence[float]] | Sequence[str]",
        "chat_options": "Mapping[str, object] | str | Sequence[str]",
    }
    if one.name in by_name:
        return by_name[one.name]
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
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(FILE)], check=True)
