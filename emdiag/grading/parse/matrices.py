r"""Matrices and vectors as rows of cells: environments, brackets, multiples, sums, transposes."""

from __future__ import annotations

import re
from typing import NamedTuple

from emdiag.grading.parse.numbers import parse_number
from emdiag.grading.parse.split import split, split_keeping, tokens, unwrapped

_MATRIX = re.compile(
    r"\\begin\{([pbBvV]?(?:small)?matrix|array)\}(?:\{[^{}]*\})?(.*?)\\end\{\1\}", re.DOTALL
)
_BRACKETED = re.compile(
    r"[\[(]\s*\\begin\{(array|matrix|smallmatrix)\}(?:\{[^{}]*\})?(.*?)\\end\{\1\}\s*[\])]",
    re.DOTALL,
)
_TRANSPOSED = re.compile(r"\s*\^\s*\{?\s*(?:T|\\top|\\intercal|\\text\{T\}|\\prime)\s*\}?$")
_UNIT_VECTOR = re.compile(r"(.*?)\s*(?:\\cdot\s*)?(?:\\(?:hat|vec)\s*)?\{*\s*(?:\\?)([ijk])\s*\}*")
MAX_CELLS = 2500


class Cells(NamedTuple):
    """The texts of the cells, row by row, and the width."""

    columns: int
    cells: list[str]


def matrix_cells(text: str) -> Cells | None:
    """The cells of a matrix, a multiple of one or a sum of such; None for anything else."""
    literal = _literal(text)
    if literal is not None:
        return literal
    if r"\begin" not in text:
        return None
    text = _BRACKETED.sub(r"\\begin{pmatrix}\2\\end{pmatrix}", text)
    turned = _TRANSPOSED.search(text)
    if turned is not None:
        inner = matrix_cells(text[: turned.start()])
        return None if inner is None else _transposed(inner)
    terms = _terms(text)
    read = [_term(sign, term) for sign, term in terms]
    if not read or None in read:
        return None
    shapes = {(term[1].columns, len(term[1].cells)) for term in read if term is not None}
    if len(shapes) != 1:
        return None
    ((columns, _),) = shapes
    rows = zip(*(_scaled(*term) for term in read if term is not None), strict=True)
    return Cells(columns, [" + ".join(row) if len(row) > 1 else row[0] for row in rows])


def unit_vector_cells(text: str) -> list[str] | None:
    r"""The coordinates of `3\hat{i} + 8\hat{j}`; None where the text is no sum of unit vectors."""
    if not re.search(r"j\s*\}*\s*(?:$|[+-])", text) or len(text) > 200:
        return None
    cells: dict[str, str] = {}
    for sign, term in _terms(text):
        match = _UNIT_VECTOR.fullmatch(term)
        if match is None or match[2] in cells:
            return None
        cells[match[2]] = f"{'-' if sign == '-' else ''}{match[1].strip() or 1}"
    if not {"i", "j"} <= set(cells):
        return None
    return [cells[name] for name in "ijk" if name in cells or name != "k"]


def without_transpose(text: str) -> str:
    """`(3,8)` for `(3,8)^T`: a list of coordinates is no row and no column."""
    turned = _TRANSPOSED.search(text) if "^" in text else None
    bare = text[: turned.start()] if turned else text
    enclosed = unwrapped(bare) if turned else None
    return bare if enclosed is not None and "," in enclosed[1] else text


def _literal(text: str) -> Cells | None:
    """`[1,4;2,9]` as its rows."""
    enclosed = unwrapped(text) if ";" in text else None
    if enclosed is None or (enclosed[0], enclosed[2]) != ("[", "]"):
        return None
    rows = [split(row, {","}) for row in split(enclosed[1], {";"})]
    widths = {len(row) for row in rows}
    if len(rows) < 2 or len(widths) != 1:
        return None
    return Cells(widths.pop(), [cell for row in rows for cell in row])


def _terms(text: str) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    sign, current = "+", ""
    for token, depth in tokens(text):
        if depth == 0 and token in {"+", "-"}:
            if current.strip():
                out.append((sign, current.strip()))
                sign = token
            else:
                sign = "-" if token != sign else "+"
            current = ""
        else:
            current += token
    return [*out, (sign, current.strip())] if current.strip() else []


def _term(sign: str, text: str) -> tuple[str, Cells] | None:
    match = _MATRIX.search(text)
    if match is None or match[1][0] in "vV" or _MATRIX.search(text, match.end()):
        return None
    outside = f"{text[: match.start()]} {text[match.end() :]}"
    factor = re.sub(r"^\s*\\cdot|\\cdot\s*$", "", outside.strip()).strip()
    if re.search(r"[=<>&^_]\s*$|^\s*\^|\\begin", factor):
        return None
    rows = [row for row in re.split(r"\\\\", match[2]) if row.strip()]
    cells = [[cell for cell, _ in split_keeping(row.strip(), {"&"})] for row in rows]
    width = max((len(row) for row in cells), default=0)
    if not width or any(len(row) != width for row in cells) or width * len(cells) > MAX_CELLS:
        return None
    factor = (
        factor
        if sign == "+"
        else f"-{factor or 1}"
        if parse_number(factor or "1")
        else f"-({factor})"
    )
    return factor, Cells(width, [cell for row in cells for cell in row])


def _scaled(factor: str, cells: Cells) -> list[str]:
    if not factor:
        return cells.cells
    number = parse_number(factor)
    return [_product(factor, cell, number.value if number else None) for cell in cells.cells]


def _product(factor: str, cell: str, number: object) -> str:
    other = parse_number(cell)
    if number is not None and other is not None and other.value is not None:
        value = number * other.value  # type: ignore[operator]
        return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    return rf"({factor}) \cdot ({cell})"


def _transposed(matrix: Cells) -> Cells:
    rows = [
        matrix.cells[at : at + matrix.columns] for at in range(0, len(matrix.cells), matrix.columns)
    ]
    return Cells(len(rows), [cell for column in zip(*rows, strict=True) for cell in column])
