from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from emdiag.stats.comparisons import holm

if TYPE_CHECKING:
    from types import ModuleType

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks" / "coverage"


@pytest.fixture(scope="module")
def null() -> ModuleType:
    spec = importlib.util.spec_from_file_location("null_script", SCRIPTS / "null.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script
    spec.loader.exec_module(script)
    return script


@pytest.mark.parametrize(
    ("name", "pages", "most"), [("compare", 12, 2), ("sweep", 6, 1), ("logits", 4, 1)]
)
def test_pages_without_a_difference_hardly_say_one(
    null: ModuleType, name: str, pages: int, most: int
) -> None:
    """Of a fixed seed; of many, 3.5, 5 and 5 % say one, and 8, 27 and 100 % did before."""
    rows = {row.name: row for row in null.table(name, pages=pages)}
    said = rows["any"]
    assert said.pages[1] <= 100 * most / pages
    assert said.pages[1] <= said.pages[0]
    assert said.power[1] > said.single[1]


def test_slopes_and_their_differences_are_one_family_and_baselines_another(
    null: ModuleType,
) -> None:
    random = np.random.default_rng(4)
    result = null.sweep_result(random, slope=-0.6, seeds=3, problems=40, mean=0.6)
    family = [*result.slopes, *result.slope_differences]
    assert [row.p_holm for row in family] == holm([row.p_value for row in family])
    controls = result.controls
    assert [row.p_holm for row in controls] == holm([row.p_value for row in controls])
    trends = {slope.checkpoint: slope.trend for slope in result.slopes}
    assert trends["em"] == "falls"
    for slope in result.slopes:
        assert (slope.trend != "undecided") <= (slope.p_holm < 0.05)
    for control in controls:
        assert (control.verdict in ("more than cooling", "less than cooling")) <= (
            control.p_holm < 0.05
        )


def test_claims_are_judged_where_nothing_differs(null: ModuleType) -> None:
    """Verdicts on one store: few of them wrong; every claim that the store can tell is judged.

    Verdicts for which something is lacking are not counted: they cannot be wrong. C13 asks for ten
    seeds, of which the store has five.
    """
    rows = {row.name: row for row in null.table("claims", pages=1)}
    assert rows.keys() == {"C01", "C02", "C05", "C06", "C07", "C08", "any"}
    assert rows["any"].single[1] < 25
