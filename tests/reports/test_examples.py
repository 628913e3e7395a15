from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pytest

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

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


@pytest.mark.whole
def test_the_example_pages_are_what_their_record_renders_to(
    build: ModuleType, tmp_path: Path
) -> None:
    pinned = f"matplotlib=={mpl.__version__}"
    if pinned not in (ROOT / "constraints.txt").read_text().splitlines():
        pytest.skip(f"figures were drawn by another matplotlib than {mpl.__version__}")
    for page in build.build(tmp_path):
        words, numbers = parts(page.read_text())
        shown_words, shown_numbers = parts((EXAMPLES / page.name).read_text())
        assert words == shown_words, f"{page.name}: run `make reports`"
        assert np.allclose(numbers, shown_numbers, rtol=0, atol=0.02), page.name


def parts(page: str) -> tuple[list[str], NDArray[np.float64]]:
    """What a page says, and the numbers with a point in it.

    Coordinates of a figure may differ in their last digit between processors, and with them the
    names that matplotlib derives from them.
    """
    found = re.split(r"(-?\d+\.\d+)", re.sub(r"\b[a-z]{1,2}[0-9a-f]{10}\b", "name", page))
    return found[::2], np.array(found[1::2], dtype=np.float64)


def test_a_page_that_says_something_else_is_seen() -> None:
    words, numbers = parts("<p>61.0 % right, see m0123456789</p>")
    assert words == parts("<p>61.0 % right, see maaaaaaaaaa</p>")[0]
    assert words != parts("<p>61.0 % wrong, see m0123456789</p>")[0]
    assert not np.allclose(numbers, parts("<p>61.1 % right, see m0123456789</p>")[1], atol=0.02)


def test_the_record_holds_no_weights_and_no_place_of_a_machine(build: ModuleType) -> None:
    with build.recorded() as folder:
        names = [file.name for file in folder.rglob("*") if file.is_file()]
        texts = [file.read_text() for file in folder.rglob("*.json*")]
    assert names
    assert {Path(name).suffix for name in names} == {".json", ".jsonl"}
    places = re.compile(r"""(?<=["' =])/[A-Za-z]\w+/""")
    assert places.search('{"ref": "/some/folder"}')
    assert not [found.group() for text in texts if (found := places.search(text))]
