"""Where the most likely token changed: bands from the base's token to the checkpoint's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline

from emdiag.core.logit_skew import TopTokenFlow
from emdiag.findings.logits.captions import flips_note
from emdiag.findings.logits.rows import FLIPS
from emdiag.findings.logits.statements import flip_statements
from emdiag.plots.logits.lookup import DrawnStudy
from emdiag.plots.plain_text import plain_token
from emdiag.plots.sheet import sheet

MOST_ARMS = 3
MOST_PAIRS = 12
_NODE = 0.025
_SLOT = 1 / 13
_GAP = 0.012
_SIDES: Final = ((0.0, "right", -0.02, 0.045), (1.0, "left", 0.02, -0.045))
"""Where a column is, the side its tokens are aligned at, and where tokens and counts stand."""


@dataclass(frozen=True, kw_only=True)
class _Node:
    """A token on one side; `middle` and `height` are of the column, whose height is 1."""

    token: str
    count: int
    middle: float
    height: float


def flips_figure(study: DrawnStudy) -> Figure | None:
    """The largest flows of the most likely token, a panel for each of up to three checkpoints.

    None where no flow was found.
    """
    texts = study.rows.in_order(flow.text for flow in study.result.flows)
    if not texts:
        return None
    text = texts[0]
    by_label = {label: study.rows.flows(label, text)[:MOST_PAIRS] for label in study.looks}
    by_label = {label: flows for label, flows in by_label.items() if flows}
    drawn = dict(list(by_label.items())[:MOST_ARMS])
    rows = [row for row in study.rows.of_all(text, FLIPS) if row.checkpoint in drawn]
    figure, grid = sheet(
        flip_statements(study.rows, text, list(drawn)),
        flips_note(
            study.base_name,
            study.text_name(text),
            rows,
            most=max(map(len, by_label.values())),
            left_out=len(by_label) - len(drawn),
        ),
        height=0.7 + 0.24 * max(*map(len, drawn.values()), 5),
        shape=(1, len(drawn)),
    )
    for axes, (label, flows) in zip(grid[0], drawn.items(), strict=True):
        _flows(axes, flows, colour=study.looks[label].colour, columns=len(drawn))
        axes.set_title(study.names[label], loc="center")
    return figure


def _flows(axes: Axes, flows: Sequence[TopTokenFlow], *, colour: str, columns: int) -> None:
    """Two columns of tokens and bands between them; both columns have one scale."""
    totals: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for flow in flows:
        totals[0][flow.from_token] += flow.count
        totals[1][flow.to_token] += flow.count
    scale = min(_scale([number for _, number in of.most_common()]) for of in totals)
    left, right = (_column(of, scale) for of in totals)
    starts = {token: node.middle - node.height / 2 for token, node in left.items()}
    ends = {token: node.middle - node.height / 2 for token, node in right.items()}
    places = [list(left), list(right)]
    for flow in sorted(
        flows, key=lambda flow: (places[0].index(flow.from_token), places[1].index(flow.to_token))
    ):
        height = flow.count * scale
        outline = _band(starts[flow.from_token], ends[flow.to_token], height)
        axes.add_patch(
            PathPatch(outline, facecolor=f"{colour}50", edgecolor="white", linewidth=0.5)
        )
        starts[flow.from_token] += height
        ends[flow.to_token] += height
    for nodes, side in zip((left, right), _SIDES, strict=True):
        _write(axes, list(nodes.values()), side, colour=colour)
    room = 0.30 * columns - 0.08
    axes.set_xlim(-room, 1 + room)
    axes.set_ylim(1.02, -0.02)
    axes.set_axis_off()


def _scale(counts: Sequence[int]) -> float:
    """Height of one position, so that slots of at least `_SLOT` fill the column and no more."""
    for fixed in range(len(counts)):
        large = counts[: len(counts) - fixed]
        scale = (1 - fixed * _SLOT - len(large) * _GAP) / sum(large)
        if min(large) * scale + _GAP >= _SLOT:
            return scale
    return (_SLOT - _GAP) / max(counts)


def _column(totals: Counter[str], scale: float) -> dict[str, _Node]:
    """Tokens with the largest first; those smaller than a slot stand in the middle of it."""
    slots = {token: max(n * scale + _GAP, _SLOT) for token, n in totals.most_common()}
    top, nodes = (1 - sum(slots.values())) / 2, {}
    for token, slot in slots.items():
        middle, number = top + slot / 2, totals[token]
        nodes[token] = _Node(token=token, count=number, middle=middle, height=number * scale)
        top += slot
    return nodes


def _band(start: float, end: float, height: float) -> Outline:
    """A stripe of one thickness from the left column to the right one."""
    near, far = _NODE, 1 - _NODE
    corners = [
        *((near, start), (0.5, start), (0.5, end), (far, end)),
        *((far, end + height), (0.5, end + height), (0.5, start + height), (near, start + height)),
        (near, start),
    ]
    curve = [Outline.CURVE4] * 3
    codes = [Outline.MOVETO, *curve, Outline.LINETO, *curve, Outline.CLOSEPOLY]
    return Outline(corners, codes)


def _write(
    axes: Axes, nodes: Sequence[_Node], side: tuple[float, str, float, float], *, colour: str
) -> None:
    at, towards, outside, inside = side
    opposite = "left" if towards == "right" else "right"
    for node in nodes:
        corner = (at * (1 - _NODE), node.middle - node.height / 2)
        axes.add_patch(Rectangle(corner, _NODE, node.height, facecolor=colour, linewidth=0))
        words, number = plain_token(node.token), f"{node.count:,}"
        axes.text(at + outside, node.middle, words, ha=towards, va="center", size=8)
        small: dict[str, Any] = {"va": "center", "size": 6.5, "color": "#222222"}
        axes.text(at + inside, node.middle, number, ha=opposite, **small)
