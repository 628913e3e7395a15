from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import jinja2
import pytest
from msgspec import structs

from emdiag.core.errors import StoreError
from emdiag.core.grades import AnswerComparison, Reason, Verdict
from emdiag.core.marks import visible
from emdiag.core.page_samples import PageSamples, ShownColumn, ShownProblem, ShownSample
from emdiag.findings.page import Cell, Context, Fact, Page, Picture, Section, Statement, Table
from emdiag.reports import packing
from emdiag.reports.pictures import inline_svg
from emdiag.reports.render import _environment, render, write_page
from emdiag.reports.wording import is_stacked, numeric_columns, with_figures, with_intervals
from emdiag.resources import data_dir

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "</script><img src=x onerror=alert(1)><a href='javascript:alert(2)'>\u202egnp.exe\u202c\u0007"
)
SVG = """<?xml version="1.0" encoding="utf-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="72pt" height="36pt" viewBox="0 0 72 36"
 xmlns="http://www.w3.org/2000/svg" version="1.1" onload="alert(3)">
 <metadata><x>secret</x></metadata>
 <defs><style type="text/css">*{stroke-linejoin: round}</style><path id="m1" d="M 0 0"/></defs>
 <script>alert(4)</script>
 <g id="never_used"><use xlink:href="#m1" x="1"/><rect clip-path="url(#c1)" onclick="alert(5)"/></g>
 <a xlink:href="https://example.org/"><text>away</text></a>
 <text style="fill: #262626">0.5 &lt; x</text>
 <defs><clipPath id="c1"><rect width="1" height="1"/></clipPath></defs>
</svg>"""
PICTURE = Picture(name="curve", svg=SVG, caption="What to see.", alt='A line that "rises"')
TABLE = Table(
    title="Accuracy, %",
    columns=("checkpoint", "avg@8", "verdict"),
    rows=(
        (Cell(text="base"), Cell(text="55.1 [50.2, 60.3]"), Cell(text="-")),
        (Cell(text="em"), Cell(text="68.2 [63.0, 73.3]", tone="better", hint="paired by problem"),
         Cell(text="better", tone="better")),
    ),
    note="Intervals resample problems.",
)  # fmt: skip


def a_book(text: str = r"So $x^2$ is \boxed{4}.") -> PageSamples:
    problem = ShownProblem(
        id="chain/0001", benchmark="chain", statement="Compute $3+1$.", answer="4",
        group="4 digits", tags=(),
    )  # fmt: skip
    column = ShownColumn(label="em", title="em, T 0.6", benchmark="chain", run_key="chain-0123")
    sample = ShownSample(
        problem=0, column=0, sample_index=2, text=text, left_out=0, verdict=Verdict.WRONG,
        extracted="4", boxed=True, finish_reason="length", tokens=9,
        second_verdict=Verdict.CORRECT,
    )  # fmt: skip
    return PageSamples(
        problems=(problem,), columns=(column,), samples=(sample,), total=7,
        choice="one of each kind", most_characters=4000, graders=("math-verify/1", "published/1"),
    )  # fmt: skip


def a_page(words: str = "plain", *, book: PageSamples | None = None) -> Page:
    context = Context(
        asked=(Fact(name="temperature", value="0.6"), Fact(name="words", value=words)),
        commands=(f"emdiag eval base=lab # {words}",),
        provenance=(Fact(name="device", value=words),),
        cautions=("Two versions of torch were mixed.",),
        samples=book,
    )
    return Page(
        kind="evaluation",
        title=f"Title {words}",
        question=f"Question {words}?",
        answers=(
            Statement(words=f"EM gains +13.1 points [8.9, 17.2]; {words}", tone="better"),
            Statement(words="RL is not told apart.", tone="undecided"),
        ),
        sections=(
            Section(heading=f"Accuracy {words}", words=(words,), pictures=(PICTURE, PICTURE)),
            Section(heading="Table", tables=(TABLE,)),
            Section(heading="Table", tables=(TABLE,), is_detail=True),
        ),
        cautions=(f"3.1 % were cut off; {words}", "Two versions of torch were mixed."),
        context=context,
    )


