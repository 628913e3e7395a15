"""Several named values read together: systems of solutions, and inequalities that hold at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from emdiag.grading.parse.ranges import meet
from emdiag.grading.parse.shapes import Many, Shape, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

_LETTER = re.compile(r"[A-Za-z]")


def intersected(shapes: Sequence[Shape], separators: Sequence[str]) -> str | None:
    r"""The interval of `x > 1, x < 4`, which holds at once; None where it is none."""
    if len(shapes) != 2 or separators[0] not in {",", "and", ";"}:
        return None
    if not all(isinstance(shape, Many) and shape.is_range for shape in shapes):
        return None
    left, right = (shape.text for shape in shapes)  # type: ignore[union-attr]
    return meet(left, right)


def grouped_systems(shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    """`x=3, y=8, x=5, y=1` as the pairs (3,8) and (5,1); empty where no name comes back in turn."""
    flat: list[Value] = []
    for shape in shapes:
        items = shape.items if isinstance(shape, Many) and shape.kind == "list" else (shape,)
        for item in items:
            if not isinstance(item, Value) or len(item.names) != 1:
                return ()
            flat.append(item)
    names = [item.names[0] for item in flat]
    width = len(dict.fromkeys(names))
    if width < 2 or len(names) == width or len(names) % width:
        return ()
    groups = [flat[at : at + width] for at in range(0, len(flat), width)]
    if any(sorted(item.names[0] for item in group) != sorted(names[:width]) for group in groups):
        return ()
    return tuple(as_tuple(group) for group in groups)


def as_tuple(values: Sequence[Value]) -> Many:
    """Named values as coordinates, in the order of their names where that is a custom."""
    ordered = in_order(values)
    return Many(
        kind="sequence", items=tuple(ordered), text="", opener="(", closer=")",
        names=tuple(item.names[0] for item in ordered),
    )  # fmt: skip


def in_order(values: Sequence[Value]) -> list[Value]:
    """Named values in a tuple's order: neighbouring letters by the alphabet, else as written."""
    names = [item.names[0] for item in values]
    letters = [name for name in names if _LETTER.fullmatch(name)]
    indexed = [re.fullmatch(r"([A-Za-z])_\{?(\d+)\}?", name) for name in names]
    if len(letters) == len(names) and len(set(names)) == len(names):
        spread = ord(max(letters)) - ord(min(letters))
        if spread < 2 * len(letters):
            return sorted(values, key=lambda item: item.names[0])
    if all(indexed) and len({match[1] for match in indexed if match}) == 1:
        order = [int(match[2]) for match in indexed if match]
        return [value for _, value in sorted(zip(order, values, strict=True), key=lambda x: x[0])]
    return list(values)
