"""Where the most likely token changed: bands from the base's token to the checkpoint's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline

from emdiag.findings.logits.rows import FLIPS
from emdiag.findings.logits.statements import flip_statements
from emdiag.findings.numbers import count
from emdiag.plots.logits.lookup import sample_sizes
from emdiag.plots.plain_text import plain_token
from emdiag.plots.sheet import Words, finish, sheet, title_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.logit_skew import TopTokenFlow
    from emdiag.plots.logits.lookup import DrawnStudy

MOST_ARMS = 3
MOST_PAIRS = 12
_NODE = 0.025
_SLOT = 1 / 13
_GAP = 0.012
_SIDES: Final = ((0.0, "right", -0.02, 0.02), (1.0, "left", 0.02, -0.02))


@dataclass(frozen=True, kw_only=True)
class _Node:
    """A token on one side; `top` and `height` are of the column, whose height is 1."""

    token: str
    count: int
    top: float
    height: float


def flips_figure(study: DrawnStudy) -> Figure | None:
    """The largest flows of the most likely token, a panel for each of up to three checkpoints.

    None where no flow was found.
    """
    texts = study.rows.in_order(flow.text for flow in study.result.flows)
    if not texts:
        return None
    text = texts[0]
    by_label = {label: _largest(study, label, text) for label in study.looks}
    by_label = {label: flows for label, flows in by_label.items() if flows}
    drawn = dict(list(by_label.items())[:MOST_ARMS])
    rest = len(by_label) - len(drawn)
    most = max(len(flows) for flows in by_label.values())
    rows = [row for row in study.rows.of_all(text, FLIPS) if row.checkpoint in drawn]
    words = Words(
        finding=title_lines(flip_statements(study.rows, text, list(drawn))),
        quiet=(
            f"Left: most likely token of {study.base_name}; right: of the checkpoint, at the "
            f"same positions of {study.text_name(text)}; {sample_sizes(rows)}. Up to {most} of "
            "the largest flows; the thickness is the number of positions, on a scale of its own in "
            "each panel." + (f" Not drawn: {count(rest, 'checkpoint')} more." if rest else "")
        ),
    )
    pairs = max(len(flows) for flows in drawn.values())
    figure, grid = sheet(words, height=0.7 + 0.24 * max(pairs, 5), shape=(1, len(drawn)))
    for axes, (label, flows) in zip(grid[0], drawn.items(), strict=True):
        _flows(axes, flows, colour=study.looks[label].colour, columns=len(drawn))
        axes.set_title(study.names[label], loc="center")
    return finish(figure)


def _largest(study: DrawnStudy, label: str, text: str) -> list[TopTokenFlow]:
    flows = [
        flow
        for flow in study.result.flows
        if (flow.checkpoint, flow.text) == (label, text) and flow.count > 0
    ]
    return sorted(flows, key=lambda flow: -flow.count)[:MOST_PAIRS]


def _flows(axes: Axes, flows: Sequence[TopTokenFlow], *, colour: str, columns: int) -> None:
    """Two columns of tokens and bands between them; both columns have one scale."""
    befores = _totals(flows, lambda flow: flow.from_token)
    afters = _totals(flows, lambda flow: flow.to_token)
    scale = min(_scale(list(befores.values())), _scale(list(afters.values())))
    left, right = _column(befores, scale), _column(afters, scale)
    starts = {token: _band_top(node, scale) for token, node in left.items()}
    ends = {token: _band_top(node, scale) for token, node in right.items()}
    order_left, order_right = list(left), list(right)
    for flow in sorted(
        flows,
        key=lambda flow: (order_left.index(flow.from_token), order_right.index(flow.to_token)),
    ):
        height = flow.count * scale
        outline = _band(starts[flow.from_token], ends[flow.to_token], height)
        axes.add_patch(
            PathPatch(outline, facecolor=f"{colour}50", edgecolor="white", linewidth=0.5)
        )
        starts[flow.from_token] += height
        ends[flow.to_token] += height
    for nodes, side in zip((left, right), _SIDES, strict=True):
        _write(axes, list(nodes.values()), side, colour=colour, scale=scale)
    room = 0.30 * columns - 0.08
    axes.set_xlim(-room, 1 + room)
    axes.set_ylim(1.02, -0.02)
    axes.set_axis_off()


def _totals(flows: Sequence[TopTokenFlow], side: Callable[[TopTokenFlow], str]) -> dict[str, int]:
    """Tokens of one side with their counts, the largest first."""
    totals: dict[str, int] = {}
    for flow in flows:
        totals[side(flow)] = totals.get(side(flow), 0) + flow.count
    return dict(sorted(totals.items(), key=lambda item: -item[1]))


def _scale(counts: Sequence[int]) -> float:
    """Height of one position, so that slots of at least `_SLOT` fill the column and no more."""
    fixed = 0
    for fixed in range(len(counts)):
        large = counts[: len(counts) - fixed]
        scale = (1 - fixed * _SLOT - len(large) * _GAP) / sum(large)
        if min(large) * scale + _GAP >= _SLOT:
            return scale
    return (_SLOT - _GAP) / max(counts)


def _column(totals: Mapping[str, int], scale: float) -> dict[str, _Node]:
    slots = [max(number * scale + _GAP, _SLOT) for number in totals.values()]
    top, nodes = (1 - sum(slots)) / 2, {}
    for (token, number), slot in zip(totals.items(), slots, strict=True):
        nodes[token] = _Node(token=token, count=number, top=top, height=slot)
        top += slot
    return nodes


def _band_top(node: _Node, scale: float) -> float:
    """Bands of a node that is smaller than its slot lie in the middle of it."""
    return node.top + (node.height - node.count * scale) / 2


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
    axes: Axes,
    nodes: Sequence[_Node],
    side: tuple[float, str, float, float],
    *,
    colour: str,
    scale: float,
) -> None:
    at, towards, outside, inside = side
    for node in nodes:
        middle = node.top + node.height / 2
        height = node.count * scale
        corner = (min(at, at - _NODE) + (_NODE if at == 0 else 0), middle - height / 2)
        axes.add_patch(Rectangle(corner, _NODE, height, facecolor=colour, linewidth=0))
        axes.text(at + outside, middle, plain_token(node.token), ha=towards, va="center", size=8)
        opposite = "left" if towards == "right" else "right"
        place = at + inside + (_NODE if at == 0 else -_NODE)
        axes.text(
            place, middle, f"{node.count:,}", ha=opposite, va="center", size=6.5, color="#222222"
        )
