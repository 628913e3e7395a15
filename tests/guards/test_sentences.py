"""Guard: what users read is worded in `findings`, in templates, in errors and in help texts."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.guards.trees import tree_of

PACKAGE = Path(__file__).parents[2] / "emdiag"

ROOMS = ("studies", "measure", "ledger", "plots", "reports", "publish", "cli")
FEWEST_WORDS = 5
MOST_SENTENCES = {"cli": 12}
"""Room to the number of sentences that still stand in it; to be lowered, never raised.

Their sum was 385 in version 0.1.0, by this rule.
"""

_LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}
_OPTION_MAKERS = {"Option", "Argument", "Typer"}
_ERROR_MAKERS = {"InputFile", "system_error", "system_errors_as"}
"""What holds the words of the errors that it raises."""


def sentences(source: str) -> list[str]:
    """Literals of five words or more that are neither docstring, error, help text nor log line.

    Values filled into a text do not count as words. Everything in a `raise`, in a call of a class
    called `...Error`, in `InputFile`, which words errors, in `typer.Option` and its like, in
    `help=` and in a call of a logger is left out; so are strings that stand by themselves, which
    document what is above them.
    """
    finder = _Sentences()
    finder.visit(tree_of(source))
    return finder.texts


def sentences_by_room(package: Path) -> Counter[str]:
    """How many sentences stand in each room that should have none."""
    counts: Counter[str] = Counter()
    for room in ROOMS:
        for file in sorted((package / room).rglob("*.py")):
            counts[room] += len(sentences(file.read_text(encoding="utf-8")))
    return counts


class _Sentences(ast.NodeVisitor):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def visit_Raise(self, node: ast.Raise) -> None:
        """Errors have their own wording."""

    def visit_Assert(self, node: ast.Assert) -> None:
        self.visit(node.test)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func).rpartition(".")[2]
        owner = ast.unparse(node.func).rpartition(".")[0].lower()
        is_log = name in _LOG_METHODS and owner.strip("_").startswith("log")
        if not (name.endswith("Error") or name in _OPTION_MAKERS | _ERROR_MAKERS or is_log):
            self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg != "help":
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._take(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        texts = [part.value if isinstance(part, ast.Constant) else "0" for part in node.values]
        self._take("".join(str(text) for text in texts))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def _take(self, text: str) -> None:
        words = [word for word in text.split() if re.fullmatch(r"[(\"'`]*[A-Za-z'-]+\W*", word)]
        if len(words) >= FEWEST_WORDS:
            self.texts.append(text)


def test_sentences_stand_where_results_are_worded() -> None:
    counts = sentences_by_room(PACKAGE)
    over = {room: count for room, count in counts.items() if count > MOST_SENTENCES.get(room, 0)}
    assert over == {}, "a new sentence for users belongs in emdiag/findings"


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ('title = f"On {text} the answers are {count} tokens longer"', 1),
        ('out.say("runs are kept in the store named")', 1),
        ('f = lambda: ("one sentence of five words", "and another one of five")', 2),
        ('note("a " "text in two parts of one literal")', 1),
        ('x = f"{a} of {b}, {c} {d} {e}"', 0),
        ('def f():\n    """Only a docstring of many words."""', 0),
        ('x = 1\n"""Said about the constant above it."""', 0),
        ('raise ValueError(f"expected {a}, found {b}, do this or that")', 0),
        ('error = PlanError("one sentence of five words", hint="and another one of five")', 0),
        ('x: Annotated[int, typer.Option(min=1, help="Number of problems of the set.")]', 0),
        ('with system_errors_as("the page of it cannot be written"): ...', 0),
        ('app = Typer(help="Everything that the store holds now.")', 0),
        ('f = InputFile(path=p, what="one text", hint="one sentence of five words")', 0),
        ('_log.info("one sentence of five words")', 0),
        ('PATTERN = re.compile(r"(?:a|b) \\\\d+ [x-z] (?=c) d*")', 0),
    ],
)
def test_the_guard_on_sentences_can_fail(line: str, count: int) -> None:
    assert len(sentences(line)) == count
