"""Random tiny models of many families: drawn and read as the library alone does, or refused."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks" / "families"

QUICK = {
    "olmo2": "refill",
    "mixtral": "refill",
    "deepseek_v3": "refill",
    "deepseek_v32": "padded",
    "gemma4": "refill",
    "llama, dynamic NTK": "refill",
    "granite-4 hybrid": "padded",
    "mamba": "equal",
    "recurrent_gemma": "equal",
    "rwkv": "alone",
}
REFUSED = {"bert": "not causal", "xlnet": "not causal", "bart": "an encoder with a decoder"}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("families")


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.filterwarnings("default")  # of the library, in what it does alone
def test_a_family_is_drawn_and_read_as_the_library_does(script: ModuleType, name: str) -> None:
    outcome = script.tried(script.families()[name])
    assert outcome.refusal == ""
    assert outcome.check.way == QUICK[name]
    _holds(script, outcome)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("default")
def test_what_is_no_causal_language_model_is_refused(script: ModuleType, name: str) -> None:
    assert REFUSED[name] in script.tried(script.families()[name]).refusal


@pytest.mark.parametrize("heads", [2, 4, 15])
@pytest.mark.filterwarnings("default")
def test_sparse_attention_whose_index_ties_is_refused(script: ModuleType, heads: int) -> None:
    """With 4 the few tokens of the try were right, and those of two longer prompts were not."""
    family = script.families()["deepseek_v32"]
    few = dataclasses.replace(family, changes={**family.changes, "index_n_heads": heads})
    assert f"has {heads} index heads" in script.tried(few).refusal
    dense = dataclasses.replace(few, changes={**few.changes, "index_topk": 0})
    assert "index heads" not in script.tried(dense).refusal


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_every_family_is_right_or_refused(script: ModuleType) -> None:
    outcomes = {name: script.tried(family) for name, family in script.families().items()}
    drawn = [outcome for outcome in outcomes.values() if not outcome.refusal]
    for outcome in drawn:
        _holds(script, outcome)
    assert len(drawn) >= 130


def test_the_page_has_every_family(script: ModuleType) -> None:
    page = (ROOT / "docs" / "families.md").read_text()
    named = {row.split("|")[1].strip() for row in page.splitlines() if row.startswith("| ")}
    assert set(script.families()) <= named


def _holds(script: ModuleType, outcome: Any) -> None:
    assert outcome.equal == len(script.LENGTHS)
    assert outcome.distinct >= script.DISTINCT
    assert outcome.gap < 1e-3
