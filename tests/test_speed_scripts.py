from __future__ import annotations

import importlib
import json
import mmap
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
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


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SPEED))
    tiny = ["--texts", "1", "--tokens", "12", "--prompt-tokens", "4", "--growth", "1", "2"]
    command = ["logit_moments.py", *tiny, "--rounds", "2", "--no-memory"]
    monkeypatch.setattr(sys, "argv", command)
    return importlib.import_module("logit_moments")


def test_the_readings_whose_time_is_compared_find_the_same_moments(
    moments: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    moments.main()
    said = capsys.readouterr().out.splitlines()
    found = json.loads(said[-1])
    assert [row["tokens"] for row in found["rows"]] == [12, 24]
    assert len([line for line in said if line.split()[0] in {"12", "24"}]) == 2
    for row in found["rows"]:
        assert {name: len(values) for name, values in row["seconds"].items()} == {
            "emdiag": 2,
            "bare": 2,
            "plain": 2,
        }
        for name in ("mean", "sigma", "skewness"):
            ours, plain = row[name]
            assert ours == pytest.approx(plain, rel=1e-5)
        assert row["over_bare"] == round(middle_ratio(row["seconds"], "emdiag"), 3)
    pair = found["pair"]
    assert pair["over_two_bare"] == round(middle_ratio(pair["seconds"], "pair"), 3)
    assert set(found["versions"]) == set(moments.PACKAGES)


def test_a_reading_that_finds_another_skewness_ends_the_comparison(
    moments: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_way = moments.plain_way

    def without_the_last_text(model: object, texts: list[object]) -> object:
        return plain_way(model, texts[:1])

    monkeypatch.setattr(moments, "plain_way", without_the_last_text)
    with pytest.raises(SystemExit, match="not the same skewness"):
        moments.main()


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are read on Linux")
@pytest.mark.parametrize("way", ["emdiag", "plain"])
def test_the_peak_of_a_reading_is_its_highest_memory(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.syspath_prepend(str(SPEED))
    case = {
        "way": way,
        "path": None,
        "random_vocab": 64,
        "hidden": 128,
        "layers": 1,
        "sharpness": 1.0,
        "threads": torch.get_num_threads(),
        "texts": [[[1, 2, 3], [4, 5, 6]]],
    }
    ways = importlib.import_module("logit_ways")
    real_way = getattr(ways, f"{way}_way")

    def with_64_mib_for_a_moment(*arguments: object) -> object:
        with mmap.mmap(-1, 2**26) as area:
            for at in range(0, 2**26, mmap.PAGESIZE):
                area[at] = 1
        return real_way(*arguments)

    monkeypatch.setattr(ways, f"{way}_way", with_64_mib_for_a_moment)
    found = ways.measure_peak(case)
    assert found["rise"] == pytest.approx(found["peak"] - found["level"], abs=0.2)
    assert found["rise"] == pytest.approx(64, abs=8)


def middle_ratio(seconds: dict[str, list[float]], way: str) -> float:
    """Median over rounds of the time of a way over that of the bare pass."""
    return float(np.median(np.array(seconds[way]) / np.array(seconds["bare"])))


def _model(script: ModuleType) -> torch.nn.Module:
    torch.manual_seed(0)
    model: torch.nn.Module = script.random_qwen2(64)
    return model


def _moved(model: torch.nn.Module, start: list[torch.Tensor]) -> torch.Tensor:
    pairs = zip(model.parameters(), start, strict=True)
    return torch.cat([(weight.detach() - old).flatten() for weight, old in pairs])
