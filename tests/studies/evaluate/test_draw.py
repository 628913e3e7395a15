"""Weights are loaded once for all that can be drawn from with them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

import emdiag
from emdiag.engines.scripted import ScriptedSampler, read_table
from emdiag.store.run_store import RunStore
from emdiag.studies.evaluate import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from emdiag.core.checkpoints import CheckpointRef
    from emdiag.core.sampling import Completion


class Family:
    """One engine for several tables, which says what was asked of it."""

    def __init__(self, events: list[str]) -> None:
        self._events = events
        self._serving: ScriptedSampler | None = None

    def serve(self, checkpoint: CheckpointRef) -> None:
        self._events.append(f"serve {checkpoint.label}")
        self._serving = ScriptedSampler(read_table(checkpoint.path))
        self.info = self._serving.info

    def sample(self, requests: Any, *, params: Any) -> Iterator[Completion]:
        assert self._serving is not None
        return self._serving.sample(requests, params=params)

    def close(self) -> None:
        self._events.append("close")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the engine that all checkpoints share."""
    events: list[str] = []

    def load(name: str, checkpoint: CheckpointRef, **options: Any) -> Family:
        siblings = [sibling.label for sibling in options["siblings"]]
        events.append(f"load {[checkpoint.label, *siblings]}")
        return Family(events)

    monkeypatch.setattr(draw, "open_sampler", load)
    monkeypatch.setattr(draw, "shared_load", lambda *_: "one base")
    return events


@pytest.fixture
def study(tmp_path: Path) -> dict[str, Any]:
    return {
        "store": tmp_path / "out",
        "home": tmp_path / "home",
        "engine": "scripted",
        "template": "plain",
        "grader_workers": 1,
        "benchmarks": "toy",
    }


def test_checkpoints_of_one_base_are_drawn_from_under_one_load(
    study: dict[str, Any],
    scripted: Callable[..., str],
    right_answers: Callable[..., Any],
    toy_ids: list[str],
    events: list[str],
    tmp_path: Path,
) -> None:
    refs = [scripted(name, right_answers(toy_ids[:n])) for name, n in (("a", 2), ("b", 9))]
    copy = shutil.copy(tmp_path / "a.json", tmp_path / "c.json")
    result = emdiag.evaluate([*refs, f"c={copy}"], **study)
    # What c would draw, a has drawn: they are equal, and have one run.
    assert events == ["load ['a', 'b']", "serve a", "serve b", "close"]
    assert [score.value for score in result.scores] == [2 / 12, 9 / 12, 2 / 12]
    assert len(list(RunStore(tmp_path / "out").runs())) == 2


def test_a_sweep_draws_all_of_its_arms_before_it_reads(
    study: dict[str, Any],
    scripted: Callable[..., str],
    right_answers: Callable[..., Any],
    toy_ids: list[str],
    events: list[str],
) -> None:
    refs = [scripted(name, right_answers(toy_ids[:n])) for name, n in (("a", 2), ("b", 9))]
    emdiag.temperature_sweep(refs, temperatures=[0, 0.5], entropy=False, **study)
    assert events == ["load ['a', 'b']", *["serve a"] * 2, *["serve b"] * 2, "close"]
