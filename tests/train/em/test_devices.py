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
from accelerate.utils import DistributedType
from safetensors.torch import load_file
from typer.testing import CliRunner

from emdiag.cli.app import app
from emdiag.core.errors import EngineMissingError
from emdiag.train.em.devices import holds_parts, open_accelerator, refresh

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


@pytest.mark.whole
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


def fake(kind: DistributedType, *, stage: int = 0, second: bool = False) -> Any:
    plugin = SimpleNamespace(zero_stage=stage)
    return SimpleNamespace(
        distributed_type=kind, state=SimpleNamespace(deepspeed_plugin=plugin), is_fsdp2=second
    )


class Wrapped(torch.nn.Module):
    """As accelerate wraps what learns: the model is `model` inside of it."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model


@pytest.mark.parametrize(
    ("accelerator", "expected"),
    [
        (fake(DistributedType.NO), False),
        (fake(DistributedType.MULTI_GPU), False),
        (fake(DistributedType.FSDP), True),
        (fake(DistributedType.DEEPSPEED, stage=2), False),
        (fake(DistributedType.DEEPSPEED, stage=3), True),
    ],
)
def test_a_second_copy_is_kept_only_where_weights_lie_in_parts(
    accelerator: Any,
    expected: bool,  # noqa: FBT001
) -> None:
    assert holds_parts(accelerator) is expected


def learns_and_whole() -> tuple[torch.nn.Module, Wrapped]:
    whole, model = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    assert not torch.equal(whole.weight, model.weight)
    return whole, Wrapped(model)


def test_weights_under_fsdp_are_copied_while_they_are_gathered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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
    whole, module = learns_and_whole()
    refresh(whole, fake(DistributedType.FSDP), module)
    assert happened == ["open", "closed"]
    assert torch.equal(whole.weight, module.model.weight)
    assert torch.equal(whole.bias, module.model.bias)


def test_weights_under_the_second_fsdp_gather_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, module = learns_and_whole()
    asked: list[int] = []
    for weight in module.parameters():
        monkeypatch.setattr(
            weight, "full_tensor", lambda w=weight: asked.append(1) or w.detach() * 2, raising=False
        )
    refresh(whole, fake(DistributedType.FSDP, second=True), module)
    assert len(asked) == 2
    assert torch.equal(whole.weight, module.model.weight * 2)


def test_weights_under_zero_are_gathered_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[int] = []

    @contextmanager
    def gathered(parameters: list[Any]) -> Iterator[None]:
        happened.append(len(parameters))
        yield

    deepspeed = ModuleType("deepspeed")
    deepspeed.zero = SimpleNamespace(GatheredParameters=gathered)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "deepspeed", deepspeed)
    whole, module = learns_and_whole()
    refresh(whole, fake(DistributedType.DEEPSPEED, stage=3), module)
    assert happened == [1, 1]
    assert torch.equal(whole.weight, module.model.weight)


@pytest.mark.parametrize(
    "name",
    [
        "model.lm_head.weight",
        "module.model.lm_head.weight",
        "_fsdp_wrapped_module.model.lm_head._fsdp_wrapped_module.weight",
    ],
)
def test_names_of_wrappers_are_left_out(name: str) -> None:
    model = torch.nn.Module()
    model.lm_head = torch.nn.Linear(1, 1, bias=False)
    learns = SimpleNamespace(
        named_parameters=lambda: [(name, torch.nn.Parameter(torch.ones(1, 1)))]
    )
    refresh(model, fake(DistributedType.MULTI_GPU), learns)  # type: ignore[arg-type]  # a fake
    assert model.lm_head.weight.item() == 1


def test_a_tracker_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineMissingError, match="the tracker aim is asked for"):
        open_accelerator(device="cpu", tracker="aim", folder=tmp_path)
