"""Figures of a page with their words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.findings.page import Picture, sentence
from emdiag.plots.style import figure_svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emdiag.findings.page import Statement
    from emdiag.plots.style import Drawn


def picture(name: str, figure: Drawn, *, caption: str, alt: str) -> Picture:
    """A figure with its words."""
    return Picture(name=name, svg=figure_svg(figure), caption=caption, alt=alt)


def pictures(
    figures: Mapping[str, Drawn], captions: Mapping[str, str], *, shown: Sequence[Statement]
) -> tuple[Picture, ...]:
    """Figures that have a caption, in the order of the captions.

    Args:
        figures: By name.
        captions: What is drawn, by name; also the beginning of the text for who cannot see it.
        shown: What the figures show; ends that text.
    """
    findings = " ".join(sentence(statement.words) for statement in shown)
    return tuple(
        picture(name, figures[name], caption=caption, alt=f"{caption} {findings}".strip())
        for name, caption in captions.items()
        if name in figures
    )
