"""Figures as a part of a page: nothing in them that could act, and no name that another uses."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

from markupsafe import Markup

from emdiag.findings.page import Picture

_TAGS: Final = frozenset(
    (
        *("svg", "g", "defs", "use", "symbol", "text", "tspan", "image"),
        *("path", "rect", "line", "circle", "ellipse", "polygon", "polyline"),
        *("clipPath", "mask", "pattern", "marker", "linearGradient", "radialGradient", "stop"),
    )
)
"""Structure and text; shapes; what shapes are filled and cut with."""

_POINTER: Final = re.compile(r"url\(\s*['\"]?#([^)'\"]+)['\"]?\s*\)")
_PIXELS_PER_POINT = 96 / 72
_DRAWN_LINES: Final = {"stroke-linejoin": "round", "stroke-linecap": "butt"}
"""What the style sheet of a matplotlib file says of every element; sheets are left out here."""


def inline_svg(picture: Picture, *, prefix: str) -> Markup:
    """The figure as an `svg` element.

    Args:
        picture: Whose SVG is a whole file, as matplotlib writes it.
        prefix: Of every name in it, unique on the page.

    Raises:
        ValueError: The SVG is not well-formed.
    """
    try:
        root = ET.fromstring(picture.svg)
    except ET.ParseError as error:
        raise ValueError(f"figure {picture.name!r} is no SVG: {error}") from error
    width = _pixels(root.get("width", ""))
    used = {name for element in root.iter() for name in _pointers(element)}
    _clean(root, prefix=prefix, used=used)
    for name in ("width", "height", "version", "id"):
        root.attrib.pop(name, None)
    root.attrib |= {
        **_DRAWN_LINES,
        "role": "img",
        "aria-label": picture.alt,
        "style": f"--natural:{width:.0f}px",
    }
    return Markup(ET.tostring(root, encoding="unicode"))


def _clean(element: ET.Element, *, prefix: str, used: set[str]) -> None:
    """Make one element and all below it harmless, in place."""
    element.tag = _local(element.tag)
    element.attrib = {
        _local(name): _POINTER.sub(rf"url(#{prefix}\1)", value)
        for name, value in element.attrib.items()
        if not _local(name).startswith("on")
    }
    identity = element.attrib.pop("id", None)
    if identity in used:
        element.attrib["id"] = f"{prefix}{identity}"
    target = element.attrib.pop("href", "")
    if target.startswith("#"):
        element.attrib["href"] = f"#{prefix}{target[1:]}"
    elif target.startswith("data:image/png;base64,"):
        element.attrib["href"] = target
    for child in list(element):
        if not isinstance(child.tag, str) or _local(child.tag) not in _TAGS:
            element.remove(child)
        else:
            _clean(child, prefix=prefix, used=used)
    if len(element) and not (element.text or "").strip():
        element.text = None
    if not (element.tail or "").strip():
        element.tail = None


def _pointers(element: ET.Element) -> set[str]:
    ids = {name for value in element.attrib.values() for name in _POINTER.findall(value)}
    for name, value in element.attrib.items():
        if _local(name) == "href" and value.startswith("#"):
            ids.add(value[1:])
    return ids


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _pixels(length: str) -> float:
    match = re.fullmatch(r"([\d.]+)(pt|px|)", length)
    if match is None:
        return 800.0
    return float(match[1]) * (_PIXELS_PER_POINT if match[2] == "pt" else 1.0)
