from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from emdiag.core.errors import PlanError
from emdiag.core.outside import load_object, names_object, source_digest

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
ratio = 0.5

def half(x):
    return x / 2

class Halver:
    def grade(self): ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "outside_things.py").write_text(MODULE)
    (tmp_path / "outside_broken.py").write_text("1 / 0\n")
    (tmp_path / "outside_leaves.py").write_text("import sys\n\nsys.exit(7)\n")
    (tmp_path / "outside_grammar.py").write_text("a = 1\ndef\n")
    (tmp_path / "outside_needs.py").write_text("import no_such_library\n")
    (tmp_path / "outside_stopped.py").write_text("raise KeyboardInterrupt\n")
    (tmp_path / "outside_prints.py").write_text("print('loaded')\ndef half(x): ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.delitem(sys.modules, "outside_things", raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_an_object_of_the_current_folder_is_loaded() -> None:
    half = load_object("outside_things:half", kind="metric")
    assert callable(half)
    assert half(3) == 1.5
    assert load_object("outside_things:Halver", kind="grader", needs=["grade"])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("spec", "needs", "words"),
    [
        ("outside_things.half", (), ["package.module:name", "'outside_things.half'"]),
        ("outside_nothing:half", (), ["ModuleNotFoundError", "outside_nothing"]),
        ("outside_broken:half", (), ["ZeroDivisionError", "outside_broken"]),
        ("outside_things:third", (), ["no 'third'", "it has: Halver, half"]),
        ("outside_things:ratio", (), ["not a metric", "not callable", "float"]),
        (
            "outside_things:Halver",
            ("grade", "classes", "identity"),
            ["not a metric", "lacks classes, identity", "the class Halver"],
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(
    spec: str, needs: tuple[str, ...], words: list[str]
) -> None:
    with pytest.raises(PlanError) as refused:
        load_object(spec, kind="metric", needs=needs)
    assert all(word in str(refused.value) for word in words)
    assert refused.value.hint


def test_what_is_built_into_python_has_a_source_digest_too() -> None:
    assert source_digest("sys:exit") == source_digest("builtins:print")


@pytest.mark.parametrize("text", ["a:b", "a.b:c_1"])
def test_names_of_objects_are_told_from_other_names(text: str) -> None:
    assert names_object(text)
    assert not any(map(names_object, ["hf:org/model", "./a:b", text + ":d", "transformers", "1:2"]))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("module", "words", "line"),
    [
        ("outside_broken", "ZeroDivisionError: division by zero", 1),
        ("outside_leaves", "SystemExit: 7", 3),
        ("outside_grammar", "SyntaxError: invalid syntax", 2),
        ("outside_needs", "ModuleNotFoundError: No module named 'no_such_library'", 1),
    ],
)
def test_a_module_that_raises_is_said_to_have_been_found(
    folder: Path, module: str, words: str, line: int
) -> None:
    with pytest.raises(PlanError, match="was found, and its import raised") as refused:
        load_object(f"{module}:half", kind="metric")
    assert words in refused.value.message
    assert refused.value.facts["file"] == f"{folder / module}.py, line {line}"
    assert "install the package, or run" not in str(refused.value)


@pytest.mark.usefixtures("folder")
def test_an_interrupt_during_an_import_stays_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        load_object("outside_stopped:half", kind="metric")


@pytest.mark.usefixtures("folder")
def test_a_module_that_is_absent_has_the_hint_to_install_it() -> None:
    with pytest.raises(PlanError, match="install the package, or run the command in the folder"):
        load_object("outside_nothing.inner:half", kind="metric")


@pytest.mark.usefixtures("folder")
def test_what_a_module_prints_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    load_object("outside_prints:half", kind="metric")
    assert capsys.readouterr() == ("", "loaded\n")
