"""Settings in words, and records written before a field existed."""

from __future__ import annotations

import json

import pytest

from emdiag.core.codec import decode, encode
from emdiag.core.temperature_sweep import Axis, CoolingControl, SweepSetting


@pytest.mark.parametrize(
    ("setting", "axes", "words"),
    [
        (SweepSetting(temperature=0.0), (), "greedy"),
        (SweepSetting(temperature=0.6), (), "T 0.6"),
        (SweepSetting(temperature=0.6, top_p=0.9, top_k=20), (), "T 0.6, top-p 0.9, top-k 20"),
        (SweepSetting(temperature=1.0), ("temperature", "top_p"), "T 1, top-p 1"),
        (SweepSetting(temperature=1.0), ("top_k",), "T 1, top-k all"),
    ],
)
def test_a_setting_names_what_it_cuts_and_what_is_varied(
    setting: SweepSetting, axes: tuple[Axis, ...], words: str
) -> None:
    assert setting.words(axes) == words


def test_a_control_stored_without_the_mark_of_a_headline_can_still_be_read() -> None:
    control = CoolingControl(
        checkpoint="em",
        base="base",
        benchmark="chain",
        temperature=1.0,
        base_temperature=0.7,
        entropy_nats=0.2,
        base_entropy_nats=0.2,
        tolerance_nats=0.005,
        tried=(0.7,),
        is_matched=True,
        value=0.8,
        base_value=0.6,
        difference=0.2,
        interval=None,
        verdict="undecided",
    )
    old = json.loads(encode(control))
    del old["is_headline"]
    assert decode(json.dumps(old).encode(), CoolingControl) == control
