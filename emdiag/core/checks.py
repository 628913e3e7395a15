"""Values that must lie in a range, refused in one wording."""

from __future__ import annotations

from collections.abc import Iterable

FieldRule = tuple[str, bool, str]
"""A field, whether its value is allowed, and what it must be: `("samples", n >= 1, ">= 1")`."""


def broken_rule(values: object, rules: Iterable[FieldRule]) -> str | None:
    """The first broken rule, such as "`samples` must be >= 1, got 0"; None if all hold.

    Args:
        values: Whose attributes the fields are.
        rules: In the order in which they are checked.
    """
    for field, holds, expected in rules:
        if not holds:
            return f"`{field}` must be {expected}, got {getattr(values, field)}"
    return None
