"""Guard: what is printed goes through `cli/console.py`, where nothing in it commands a terminal."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.guards.trees import tree_of

PACKAGE = Path(__file__).parents[2] / "emdiag"
PRINTERS = {
    "print", "rich.print", "Console", "rich.console.Console", "typer.echo", "typer.secho",
    "click.echo", "echo", "secho", "os.write", "sys.stdout.write", "sys.stderr.write",
    "sys.stdout.buffer.write", "sys.stderr.buffer.write", "traceback.print_exc", "warnings.warn",
}  # fmt: skip
ALLOWED = {
    "__main__.py": ["sys.stderr.write"],  # one word, while the console is being imported
    "engines/checkpoint/template_worker.py": ["sys.stdout.buffer.write"],  # to its parent
    "cli/console.py": ["Console", "Console", "traceback.print_exc", "Console", "Console"],
}


def printing_calls(source: str) -> list[str]:
    """Calls that print, in their order."""
    nodes = [node for node in ast.walk(tree_of(source)) if isinstance(node, ast.Call)]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    return [name for node in nodes if (name := ast.unparse(node.func)) in PRINTERS]


def test_only_the_console_prints() -> None:
    calls = {
        file.relative_to(PACKAGE).as_posix(): names
        for file in sorted(PACKAGE.rglob("*.py"))
        if (names := printing_calls(file.read_text(encoding="utf-8")))
    }
    assert calls == ALLOWED


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ('print("a")', ["print"]),
        ("sys.stdout.buffer.write(b'a')", ["sys.stdout.buffer.write"]),
        ("typer.echo(label)", ["typer.echo"]),
        ("Console(stderr=True).print(label)", ["Console"]),
        ("out.line(label)", []),
    ],
)
def test_the_guard_on_printing_can_fail(line: str, calls: list[str]) -> None:
    assert printing_calls(line) == calls
