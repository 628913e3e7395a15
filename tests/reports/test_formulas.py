from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from latex2mathml import commands

from emdiag.reports.formulas import Tree, find_formulas, formula_tree, formula_trees

COMMANDS = sorted(
    {value for value in vars(commands).values() if isinstance(value, str)}
    | set(r"{}^_&[]()a1 ")
    | {r"\\", "{x}"}
)

ELEMENTS = {
    "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub",
    "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "none",
    "mtable", "mtr", "mtd", "mstyle", "mphantom",
}  # fmt: skip
"""Of MathML Core; none of them loads, links or runs anything."""
ATTRIBUTES = {
    "accent", "accentunder", "class", "display", "displaystyle", "fence", "form", "height",
    "largeop", "linethickness", "mathvariant", "maxsize", "minsize", "movablelimits",
    "scriptlevel", "stretchy", "symmetric", "width",
}  # fmt: skip


def walk(tree: Tree) -> list[Tree]:
    return [tree, *(node for part in tree if isinstance(part, list) for node in walk(part))]


def words(tree: Tree) -> str:
    return "".join(words(part) if isinstance(part, list) else part
                   for part in tree[1:] if isinstance(part, list | str))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"so \(a+b\) and \[c\]", [r"\(a+b\)", r"\[c\]"]),
        ("so $x$ and $$y^2$$", ["$x$", "$$y^2$$"]),
        (r"A \boxed{\frac{1}{\sqrt{2}}}.", [r"\boxed{\frac{1}{\sqrt{2}}}"]),
        (r"$\boxed{4}$", [r"$\boxed{4}$"]),
        (r"\begin{align*} a&=\begin{pmatrix}1\end{pmatrix}\\[4pt] b \end{align*}",
         [r"\begin{align*} a&=\begin{pmatrix}1\end{pmatrix}\\[4pt] b \end{align*}"]),
        (r"$x = \$5$ each", [r"$x = \$5$"]),
        (r"\[ a \\[2pt] b \]", [r"\[ a \\[2pt] b \]"]),
        ("over\n$a +\nb$", ["$a +\nb$"]),
    ],
)  # fmt: skip
def test_formulas_are_found_with_what_encloses_them(text: str, found: list[str]) -> None:
    assert list(find_formulas(text)) == found


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and then $6.",
        "between $10-$20",
        "from 5$ to 6$",
        r"\$5 and \$6",
        "$ x $",
        "$a paragraph\n\nends$",
        r"\boxed{never closed",
        r"\( never closed",
    ],
)
def test_money_and_what_is_never_closed_are_no_formulas(text: str) -> None:
    assert list(find_formulas(text)) == []


def test_a_fraction_becomes_elements_and_no_markup() -> None:
    assert formula_tree(r"$\frac{1}{x}$") == [
        "math", {"display": "inline"},
        ["mrow", ["mfrac", ["mrow", ["mn", "1"]], ["mrow", ["mi", "x"]]]],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "latex",
    [
        r"$\href{javascript:alert(1)}{x}$",
        r"$\style{position:fixed}{x}$",
        r"$\class{answer}{x}$",
        r"$\rule{9999em}{9999em}x$",
        r"$\text{<script>alert(1)</script>}$",
        r"$\color{red}{x}$",
    ],
)
def test_only_harmless_elements_and_attributes_are_left(latex: str) -> None:
    tree = formula_tree(latex)

    assert tree is not None
    for node in walk(tree):
        assert node[0] in {"math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mstyle"}
        attributes = next((part for part in node if isinstance(part, dict)), {})
        assert set(attributes) <= {"display", "stretchy", "fence", "form", "mathvariant"}


def test_marks_that_reorder_text_are_named_in_formulas_too() -> None:
    tree = formula_tree(r"$\unicode{x202E}$")

    assert tree is not None
    assert "[U+202E]" in words(tree)


@pytest.mark.parametrize(
    "latex",
    [
        "$" + r"\frac{" * 60 + "$",
        "$" + "{" * 190 + "}" * 190 + "$",
        r"$\newcommand{\a}{xx}\newcommand{\b}{\a\a}\b$",
        r"$\def\a{\a\a}\a$",
        r"$x^a^b$",
        r"$\begin{matrix}$",
        r"$\left($",
        r"$\tag[x^\tag*\\\textmd$",
        "$" + "x" * 500 + "$",
    ],
)
def test_what_is_too_much_or_not_understood_stays_raw(latex: str) -> None:
    assert formula_tree(latex) is None


def unsafe_parts(tree: Tree | None) -> set[str]:
    """Elements and attributes that no page may show, in a tree that was made."""
    nodes = walk(tree) if tree is not None else []
    names = {str(node[0]) for node in nodes}
    attributes = {
        name for node in nodes for part in node if isinstance(part, dict) for name in part
    }
    return (names - ELEMENTS) | (attributes - ATTRIBUTES)


@given(st.lists(st.sampled_from(COMMANDS), max_size=30))
@example([r"\boxed", r"{\href{javascript:alert(1)}{x}}", r"\style{color:red}{y}"])
@example([r"\frac", "1", "{x}"])
def test_no_order_of_commands_breaks_the_conversion(parts: list[str]) -> None:
    assert unsafe_parts(formula_tree(f"${''.join(parts)}$")) == set()


@given(st.text(alphabet=r"\{}[]()$^_&ab1 fracsqtleibgnd", max_size=200))
def test_no_text_breaks_the_conversion(text: str) -> None:
    whole, at = f"${text}$ {text}", 0
    for raw in find_formulas(whole):
        at = whole.index(raw, at) + len(raw)  # in order, and none inside of another
        assert unsafe_parts(formula_tree(raw)) == set()


@pytest.mark.parametrize(
    "unit",
    ["$", r"\(", r"\[", r"\boxed{", r"\begin{align}", "$a", "$$a", r"\boxed{{{{", r"\boxed{a{b}"],
)
def test_a_megabyte_that_never_closes_is_searched_in_one_go(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))  # looked at anew from each start, it would take hours

    assert all(len(raw) <= 300_000 for raw in find_formulas(text))


def test_formulas_of_problems_come_first_and_then_the_most_frequent() -> None:
    texts = ["$a$ $b$ $b$", "$b$ $c$ $c$ $c$ $c$"]

    assert list(formula_trees(texts, first=["$z$"])) == ["$z$", "$c$", "$b$", "$a$"]
    assert list(formula_trees(texts, first=["$z$"], most=2)) == ["$z$", "$c$"]


@pytest.mark.parametrize(
    "latex",
    [
        r"$\begin{pmatrix}1&2&\end{pmatrix}$",
        r"$\begin{array}{c}1&2&\end{array}$",
        r"$\begin{cases}1&2&\end{cases}$",
        r"$\begin{bmatrix}+&-&\end{bmatrix}$",
        r"$\begin{matrix}&\end{matrix}$",
        r"$\boxed{42}\phantom{\boxed{43}}$",
        r"$\hphantom{7}$",
        r"$\vphantom{7}x$",
        r"$x%7$",
        r"$\textcolor{white}{7}$",
    ],
)
def test_what_would_lose_or_hide_text_stays_raw(latex: str) -> None:
    assert formula_tree(latex) is None


def test_no_space_moves_a_sign_onto_another() -> None:
    tree = formula_tree(r"$x\hspace{-9em}y\!z$")

    assert tree is not None
    widths = [part.get("width") for node in walk(tree) for part in node if isinstance(part, dict)]
    assert [width for width in widths if width] == []
