"""A command that is interrupted, wherever it is, ends with one line and its exit code."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from emdiag.cli import app as commands
from emdiag.cli import console

AT_AN_IMPORT = """
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            eval("exec('raise KeyboardInterrupt')")
sys.meta_path.insert(0, Interrupting())
sys.argv = ["emdiag", "runs", "list"]
from emdiag.__main__ import main
main()
"""


@pytest.mark.parametrize("name", ["emdiag.cli.app", "emdiag.cli.studies", "emdiag.store.run_store"])
def test_an_interruption_while_modules_load_ends_with_one_line(name: str) -> None:
    code = AT_AN_IMPORT.format(name=name)
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [(KeyboardInterrupt, 130, "interrupted"), (console.Terminated, 143, "terminated")],
)
def test_an_interruption_before_or_in_a_command_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException], code: int, word: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise error

    for place in ("emdiag.store.run_store.RunStore.runs", "typer.core.TyperCommand.parse_args"):
        monkeypatch.setattr(place, interrupt)
        ended = CliRunner().invoke(commands.app, ["runs", "list"])
        assert (ended.exit_code, ended.stderr) == (code, f"{word}\n")
