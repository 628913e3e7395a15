"""Which of several controls speaks for its checkpoint."""

from __future__ import annotations

import pytest

from emdiag.core.temperature_sweep import CoolingControl
from emdiag.studies.sweep.match_entropy import with_verdicts


def control(temperature: float, *, label: str = "em", benchmark: str = "chain") -> CoolingControl:
    return CoolingControl(
        checkpoint=label,
        base="base",
        benchmark=benchmark,
        temperature=temperature,
        base_temperature=0.5,
        entropy_nats=0.2,
        base_entropy_nats=0.2,
        tolerance_nats=0.005,
        tried=(0.5,),
        is_matched=True,
        value=0.8,
        base_value=0.6,
        difference=0.2,
        interval=None,
        verdict="undecided",
    )


@pytest.mark.parametrize(
    ("temperatures", "speaks"),
    [((0.2, 0.6, 1.0, 1.2), 1.0), ((1.1, 0.9, 0.2), 0.9), ((0.2, 0.5), 0.5), ((1.4, 1.2), 1.2)],
)
def test_the_control_nearest_to_temperature_one_speaks_and_of_two_the_lower(
    temperatures: tuple[float, ...], speaks: float
) -> None:
    marked = with_verdicts([control(temperature) for temperature in temperatures])
    assert [one.temperature for one in marked] == list(temperatures)
    assert [one.temperature for one in marked if one.is_headline] == [speaks]


def test_every_checkpoint_speaks_on_every_benchmark() -> None:
    marked = with_verdicts(
        [control(t, label=a, benchmark=b) for a in "xy" for b in "pq" for t in (0.4, 0.8)]
    )
    assert [one.temperature for one in marked if one.is_headline] == [0.8] * 4
