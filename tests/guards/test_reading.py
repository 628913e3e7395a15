"""Guard: files of a user or of a store are read by `core.reading` and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.guards.trees import tree_of

PACKAGE = Path(__file__).parents[2] / "emdiag"

READERS = {"json.load", "json.loads", "tomllib.load", "tomllib.loads"}
METHODS = {"read_text", "read_bytes"}
ELSEWHERE = {
    "core/reading.py": "the border itself",
    "core/outside.py": "source of a user's own module, by its digest",
    "cli/lab.py": "shipped with emdiag",
    "demonstration/run.py": "what the demonstration wrote before",
    "engines/checkpoint": "checkpoint folders, which have a border of their own",
    "engines/hf/memory.py": "the system's own",
    "lab": "shipped with emdiag",
    "reports/render.py": "shipped with emdiag",
    "store/files.py": "the name of the process that holds a folder",
}
"""Places that read for themselves, and what; nothing that a user or a store holds."""


def readers(source: str) -> list[str]:
    """Calls that read a whole file, JSON or TOML past the border."""
    calls = [node for node in ast.walk(tree_of(source)) if isinstance(node, ast.Call)]
    names = [ast.unparse(call.func) for call in calls]
    return [name for name in names if name in READERS or name.rpartition(".")[2] in METHODS]


def test_files_are_read_by_the_border() -> None:
    faults = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        if not any(name == place or name.startswith(f"{place}/") for place in ELSEWHERE):
            faults[name] = readers(file.read_text(encoding="utf-8"))
    assert {name: calls for name, calls in faults.items() if calls} == {}


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("x = json.loads(text)", 1),
        ("x = path.read_text(encoding='utf-8')", 1),
        ("x = tomllib.loads(text)", 1),
        ("x = InputFile(path=path).json()", 0),
    ],
)
def test_the_guard_on_readers_can_fail(line: str, count: int) -> None:
    assert len(readers(line)) == count
