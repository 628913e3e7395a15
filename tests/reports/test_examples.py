from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "reports" / "examples"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_examples", EXAMPLES / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_pages_are_what_their_record_renders_to(
    build: ModuleType, tmp_path: Path
) -> None:
    pinned = f"matplotlib=={mpl.__version__}"
    if pinned not in (ROOT / "constraints.txt").read_text().splitlines():
        pytest.skip(f"figures were drawn by another matplotlib than {mpl.__version__}")
    for page in build.build(tmp_path):
        shown = EXAMPLES / page.name
        assert page.read_bytes() == shown.read_bytes(), f"{page.name}: run `make reports`"


def test_the_record_holds_no_weights_and_no_place_of_a_machine(build: ModuleType) -> None:
    with build.recorded() as folder:
        names = [file.name for file in folder.rglob("*") if file.is_file()]
        texts = [file.read_text() for file in folder.rglob("*.json*")]
    assert names
    assert {Path(name).suffix for name in names} == {".json", ".jsonl"}
    for place in ("/tmp/", "/home/", "/root/", "/work/"):
        assert not any(place in text for text in texts), place
