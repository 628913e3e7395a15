"""More than one process: two on this machine's CPU for real, sharded weights by fakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from safetensors.torch import load_file
from typer.testing import CliRunner

from emdiag.cli.app import app
from emdiag.core.errors import EngineMissingError
from emdiag.train.devices import open_accelerator, whole_state, whole_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OPTIONS = (
    *("--problem", "toy/0000", "--recipe", "paper", "--template", "plain", "--no-chat"),
    *("--updates", "2", "--samples", "5", "--max-tokens", "6", "--lr", "1e-3"),
    *("--held-out-problems", "2", "--device", "cpu", "--json"),
)


def launch(start: Path, out: Path) -> dict[str, Any]:
    """The module in two processes, as `accelerate launch` starts it on two devices."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node", "2", "-m", "emdiag.train.em", str(start), *OPTIONS]
    found = subprocess.run(
        [*command, "--out", str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    result: dict[str, Any] = json.loads(found.stdout)
    return result


def test_two_processes_learn_what_one_learns(
    tmp_path: Path, save_tiny: Callable[..., Path]
) -> None:
    start = save_tiny(tmp_path / "start", max_position_embeddings=512)
    runner = CliRunner()
    alone = runner.invoke(app, ["train", "em", str(start), *OPTIONS, "--out", str(tmp_path / "1")])
    one, two = json.loads(alone.stdout), launch(start, tmp_path / "2")
    for place in ("first", "last"):
        a, b = one["cells"][0][place], two["cells"][0][place]
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-4)
        assert b["gradient_norm"] == pytest.approx(a["gradient_norm"], rel=1e-4)
        assert b["tokens"] == a["tokens"]
    weights = [load_file(tmp_path / str(n) / "update-0002/model.safetensors") for n in (1, 2)]
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, rtol=1e-3, atol=1e-5)
    manifest = json.loads((tmp_path / "2/update-0002/emdiag.json").read_text())
    assert manifest["provenance"]["train_processes"] == "2"
    assert len((tmp_path / "2/updates.jsonl").read_text().splitlines()) == 3


def fake(kind: DistributedType, **state: Any) -> Any:
    return SimpleNamespace(distributed_type=kind, state=SimpleNamespace(**state), is_fsdp2=False)


def test_whole_replicas_need_no_gathering() -> None:
    module = torch.nn.Linear(2, 2)
    accelerator = Accelerator(cpu=True)
    with whole_weights(accelerator, module):
        assert whole_state(accelerator, module) is None


def test_weights_in_shards_are_gathered_to_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []

    @contextmanager
    def summon(module: Any, *, writeback: bool) -> Iterator[None]:
        assert not writeback
        happened.append("open")
        yield
        happened.append("closed")

    monkeypatch.setattr(
        "torch.distributed.fsdp.FullyShardedDataParallel.summon_full_params", staticmethod(summon)
    )
    with whole_weights(fake(DistributedType.FSDP), torch.nn.Linear(2, 2)):
        assert happened == ["open"]
    assert happened == ["open", "closed"]


@pytest.mark.parametrize(("stage", "gathers"), [(2, False), (3, True)])
def test_zero_gathers_at_stage_three_only(
    monkeypatch: pytest.MonkeyPatch,
    stage: int,
    gathers: bool,  # noqa: FBT001
) -> None:
    happened: list[int] = []

    @contextmanager
    def gathered(parameters: list[Any]) -> Iterator[None]:
        happened.append(len(parameters))
        yield

    deepspeed = ModuleType("deepspeed")
    deepspeed.zero = SimpleNamespace(GatheredParameters=gathered)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "deepspeed", deepspeed)
    plugin = SimpleNamespace(zero_stage=stage)
    accelerator = fake(DistributedType.DEEPSPEED, deepspeed_plugin=plugin)
    with whole_weights(accelerator, torch.nn.Linear(2, 2)):
        pass
    assert happened == ([2] if gathers else [])


def test_the_whole_state_has_the_models_own_names() -> None:
    accelerator = fake(DistributedType.FSDP)
    accelerator.get_state_dict = lambda _module: {"model.lm_head.weight": torch.ones(1)}
    state = whole_state(accelerator, torch.nn.Linear(1, 1))
    assert state is not None
    assert list(state) == ["lm_head.weight"]


def test_a_tracker_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineMissingError, match="the tracker aim is asked for"):
        open_accelerator(device="cpu", tracker="aim", folder=tmp_path)
