from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.codec import to_plain
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.store.files import read_result
from tests.findings.sweeps import make_sweep

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "direction"),
    [
        (0.08, 0.12, 0.002, "higher"),
        (-0.12, -0.08, 0.002, "lower"),
        (0.08, 0.12, 0.06, "undecided"),
        (-0.01, 0.12, 0.002, "undecided"),
        (None, None, 0.002, "undecided"),
    ],
)
def test_slope_differences_of_0_1_0_get_their_direction(
    tmp_path: Path, low: float | None, high: float | None, p_holm: float, direction: str
) -> None:
    plain: Any = to_plain(make_sweep())
    del plain["kind"]
    (pair,) = plain["slope_differences"]
    del pair["direction"]
    ends = {"low": low, "high": high, "level": 0.95, "method": "bootstrap over problems"}
    pair |= {"interval": None if low is None else ends, "p_holm": p_holm}
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps({**plain, "statements": ["stored once"]}))
    (upgraded,) = read_result(file, TemperatureSweepResult).slope_differences
    assert upgraded.direction == direction


def test_sentences_that_json_prints_are_read_over(tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps({**to_plain(make_sweep()), "statements": ["printed"]}))
    assert read_result(file, TemperatureSweepResult) == make_sweep()
