"""A page as one HTML file that opens anywhere and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from emdiag.core.errors import system_errors_as
from emdiag.core.files import make_folder, write_atomically
from emdiag.core.marks import visible
from emdiag.core.paths import page_path
from emdiag.findings.page import Page
from emdiag.reports.packing import packed
from emdiag.reports.pictures import inline_svg
from emdiag.reports.wording import (
    TONE_SIGNS,
    is_stacked,
    numeric_columns,
    with_figures,
    with_intervals,
)
from emdiag.resources import data_dir

_SCRIPTS: Final = ("report.js", "samples.js")


def render(page: Page) -> str:
    """The page as a whole HTML document; equal pages give equal documents.

    Raises:
        ValueError: A figure of the page is not well-formed.
    """
    folder = data_dir("reports")
    css = _asset(folder / "assets" / "report.css")
    book = page.context.samples
    names = _SCRIPTS[:1] if book is None else _SCRIPTS
    scripts = [_asset(folder / "assets" / name) for name in names]
    svgs = {
        (at, index): inline_svg(picture, prefix=f"p{at}-{index}-")
        for at, section in enumerate(page.sections)
        for index, picture in enumerate(section.pictures)
    }
    return (
        _environment(folder / "templates")
        .get_template("page.html.jinja")
        .render(
            page=page,
            anchors=_anchors([section.heading for section in page.sections]),
            cautions=tuple(dict.fromkeys((*page.cautions, *page.context.cautions))),
            css=css,
            csp=_policy(
                css=css,
                scripts=scripts,
                has_images=any("data:image/" in svg for svg in svgs.values()),
            ),
            scripts=scripts,
            svgs=svgs,
            samples=None if book is None else Markup(packed(book)),
        )
    )


def write_page(page: Page, path: Path) -> Path:
    """Write the page at `path`, whole or not at all.

    Raises:
        PlanError: It is not named as a page.
        StoreError: The file cannot be written; what was there before is kept.
    """
    path = page_path(path)
    content = render(page)
    with system_errors_as("cannot write the page", file=path):
        make_folder(path.parent)
        write_atomically(path, content.encode())
    return path


def _environment(templates: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters["with_figures"] = with_figures
    environment.filters["with_intervals"] = with_intervals
    environment.globals["numeric_columns"] = numeric_columns
    environment.globals["is_stacked"] = is_stacked
    environment.globals["signs"] = TONE_SIGNS
    return environment


def _finalize(value: object) -> object:
    """Whatever a template writes, with hidden characters named; our own markup is left alone."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _asset(file: Path) -> Markup:
    return Markup(file.read_text(encoding="utf-8").strip())


def _policy(*, css: str, scripts: list[Markup], has_images: bool) -> str:
    """What a browser may load and run: this style sheet, these scripts, and nothing else.

    Attributes named `style` are allowed, since every line of a figure has one.
    Source: W3C Content Security Policy Level 3.
    """
    style = _hash(css)
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(_hash(script) for script in scripts)}",
            f"style-src {style}",
            f"style-src-elem {style}",
            "style-src-attr 'unsafe-inline'",
            *(["img-src data:"] if has_images else []),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-src 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _anchors(headings: list[str]) -> list[str]:
    """A name for each section that stays the same while its heading does."""
    anchors: list[str] = []
    for heading in headings:
        slug = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "section"
        taken = sum(anchor == slug or anchor.startswith(f"{slug}--") for anchor in anchors)
        anchors.append(f"{slug}--{taken + 1}" if taken else slug)
    return [f"on-{anchor}" for anchor in anchors]