class Reader(HTMLParser):
    """What a browser would make of a document: elements, attributes, and text by element."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def values(self, *names: str) -> list[str]:
        return [value or "" for _, attributes in self.elements
                for name, value in attributes.items() if name in names]  # fmt: skip

    def inside(self, tag: str) -> list[str]:
        return [text for where, text in self.texts if where == tag]


def policy(document: str) -> str:
    return next(
        attributes["content"] or ""
        for tag, attributes in Reader(document).elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )


def test_a_page_holds_every_part_in_the_order_a_reader_asks_for_them() -> None:
    document = render(a_page(book=a_book()))

    parts = [
        "Question plain?", "temperature", "EM gains", '<section id="on-acc', "<svg", "<figcaption",
        '55.1 <span class="interval">[50.2, 60.3]', "Intervals resample problems.",
        'id="distrust"', "were cut off", "1 of 7 samples: one of each kind.", 'id="recreate"',
        "emdiag eval base=lab", "device",
    ]  # fmt: skip
    places = [document.index(part, document.index('<header class="top">')) for part in parts]
    assert places == sorted(places)


def test_equal_pages_give_equal_bytes() -> None:
    assert render(a_page(book=a_book())) == render(a_page(book=a_book()))


def test_a_caution_that_two_sources_give_is_shown_once() -> None:
    assert render(a_page()).count("Two versions of torch were mixed.") == 1


def test_a_page_without_samples_carries_no_browser() -> None:
    document = render(a_page())

    assert "samples-data" not in document
    assert len(re.findall("<script", document)) == 1


@pytest.mark.parametrize("book", [None, a_book()])
def test_the_policy_names_the_hash_of_each_script_and_style_and_allows_no_other(
    book: PageSamples | None,
) -> None:
    document = render(a_page(book=book))
    blocks = {
        "script-src": re.findall(r"<script>(.*?)</script>", document, re.DOTALL),
        "style-src-elem": re.findall(r"<style>(.*?)</style>", document, re.DOTALL),
    }
    rules = dict(rule.split(" ", 1) for rule in policy(document).split("; "))

    assert rules["default-src"] == "'none'"
    for name, contents in blocks.items():
        hashes = [
            base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            for content in contents
        ]
        assert rules[name].split() == [f"'sha256-{found}'" for found in hashes]
    for name in ("base-uri", "form-action", "frame-src"):
        assert rules[name] == "'none'"
    assert "img-src" not in rules
    assert "unsafe-inline" not in rules["script-src"] + rules["style-src-elem"]


def test_images_inside_figures_are_allowed_only_where_there_are_some() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/png;base64,AA"/></svg>'
    page = a_page()
    heat = replace(page.sections[0], pictures=(replace(PICTURE, svg=svg),))

    assert "img-src data:;" in policy(render(replace(page, sections=(heat,))))


def test_nothing_on_a_page_points_outside_it() -> None:
    reader = Reader(render(a_page(HOSTILE, book=a_book(HOSTILE))))

    for target in reader.values("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
        assert target.startswith("#")


def test_hostile_words_are_shown_as_words_everywhere() -> None:
    plain, hostile = (
        Reader(render(a_page(words, book=a_book(words)))) for words in ("plain", HOSTILE)
    )

    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert not [name for _, names in hostile.elements for name in names if name.startswith("on")]
    assert any("<img src=x onerror=alert(1)>" in text for text in hostile.inside("p"))


def test_marks_that_hide_or_reorder_text_are_named() -> None:
    document = render(a_page(HOSTILE))

    assert "[U+202E]gnp.exe[U+202C][U+0007]" in document
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u0007]", document)
    assert visible("a\tb\nc é 数 \N{HEBREW LETTER ALEF}") == "a\tb\nc é 数 \N{HEBREW LETTER ALEF}"


def test_ids_are_unique_even_where_headings_and_figures_repeat() -> None:
    ids = Reader(render(a_page(book=a_book()))).values("id")

    assert len(ids) == len(set(ids))


def test_every_link_and_pointer_has_its_target() -> None:
    document = render(a_page(book=a_book()))
    reader = Reader(document)
    ids = set(reader.values("id"))

    assert {target[1:] for target in reader.values("href")} <= ids
    assert set(re.findall(r"url\(#([^)]*)\)", document)) <= ids
    assert set(reader.values("aria-labelledby")) <= ids


def test_a_template_that_names_what_is_not_there_fails() -> None:
    environment = _environment(data_dir("reports") / "templates")

    with pytest.raises(jinja2.UndefinedError):
        environment.from_string("{{ page.answer }}").render(page=a_page())


def test_a_figure_keeps_its_drawing_and_nothing_that_acts() -> None:
    svg = inline_svg(PICTURE, prefix="p1-")

    assert 'id="p1-m1"' in svg
    assert 'href="#p1-m1"' in svg
    assert 'clip-path="url(#p1-c1)"' in svg
    assert 'aria-label="A line that &quot;rises&quot;"' in svg
    assert "0.5 &lt; x" in svg
    for gone in ("script", "<style", "metadata", "alert", "example.org", "xml", "never_used"):
        assert gone not in svg


def test_a_figure_that_is_cut_off_is_refused() -> None:
    with pytest.raises(ValueError, match="curve"):
        inline_svg(replace(PICTURE, svg=SVG[:200]), prefix="p")


def test_tones_are_told_by_sign_and_word_and_not_by_colour_alone() -> None:
    document = render(a_page())

    for sign, word in (("\u25b2", "better"), ("\u25c7", "undecided")):
        assert f'<span class="sign" aria-hidden="true">{sign}</span>' in document
        assert f'<span class="hidden">{word}: </span>' in document


def test_a_number_stays_on_one_line_with_its_interval() -> None:
    set_in_type = with_figures("gains +13.1 points [8.9, 17.2] <here> by `a <b>`")

    assert set_in_type == (
        'gains <span class="figure"><b>+13.1\u00a0points</b> [8.9, 17.2]</span> &lt;here&gt; '
        "by <code>a &lt;b&gt;</code>"
    )


def test_columns_of_numbers_are_aligned_and_columns_of_words_are_not() -> None:
    assert numeric_columns(TABLE) == (False, True, False)


def test_an_interval_stands_below_its_number_where_many_stand_side_by_side() -> None:
    wide = replace(
        TABLE,
        columns=("a", *"bcde"),
        rows=((Cell(text="em"), *[Cell(text="1 [0, 2] \u2191")] * 4),),
    )

    assert with_intervals("1 [0, 2] \u2191") == '1 \u2191 <span class="interval">[0, 2]</span>'
    assert (is_stacked(TABLE), is_stacked(wide)) == (False, True)


def test_samples_survive_the_way_into_the_page() -> None:
    text = HOSTILE + "&amp; \u2028 \\ \" ' <!-- ]]> "
    document = render(a_page(book=a_book(text)))
    found = re.search(
        r'<script type="application/json" id="samples-data">(.*?)</script>', document, re.DOTALL
    )

    assert found is not None
    assert not set("<>&\u2028\u2029") & set(found[1])
    content = json.loads(found[1])
    assert content["samples"] == [[0, 0, 2, text, 0, 1, "4", 1, 1, 9, 0, None]]
    assert content["problems"][0][:4] == ["chain/0001", "chain", "Compute $3+1$.", "4"]
    assert "$3+1$" in content["formulas"]


def test_the_reason_of_a_verdict_is_on_the_page_once_for_all_samples_that_share_it() -> None:
    book = a_book()
    step = AnswerComparison(gold="5", answer=HOSTILE, rule="the numbers differ", holds=False)
    why = Reason(rule=step.rule, found_by="box", span=(9, 10), comparisons=(step,))
    samples = tuple(structs.replace(sample, why=why) for sample in book.samples * 2)
    document = packing.packed(structs.replace(book, samples=samples))
    assert not set("<>&") & set(document)
    content = json.loads(document)
    assert [row[-1] for row in content["samples"]] == [0, 0]
    (words,) = content["reasons"]
    assert words.startswith(f"rule: the numbers differ; read as 5 (gold) against {HOSTILE};")
    assert words.endswith("from the last box, characters 10 to 10")


def test_two_runs_of_the_same_title_can_still_be_told_apart() -> None:
    book = a_book()
    columns = (book.columns[0], replace_column(book.columns[0], run_key="chain-9999"))
    content = json.loads(packing.packed(with_columns(book, columns)))

    assert [row[0] for row in content["columns"]] == [
        "em, T 0.6 (chain-0123)", "em, T 0.6 (chain-9999)",
    ]  # fmt: skip


def replace_column(column: ShownColumn, *, run_key: str) -> ShownColumn:
    return ShownColumn(
        label=column.label, title=column.title, benchmark=column.benchmark, run_key=run_key
    )


def with_columns(book: PageSamples, columns: tuple[ShownColumn, ...]) -> PageSamples:
    return PageSamples(
        problems=book.problems, columns=columns, samples=book.samples, total=book.total,
        choice=book.choice, most_characters=book.most_characters, graders=book.graders,
    )  # fmt: skip


def test_a_page_that_cannot_be_written_says_where_and_keeps_the_old_one(tmp_path: Path) -> None:
    path = write_page(a_page(), tmp_path / "new" / "page.html")
    before = path.read_bytes()

    with pytest.raises(StoreError, match="cannot write"):
        write_page(a_page(), path / "below.html")
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]


def colours() -> dict[str, tuple[str, str]]:
    css = (data_dir("reports") / "assets" / "report.css").read_text(encoding="utf-8")
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", css)
    return {name: (light, dark) for name, light, dark in pairs}


def luminance(colour: str) -> float:
    """Source: WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_are_readable_on_every_ground_in_both_schemes(scheme: int) -> None:
    found = {name: pair[scheme] for name, pair in colours().items()}
    grounds = ("paper", "panel", "raised")
    inks = ("ink", "quiet", "link", "better", "worse", "undecided", "mark")

    faults = [
        (ink, ground)
        for ink in inks
        for ground in grounds
        if contrast(found[ink], found[ground]) < 4.5
    ]
    assert faults == []
    assert contrast(found["chosen-ink"], found["chosen"]) >= 4.5
    assert min(contrast(found["edge"], found[ground]) for ground in grounds) >= 3.0


def test_the_contrast_of_a_known_pair_is_right() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
