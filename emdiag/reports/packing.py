"""Samples and their formulas as data inside a page: text that no browser takes for markup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from emdiag.core import marks
from emdiag.core.grades import Verdict
from emdiag.core.page_samples import PageSamples
from emdiag.findings.verdicts import why_words
from emdiag.reports import formulas

_VERDICTS: Final = tuple(Verdict)
_ESCAPES: Final = {
    "<": r"\u003c",
    ">": r"\u003e",
    "&": r"\u0026",
    "\u2028": r"\u2028",
    "\u2029": r"\u2029",
}


def packed(samples: PageSamples) -> str:
    """JSON for a `script` element that the page reads; see `reports/assets/samples.js`."""
    titles = Counter((row.benchmark, row.title) for row in samples.columns)
    shown = (
        raw
        for row in samples.problems
        for raw in (*formulas.find_formulas(row.statement), *_as_formula(row.answer))
    )
    texts = (text for row in samples.samples for text in (*_as_formula(row.extracted), row.text))
    reasons = {
        why: place
        for place, why in enumerate(
            dict.fromkeys(why_words(row.why) for row in samples.samples if row.why)
        )
    }
    content = {
        "reasons": list(reasons),
        "marks": marks.PATTERN,
        "pattern": formulas.PATTERN,
        "formulas": formulas.formula_trees(texts, first=shown),
        "verdicts": [str(verdict) for verdict in _VERDICTS],
        "graders": samples.graders,
        "problems": [
            (row.id, row.benchmark, row.statement, row.answer, row.group, row.tags)
            for row in samples.problems
        ],
        "columns": [
            (
                # one title of several runs of a benchmark carries the run's key
                row.title + f" ({row.run_key[:12]})" * (titles[row.benchmark, row.title] > 1),
                row.label,
                row.benchmark,
                row.run_key,
            )
            for row in samples.columns
        ],
        "samples": [
            (
                row.problem,
                row.column,
                row.sample_index,
                row.text,
                row.left_out,
                _place(row.verdict),
                row.extracted,
                int(row.boxed),
                int(row.finish_reason == "length"),
                row.tokens,
                _place(row.second_verdict),
                reasons[why_words(row.why)] if row.why else None,
            )
            for row in samples.samples
        ],
        "thinking": dict(_thinking(samples)),
    }
    return escaped(msgspec.json.encode(content).decode())


def _thinking(samples: PageSamples) -> Iterator[tuple[int, tuple[int | None, int | None]]]:
    """By the place of a sample, where its thinking ends and the tokens of it, where any is."""
    for place, row in enumerate(samples.samples):
        if row.thinking != 0 or row.reasoning_tokens is not None:
            end = None if row.thinking is None else _units(row.text[: row.thinking])
            yield place, (end, row.reasoning_tokens)


def _units(text: str) -> int:
    """Its length as a browser counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _place(verdict: Verdict | None) -> int | None:
    return None if verdict is None else _VERDICTS.index(verdict)


def escaped(json: str) -> str:
    """The same JSON without any character that could end the element it stands in."""
    for character, written in _ESCAPES.items():
        json = json.replace(character, written)
    return json


def _as_formula(answer: str | None) -> Iterator[str]:
    """An answer in LaTeX, enclosed as the page looks it up; nothing for plain words."""
    if answer and any(sign in answer for sign in r"\^_"):
        yield rf"\({answer}\)"
