"""Guard: what is written goes through `core/files.py`, whole or not at all."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.guards.trees import tree_of

PACKAGE = Path(__file__).parents[2] / "emdiag"
BORDER = "core/files.py"

WRITERS = {
    "write_text", "write_bytes", "touch", "mkdir", "makedirs", "mkstemp", "mkdtemp", "savefig",
    "save_file", "save_pretrained", "write_table", "copyfile", "copytree", "copy", "copy2", "move",
    "rename", "renames", "symlink_to", "hardlink_to", "symlink", "dump", "NamedTemporaryFile",
}  # fmt: skip
"""Functions and methods that write a file, or make a folder, by its name."""
OWNERS = {"copy": {"shutil"}, "move": {"shutil"}, "replace": {"os"}, "dump": {"json", "pickle"}}
"""Of names that other things have too: whose they are."""
ALLOWED = {
    "cli/streams.py": ["open"],  # of the null device, for a pipe that closed
    "plots/style.py": ["savefig"],  # into a string
}


def writing_calls(source: str) -> list[str]:
    """Calls that write elsewhere than into a `partial`, which `replacing` gives."""
    return [
        name
        for node in ast.walk(tree_of(source))
        if isinstance(node, ast.Call)
        and (name := ast.unparse(node.func).rpartition(".")[2])
        and _writes(node, name)
        and "partial" not in {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    ]


def _writes(node: ast.Call, name: str) -> bool:
    owner = ast.unparse(node.func).rpartition(".")[0]
    if name in OWNERS:
        return owner in OWNERS[name]
    if name != "open":
        return name in WRITERS
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    texts = [value.value for value in values if isinstance(value, ast.Constant)]
    return any(isinstance(text, str) and _is_mode(text) for text in texts)


def _is_mode(text: str) -> bool:
    return bool(set(text) & set("wax+")) and set(text) <= set("rwaxbt+")


def test_what_is_written_goes_through_one_module() -> None:
    calls = {
        place: names
        for file in sorted(PACKAGE.rglob("*.py"))
        if (place := file.relative_to(PACKAGE).as_posix()) != BORDER
        and (names := writing_calls(file.read_text(encoding="utf-8")))
    }
    assert calls == ALLOWED


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ('open("a", "w")', ["open"]),
        ('path.open(mode="ab", buffering=0)', ["open"]),
        ('path.open("r+b")', ["open"]),
        ('path.open("rb")', []),
        ('webbrowser.open("wax.html")', []),
        ('path.write_text("a")', ["write_text"]),
        ("(partial / 'a').write_bytes(b'')", []),
        ("path.parent.mkdir(parents=True)", ["mkdir"]),
        ("figure.savefig(path)", ["savefig"]),
        ("figure.savefig(partial, format='svg')", []),
        ("model.save_pretrained(folder)", ["save_pretrained"]),
        ("os.replace(a, b)", ["replace"]),
        ("text.replace(a, b)", []),
        ("shutil.copy(a, b)", ["copy"]),
        ("values.copy()", []),
    ],
)
def test_the_guard_on_writing_can_fail(line: str, calls: list[str]) -> None:
    assert writing_calls(line) == calls
