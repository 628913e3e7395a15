"""Guard: every remark of the package has words, and both know the same facts."""

from __future__ import annotations

import ast
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

import pytest

from emdiag.findings.remark_words import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PACKAGE = Path(__file__).parents[2] / "emdiag"

BESIDE_OTHERS = {"moved"}
"""Specifications that name values beside their own."""


def fields(template: str) -> set[str]:
    """Values that a template fills in, those that its specifications name included."""
    names: set[str] = set()
    for _, name, spec, _ in Formatter().parse(template):
        if name is not None:
            names.add(name)
            first, *others = (spec or "").split(" ")
            names.update(others if first in BESIDE_OTHERS else ())
    return names


def faults(sources: Iterable[str], templates: Mapping[str, str]) -> list[str]:
    """Remarks whose values are not those of their template, and templates that no remark uses."""
    wrong, used = [], set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "remark":
                continue
            code, *others = node.args
            names = {keyword.arg or "**" for keyword in node.keywords}
            if others or not isinstance(code, ast.Constant) or code.value not in templates:
                wrong.append(f"{ast.unparse(node)}: not a code of the table")
            elif names != fields(templates[code.value]):
                wrong.append(f"{ast.unparse(node)}: other values than in its words")
            else:
                used.add(code.value)
    return [*wrong, *(f"{code}: no remark is of it" for code in templates.keys() - used)]


def test_remarks_and_their_words_know_the_same_facts() -> None:
    sources = [file.read_text(encoding="utf-8") for file in sorted(PACKAGE.rglob("*.py"))]
    assert faults(sources, TEMPLATES) == []


@pytest.mark.parametrize(
    "source",
    [
        'remark("cut-off", share=0.1)',
        'remark("cut-off", share=0.1, limit=5, more=1)',
        'remark("cut-off", **values)',
        'remark("cut-of", share=0.1, limit=5)',
        "remark(code, share=0.1, limit=5)",
        'remark("moved", change=1, before=2)',
        "pass",
    ],
)
def test_the_guard_on_remarks_can_fail(source: str) -> None:
    templates = {"cut-off": "{share:percent} at {limit:count token}"}
    whole = 'remark("cut-off", share=0.1, limit=5)'
    assert faults([whole], templates) == []
    if "moved" in source:
        templates["moved"] = "{change:moved before after}"
    assert faults([source], templates)
