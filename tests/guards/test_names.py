"""Guards on names and sizes, each with a proof that it can fail."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.guards.trees import tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[2] / "emdiag"

MOST_LINES, MOST_FUNCTION_LINES = 400, 60

DIALECT = {
    "found", "one", "told", "beside", "mine", "there", "made", "every", "seen", "said", "lies",
    "alike", "many", "asked", "others", "another", "here", "these", "those", "theirs", "ours",
}  # fmt: skip
"""Words that say nothing of a thing; a name says what the thing is."""
MOST_DIALECT = {
    "cli": 2, "findings": 16, "plots": 1, "publish": 1,
}  # fmt: skip
"""Room to the number of such names that it may still have; elsewhere there are none."""


def long_things(package: Path) -> list[str]:
    """Modules and functions that are longer than a reader can hold.

    A command's signature is what it documents: its length counts from its docstring on.
    """
    faults = []
    for file in sorted(package.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        place = file.relative_to(package).as_posix()
        if len(text.splitlines()) > MOST_LINES:
            faults.append(place)
        for node in ast.walk(tree_of(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0].lineno if place.startswith("cli/") else node.lineno
                if (node.end_lineno or first) - first + 1 > MOST_FUNCTION_LINES:
                    faults.append(f"{place}: {node.name}")
    return faults


def shared_type_names(package: Path) -> dict[str, list[str]]:
    """Classes and type aliases of one name, private or not, in more than one module."""
    places = defaultdict(list)
    for file in sorted(package.rglob("*.py")):
        for node in _top_level(tree_of(file.read_text(encoding="utf-8")).body):
            if name := _type_name(node):
                places[name.lstrip("_")].append(file.relative_to(package).as_posix())
    return {name: files for name, files in places.items() if len(files) > 1}


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those under `if TYPE_CHECKING` too."""
    for node in body:
        yield from node.body if isinstance(node, ast.If) else [node]


def _type_name(node: ast.stmt) -> str | None:
    match node:
        case ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            letters = name.strip("_")
            return name if letters[:1].isupper() and not letters.isupper() else None
    return None


def dialect_names(package: Path) -> Counter[str]:
    """How many names of each room are taken from the dialect."""
    counts: Counter[str] = Counter()
    for file in sorted(package.rglob("*.py")):
        room = file.relative_to(package).parts[0].removesuffix(".py")
        names = _bound_names(tree_of(file.read_text(encoding="utf-8")))
        counts[room] += sum(name.strip("_") in DIALECT for name in names)
    return +counts


def _bound_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.ExceptHandler(name=str(name)) | ast.alias(asname=str(name)):
                yield name


def test_modules_and_functions_fit_a_screen_or_a_few() -> None:
    assert long_things(PACKAGE) == []


def test_a_type_name_stands_in_one_module() -> None:
    assert shared_type_names(PACKAGE) == {}


def test_names_say_what_a_thing_is() -> None:
    counts = dialect_names(PACKAGE)
    over = {room: count for room, count in counts.items() if count > MOST_DIALECT.get(room, 0)}
    assert over == {}


@pytest.mark.parametrize(
    ("file", "text", "faults"),
    [
        ("core/a.py", "x = 1\n" * 401, ["core/a.py"]),
        ("core/a.py", "def f():\n" + "    x = 1\n" * 60, ["core/a.py: f"]),
        ("core/a.py", "def f(\n" + "    *,\n    x\n" + "    ,\n" * 0 + "):\n    return x\n", []),
        ("cli/a.py", "def f(\n" + "".join(f"    x{n},\n" for n in range(70)) + "): ...\n", []),
        ("core/a.py", "def f(\n" + "".join(f"    x{n},\n" for n in range(70)) + "): ...\n",
         ["core/a.py: f"]),
    ],
)  # fmt: skip
def test_the_size_guard_can_fail(tmp_path: Path, file: str, text: str, faults: list[str]) -> None:
    _write(tmp_path, {file: text})
    assert long_things(tmp_path) == faults


def test_the_guard_on_type_names_can_fail(tmp_path: Path) -> None:
    texts = {
        "core/a.py": "class Row: ...\nPair = tuple[int, int]\nROWS = 3\nclass Own: ...\n",
        "core/b.py": "class _Row: ...\nROWS = 4\nR = 1\nif TYPE_CHECKING:\n    Pair = tuple[int]\n",
    }
    _write(tmp_path, texts)
    files = ["core/a.py", "core/b.py"]
    assert shared_type_names(tmp_path) == {"Row": files, "Pair": files}


def test_the_guard_on_names_can_fail(tmp_path: Path) -> None:
    texts = {
        "core/a.py": "found = [one for one in range(3)]\ndef f(_told, match): ...\n",
        "stats/a.py": "def every():\n    try: ...\n    except ValueError as said: ...\n",
        "cli/a.py": "import numpy as beside\nmatch = []\n",
    }
    _write(tmp_path, texts)
    assert dialect_names(tmp_path) == {"core": 3, "stats": 2, "cli": 1}


def _write(folder: Path, texts: dict[str, str]) -> None:
    for file, text in texts.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
