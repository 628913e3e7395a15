"""Source texts as trees, each read once for all guards."""

from __future__ import annotations

import ast
from functools import cache


@cache
def tree_of(source: str) -> ast.Module:
    """The tree of a source text; nobody changes it."""
    return ast.parse(source)
