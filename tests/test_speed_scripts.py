from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from types import ModuleType

SPEED = Path(__file__).resolve().parents[1] / "benchmarks" / "speed"
TEMPERATURE = 0.5
PROMPT = (5, 3, 8)
DRAWN = [(1, 2, 3, 4), (9, 9, 2, 7), (4, 4, 4, 4), (6, 1, 8, 2)]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SPEED))
    return importlib.import_module("em_peaks")


def test_the_two_ways_whose_time_is_compared_make_the_same_update(script: ModuleType) -> None:
    models = [_model(script) for _ in range(2)]
    start = [weight.detach().clone() for weight in models[0].parameters()]
    ours = script.Emdiag(models[0], temperature=TEMPERATURE, micro_batch=3, checkpointing=False)
    plain = script.Plain(models[1], temperature=TEMPERATURE)
    losses = [(ours.update(PROMPT, DRAWN), plain.update(PROMPT, DRAWN)) for _ in range(3)]
    assert losses[0][0] != losses[2][0]
    for mine, theirs in losses:
        assert mine == pytest.approx(theirs, rel=1e-5)
    moved = [_moved(model, start) for model in models]
    assert (moved[0] - moved[1]).norm() < 1e-2 * moved[1].norm()


def _model(script: ModuleType) -> torch.nn.Module:
    torch.manual_seed(0)
    model: torch.nn.Module = script.random_qwen2(64)
    return model


def _moved(model: torch.nn.Module, start: list[torch.Tensor]) -> torch.Tensor:
    pairs = zip(model.parameters(), start, strict=True)
    return torch.cat([(weight.detach() - old).flatten() for weight, old in pairs])
