"""A page of which every text is hostile, as Chromium shows it: inert, and every text as it was."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from msgspec import structs

from emdiag.core.grades import Verdict
from emdiag.core.marks import PATTERN, visible
from emdiag.core.page_samples import PageSamples, ShownColumn, ShownProblem, ShownSample
from emdiag.findings.page import Cell, Context, Fact, Page, Picture, Section, Statement, Table
from emdiag.reports.render import write_page
from tests.reports.test_browser import SVG, browser, logged, requests, run

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver import Chrome

__all__ = ["browser"]

pytestmark = pytest.mark.browser

PAYLOADS = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror='window.hacked=2'>",
    "<svg onload='window.hacked=3'><style>*{display:none}</style></svg>",
    "<math><mtext><mglyph><style><!--</style><img title='--><img src=x onerror=hacked=4>'>",
    "<iframe srcdoc='<script>parent.hacked=5</script>'></iframe><object data='data:text/html,x'>",
    "<a href='javascript:window.hacked=6'>x</a><base href='https://example.org/'>",
    "<style>@import 'https://example.org/x.css'; body{background:url(https://example.org/y)}",
    "' onmouseover='window.hacked=7' x='\" onfocus=\"window.hacked=8\" autofocus tabindex=\"1",
    "{{ 7 * 7 }} {% raw %} ${window.hacked=9} <%= 7 %> #{7}",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    r"$\operatorname{<b>x</b>}$ $\href{javascript:window.hacked=10}{y}$ $\text{<img src=z>}$",
    r"$\begin{pmatrix}1&2&\end{pmatrix}$ $\phantom{\boxed{43}}$ \boxed{<i>4</i>}",
    "<!-- --> <![CDATA[ ]]> <?xml version='1.0'?> <!DOCTYPE html> &lt;b&gt; &#x3c;",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200b\ufeff \x1b[31m \x00\x07\x7f\x9b \u2028\u2029 end",
    "[U+202E] [U+001B] \u00ad \U000e0041",
    "</title></head><body onload='window.hacked=11'></textarea></select></noscript>",
    "*/ } </style> @charset <link rel=stylesheet href=//example.org/z.css>",
    '"},{"x": "\\u003cscript\\u003e" } ]]; window.hacked=12; //',
    "__proto__", "constructor",
)  # fmt: skip
LONG = ("{" * 100_000, "x" * 1_000_000, "$" + "\\frac{" * 5_000, "\u202e" * 20_000)
RAW = (
    "[...document.querySelectorAll('#browser button')]"
    ".find((button) => button.textContent === 'Raw text').click()"
)
ELEMENTS = (
    "script, img, a, iframe, object, embed, form, input, textarea, video, audio, link, meta, base,"
    "style, svg, title, mglyph, [onerror], [onload], [onclick], [onfocus], [onmouseover], [src],"
    "[srcdoc], [autofocus], [href^='javascript'], [style*='display']"
)


def page_of(payloads: tuple[str, ...]) -> Page:
    """A page with these texts in every place that text of others may come to."""
    words = " ".join(payloads)
    problems = tuple(
        ShownProblem(
            id=text, benchmark="chain", statement=text, answer=text[:200], group=text[:80],
            tags=(text[:80],),
        )
        for text in payloads
    )  # fmt: skip
    columns = tuple(
        ShownColumn(label=label, title=label, benchmark="chain", run_key=words[:64])
        for label in ("base", payloads[0])
    )
    samples = tuple(
        ShownSample(
            problem=at, column=column, sample_index=0, text=text, left_out=0,
            verdict=Verdict.CORRECT, extracted=text[:200], boxed=True, finish_reason="stop",
            tokens=2, second_verdict=None,
        )
        for at, text in enumerate(payloads)
        for column in range(2)
    )  # fmt: skip
    cells = tuple((Cell(text=text, hint=text, below=text), Cell(text="1")) for text in payloads)
    table = Table(title=words, columns=(words, "n"), rows=cells, note=words)
    section = Section(
        heading=words,
        words=payloads,
        tables=(table,),
        pictures=(Picture(name="wide", svg=SVG, caption=words, alt=words),),
    )
    return Page(
        kind="comparison", title=words, question=words,
        answers=tuple(Statement(words=text, tone="better") for text in payloads),
        sections=(section, Section(heading=words, words=payloads, is_detail=True)),
        cautions=payloads,
        context=Context(
            asked=tuple(Fact(name=text, value=text) for text in payloads), commands=payloads,
            samples=PageSamples(
                problems=problems, columns=columns, samples=samples, total=99, choice=words,
                most_characters=1_000_000, graders=(words,),
            ),
        ),
    )  # fmt: skip


def opened(browser: Chrome, page: Path, fragment: str = "") -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get("about:blank")
    browser.get(page.as_uri() + fragment)
    ready = "return document.getElementById('browser').dataset.ready === 'true'"
    WebDriverWait(browser, 60).until(lambda chrome: chrome.execute_script(ready))


def counted(browser: Chrome) -> Any:
    """How often each element that could do something is on the page."""
    script = (
        "const n = {}; for (const e of document.querySelectorAll(arguments[0]))"
        " n[e.tagName] = (n[e.tagName] || 0) + 1; return n"
    )
    return run(browser, script, ELEMENTS)


def test_every_text_of_a_page_is_inert_and_as_it_was(browser: Chrome, tmp_path: Path) -> None:
    logged(browser, "browser")
    logged(browser, "performance")
    plain = tuple(f"text-{at}" for at in range(len(PAYLOADS)))
    neutral = write_page(page_of(plain), tmp_path / "neutral.html")
    hostile = write_page(page_of(PAYLOADS), tmp_path / "hostile.html")
    opened(browser, neutral)
    expected = counted(browser)
    opened(browser, hostile)

    assert counted(browser) == expected
    content = re.sub(r"\s+", " ", str(run(browser, "return document.body.textContent")))
    for text in PAYLOADS:
        assert re.sub(r"\s+", " ", visible(text)) in content, text
    for text in PAYLOADS:
        opened(browser, hostile, f"#s={quote(text, safe='')}:0:base")
        run(browser, RAW)
        shown = run(browser, "return document.querySelector('.completion').textContent")
        assert shown == re.sub(PATTERN, lambda mark: f"U+{ord(mark[0]):04X}", text)
    assert counted(browser) == expected
    assert run(browser, "return window.hacked") is None
    assert logged(browser, "browser") == []
    pages = {neutral.as_uri(), hostile.as_uri(), "about:blank"}
    assert requests(browser) <= pages


def test_long_and_deep_texts_open(browser: Chrome, tmp_path: Path) -> None:
    logged(browser, "browser")
    logged(browser, "performance")
    page = page_of(PAYLOADS[:2])
    book = page.context.samples
    assert book is not None
    longest = tuple(
        structs.replace(sample, text=LONG[number]) for number, sample in enumerate(book.samples)
    )
    page = replace(
        page, context=replace(page.context, samples=structs.replace(book, samples=longest))
    )
    opened(browser, write_page(page, tmp_path / "long.html"))
    assert run(browser, "return document.querySelectorAll('.detail *').length") < 20_000
    assert logged(browser, "browser") == []
