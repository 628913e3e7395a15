from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from emdiag.findings.logits.rows import statistic_of

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_cooling_and_a_sharper_top_token_are_seen_by_all_but_skewness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS / "coverage"))
    script: Any = importlib.import_module("skewness")
    monkeypatch.delitem(sys.modules, "skewness")
    estimates, tokens, size = script.measure("lab", BENCHMARKS / "chain", count=8)
    assert (tokens, size) == (268, 98)
    by_name = {(row.checkpoint, statistic_of(row)): row for row in estimates}

    def direction(label: str, of: Any) -> str:
        return str(by_name[label, of].difference.direction)

    assert by_name["plain", script.SKEWNESS_SHARES[0]].value == pytest.approx(0.933, abs=0.005)
    assert direction("cooling", script.SKEWNESS) == "undecided"
    for label in ("cooling", "top + 2"):
        assert direction(label, script.ENTROPY) == "lower"
        seen = [direction(label, of) for of in script.SHARPENING]
        assert seen == ["higher", "higher", "higher", "lower", "lower"]
