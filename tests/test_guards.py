"""Guards on the shape of the project, each with a proof that it can fail."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import emdiag
from tests.guards.trees import tree_of

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "emdiag"

LEVELS = {
    "core": 0,
    "resources": 0,
    "stats": 1,
    "findings": 1,
    "benchmarks": 1,
    "engines": 1,
    "grading": 1,
    "store": 1,
    "measure": 2,
    "lab": 2,
    "plots": 2,
    "reports": 3,
    "train": 4,
    "studies": 4,
    "ledger": 5,
    "publish": 6,
    "demonstration": 7,
    "cli": 8,
}
INNER_LEVELS = {
    "studies": {"stored": 0, "evaluate": 1, "sweep": 2, "logits": 2, "training": 2, "doctor": 2},
    "engines": {"checkpoint": 0, "hf": 1, "vllm": 1, "server": 1},
    "grading": {"parse": 0, "judge": 1, "pool": 2},
    "train": {"em": 0, "rl": 0},
    "plots": {"logits": 0, "sweep": 1},
}
"""Folders inside a room; modules beside the folders are anyone's in the room."""
LEAVES = {
    "torch": {"engines", "lab", "measure", "train"},
    "transformers": {"engines", "lab", "train"},
    "accelerate": {"train"},
    "trl": {"train"},
    "datasets": {"train"},
    "matplotlib": {"plots"},
    "seaborn": {"plots"},
    "vllm": {"engines"},
    "httpx2": {"engines"},
    "anyio": {"engines"},
    "huggingface_hub": {"engines", "benchmarks"},
    "math_verify": {"grading"},
    "sympy": {"grading"},
    "latex2sympy2_extended": {"grading"},
    "pebble": {"grading"},
    "numpy": {"stats", "studies", "ledger", "engines", "lab", "measure", "plots"},
    "scipy": {"stats"},
    "statsmodels": set(),
    "pyarrow": {"studies", "benchmarks"},
    "typer": {"cli"},
    "rich": {"cli"},
    "jinja2": {"reports", "engines"},
    "latex2mathml": {"reports"},
}
HEAVY = (
    "torch",
    "matplotlib",
    "accelerate",
    "trl",
    "transformers",
    "vllm",
    "sympy",
    "math_verify",
    "scipy",
    "pandas",
    "pyarrow",
)


def layering_faults(package: Path) -> list[str]:
    """Imports that point sideways, up, or at a library that belongs to another room."""
    faults = []
    for file in sorted(package.rglob("*.py")):
        room = file.relative_to(package).parts[0].removesuffix(".py")
        if room not in LEVELS:
            continue
        for imported in _imports(file):
            parts = imported.split(".")
            if parts[0] in LEAVES and room not in LEAVES[parts[0]]:
                faults.append(f"{file.name}: {room} imports {parts[0]}")
            if parts[0] != "emdiag" or len(parts) == 1 or parts[1] == room:
                continue
            if LEVELS[parts[1]] >= LEVELS[room] and not LEVELS[parts[1]] == LEVELS[room] == 0:
                faults.append(f"{file.name}: {room} imports {imported}")
    return faults


def inner_faults(package: Path) -> list[str]:
    """Imports inside a room that point up or sideways between its folders."""
    faults = []
    for room, levels in INNER_LEVELS.items():
        for file in sorted((package / room).rglob("*.py")):
            folder = file.relative_to(package / room).parts[0]
            for imported in _imports(file):
                parts = [*imported.split("."), "", ""]
                target = parts[2]
                if parts[:2] != ["emdiag", room] or target == folder:
                    continue
                if levels.get(target, -1) >= levels.get(folder, len(levels)):
                    faults.append(f"{room}/{folder}/{file.name} imports {imported}")
    return faults


def import_cycles(package: Path) -> list[str]:
    """Modules that import each other at their top, directly or through others."""
    edges = {
        _module(file, package): set(_imports(file, top_only=True)) for file in package.rglob("*.py")
    }
    found, done = [], set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            found.append(" -> ".join([*path[path.index(module) :], module]))
        elif module not in done:
            for target in edges[module] & edges.keys():
                visit(target, (*path, module))
            done.add(module)

    for module in edges:
        visit(module, ())
    return found


