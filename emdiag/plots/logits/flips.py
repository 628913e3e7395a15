"""Where the most likely token changed: bands from the base's token to the checkpoint's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline

from emdiag.plots.logits.lookup import What
from emdiag.plots.logits.words import ARROW, capped, counted, estimate, how_many
from emdiag.plots.plain_text import plain_token
from emdiag.plots.sheet import Words, finish, sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.logit_skew import TopTokenFlow
    from emdiag.plots.logits.lookup import Book

MOST_ARMS = 3
MOST_PAIRS = 12
_FLIPS = What(statistic="top1_flips_frac")
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


def flips_figure(book: Book) -> Figure | None:
    """The largest flows of the most likely token, a panel for each of up to three checkpoints.

    None where no flow was found.
    """
    texts = book.in_order(flow.text for flow in book.result.flows)
    if not texts:
        return None
    text = texts[0]
    flows = {label: _largest(book, label, text) for label in book.looks}
    flows = {label: found for label, found in flows.items() if found}
    drawn = dict(list(flows.items())[:MOST_ARMS])
    rest = len(flows) - len(drawn)
    most = max(len(found) for found in flows.values())
    rows = [row for row in book.found(text, _FLIPS) if row.checkpoint in drawn]
    base = book.names.get(book.result.base, "base")
    words = Words(
        finding=_finding(book, text, drawn),
        quiet=(
            f"Left: most likely token of {base}; right: of the checkpoint, at the same positions "
            f"of {book.label_of(text)}; {how_many(rows)}. Up to {most} of the largest flows; the "
            "thickness is the number of positions, on a scale of its own in each panel."
            + (f" Not drawn: {counted([rest], 'checkpoint')} more." if rest else "")
        ),
    )
    pairs = max(len(found) for found in drawn.values())
    figure, grid = sheet(words, height=0.7 + 0.24 * max(pairs, 5), shape=(1, len(drawn)))
    for axes, (label, found) in zip(grid[0], drawn.items(), strict=True):
        _flows(axes, found, colour=book.looks[label].colour, columns=len(drawn))
        axes.set_title(book.names[label], loc="center")
    return finish(figure)


def _largest(book: Book, label: str, text: str) -> list[TopTokenFlow]:
    found = [
        flow
        for flow in book.result.flows
        if (flow.checkpoint, flow.text) == (label, text) and flow.count > 0
    ]
    return sorted(found, key=lambda flow: -flow.count)[:MOST_PAIRS]


def _finding(book: Book, text: str, flows: Mapping[str, Sequence[TopTokenFlow]]) -> list[str]:
    lines = []
    for label, found in flows.items():
        row, top = book.find(label, text, _FLIPS), found[0]
        share = f"differs at {estimate(row)} of positions" if row else "differs"
        tokens = f"'{plain_token(top.from_token)}' {ARROW} '{plain_token(top.to_token)}'"
        lines.append(
            f"{book.names[label]}: most likely token {share}; most often {tokens} ({top.count:,})"
        )
    return capped(lines)


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
        flows, key=lambda one: (order_left.index(one.from_token), order_right.index(one.to_token))
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
    return dict(sorted(totals.items(), key=lambda one: -one[1]))


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
    slots = [max(count * scale + _GAP, _SLOT) for count in totals.values()]
    top, nodes = (1 - sum(slots)) / 2, {}
    for (token, count), slot in zip(totals.items(), slots, strict=True):
        nodes[token] = _Node(token=token, count=count, top=top, height=slot)
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