def _module(file: Path, package: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _imports(file: Path, *, top_only: bool = False) -> list[str]:
    tree = tree_of(file.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
    return found


def test_imports_point_down_and_libraries_stay_in_their_rooms() -> None:
    assert layering_faults(PACKAGE) == []


def test_imports_inside_a_room_point_down() -> None:
    assert inner_faults(PACKAGE) == []
    for room, levels in INNER_LEVELS.items():
        folders = {file.parent.name for file in (PACKAGE / room).glob("*/__init__.py")}
        assert folders == levels.keys()


def test_no_module_imports_itself_through_others() -> None:
    assert import_cycles(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("stats/a.py", "from emdiag.studies import plans"),
        ("stats/a.py", "from emdiag.store import journal"),
        ("core/a.py", "import emdiag.stats.intervals"),
        ("core/a.py", "import numpy as np"),
        ("cli/a.py", "def f():\n    import torch"),
        ("stats/a.py", "if TYPE_CHECKING:\n    from emdiag.studies import plans"),
    ],
)
def test_the_layering_guard_can_fail(tmp_path: Path, file: str, line: str) -> None:
    path = tmp_path / "emdiag" / file
    path.parent.mkdir(parents=True)
    path.write_text(line)
    assert len(layering_faults(tmp_path / "emdiag")) >= 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("studies/stored/a.py", "from emdiag.studies.evaluate.plan import x"),
        ("studies/sweep/a.py", "def f():\n    from emdiag.studies.logits.run import x"),
        ("engines/hf/a.py", "if TYPE_CHECKING:\n    from emdiag.engines.vllm.sampler import X"),
        ("grading/judge/a.py", "import emdiag.grading.pool.pool"),
    ],
)
def test_the_guard_on_inner_rooms_can_fail(tmp_path: Path, file: str, line: str) -> None:
    path = tmp_path / "emdiag" / file
    path.parent.mkdir(parents=True)
    path.write_text(f"from emdiag.core.errors import X\n{line}")
    assert len(inner_faults(tmp_path / "emdiag")) >= 1


def test_the_cycle_guard_can_fail(tmp_path: Path) -> None:
    folder = tmp_path / "emdiag" / "core"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("from emdiag.core.b import x")
    (folder / "b.py").write_text("import emdiag.core.a")
    assert import_cycles(tmp_path / "emdiag") != []


def _loaded_after(code: str) -> set[str]:
    found = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in found.stdout.split()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["eval", "--help"],
        ["logits-skew", "--help"],
        ["select", "--help"],
        ["report", "--help"],
        ["runs", "list"],
        ["benchmarks", "list"],
    ],
)
def test_light_commands_load_no_heavy_library(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import contextlib, io, os, sys\n"
        f"os.chdir({str(tmp_path)!r})\n"
        f"sys.argv = ['emdiag', *{arguments!r}]\n"
        "from emdiag.cli.app import main\n"
        "with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        main()\n"
    )
    assert _loaded_after(code) & set(HEAVY) == set()


def test_a_page_is_written_without_loading_an_engine_or_a_grader(tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text('{"*": ["nothing"]}')
    emdiag.evaluate(f"base={table}", "toy", store=tmp_path, home=tmp_path, grader_workers=1)
    code = f"import emdiag\nemdiag.report(store={str(tmp_path)!r}, home={str(tmp_path)!r})"
    engines = {"torch", "transformers", "vllm", "trl", "accelerate", "sympy", "math_verify"}
    assert _loaded_after(code) & engines == set()
    assert len(list(tmp_path.glob("reports/*.html"))) == 1


def test_the_light_import_guard_can_fail() -> None:
    assert "scipy" in _loaded_after("import emdiag\nemdiag.evaluate\nimport scipy")


def test_public_names_are_sorted_and_all_there() -> None:
    assert emdiag.__all__ == sorted(emdiag.__all__)
    for name in emdiag.__all__:
        assert getattr(emdiag, name).__doc__


def test_a_name_that_is_not_public_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = emdiag.nothing
