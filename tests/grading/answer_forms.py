"""Right answers around real golds, in the forms that models write them."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emdiag.core.grades import Gold

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
_FRACTION = re.compile(r"(-?)\\[dt]?frac\{?(\d+)\}?\{?(\d+)\}?")


def answer_forms(gold: Gold) -> Iterator[tuple[str, str]]:
    """Name and completion of each form that this gold has a place for."""
    text = gold.answer.strip()
    text = (
        text[1:-1]
        if len(text) > 1 and text[0] == text[-1] == "$" and "$" not in text[1:-1]
        else text
    )
    for name, form in FORMS.items():
        completion = form(text, gold)
        if completion is not None:
            yield name, completion


def _box(inside: str) -> str:
    return f"Adding it all up we get $\\boxed{{{inside}}}$."


def _number(text: str, gold: Gold) -> str | None:
    return text if _NUMBER.fullmatch(text) and gold.unit is None else None


def _unit(unit: str) -> Callable[[str, Gold], str | None]:
    return lambda text, gold: _box(f"{text}{unit}") if _number(text, gold) else None


def _formula(text: str) -> str | None:
    """The gold where it can stand between dollar signs as it is."""
    return (
        None
        if "$" in text or (re.search(r"[A-Za-z]{5,}(?![a-z]*\{)", text) and "\\" not in text)
        else text
    )


def _around(before: str, after: str) -> Callable[[str, Gold], str | None]:
    return lambda text, gold: f"{before}{text}{after}" if _formula(text) else None


def _rounded(text: str, gold: Gold) -> str | None:
    found = _FRACTION.fullmatch(text)
    if found is None or int(found[3]) == 0 or gold.unit:
        return None
    value = Fraction(int(found[2]), int(found[3])) * (-1 if found[1] else 1)
    return _box(rf"{text} \ (\approx {float(value):.2f})")


def _rounded_root(text: str, gold: Gold) -> str | None:
    found = re.fullmatch(r"(\d*)\s*\\sqrt\{(\d+)\}", text)
    if found is None:
        return None
    size = int(found[1] or 1) * int(found[2]) ** 0.5
    return _box(rf"{text} \approx {size:.2f}")


def _language(before: str, after: str) -> Callable[[str, Gold], str | None]:
    def form(text: str, _: Gold) -> str | None:
        return f"{before}${text}${after}" if _formula(text) else None

    return form


FORMS: dict[str, Callable[[str, Gold], str | None]] = {
    "plain box": _around("So it is $\\boxed{", "}$."),
    "simple unit": _unit(r" \text{ cm}"),
    "compound unit in one mathrm": _unit(r"\,\mathrm{kg\,m/s^2}"),
    "compound unit with powers": _unit(r"\ \mathrm{J\,K^{-1}\,mol^{-1}}"),
    "unit in words": _unit(r" \text{ square meters}"),
    "bold": _around("So it is $\\boxed{\\mathbf{", "}}$."),
    "rounded value behind a fraction": _rounded,
    "rounded value behind a root": _rounded_root,
    "condition behind": _around("So it is $\\boxed{", " \\text{ (since } t>0)}$."),
    "condition for all": _around(
        "So it is $\\boxed{", " \\quad \\text{for all } t\\in\\mathbb{R}}$."
    ),
    "sentence in the box": lambda text, gold: (
        _box(rf"\text{{The value we are looking for is }} {text}") if _number(text, gold) else None
    ),
    "announced sentence": _language("Final Answer: The value we were asked for is ", "."),
    "announcement": _language("Some work.\n\nThe final answer is: ", ""),
    "display lines": _around("Some work, $1+1=2$.\n\n**Final Answer:**\n\\[\n", "\n\\]"),
    "dollar display lines": _around("Some work.\n\nThe answer is:\n$$\n", "\n$$\n"),
    "control space": _around("Therefore \\[\\boxed{\\ ", "\\ }\\]"),
    "environment": _around("\\[\\boxed{\\begin{aligned} ", " \\end{aligned}}\\]"),
    "special token": _language("The answer is ", "<|im_end|>"),
    "end of sentence token": _language("The answer is ", ".</s>"),
    "markdown": _language("### Final Answer\n**", "**"),
    "mark": _around("So it is $\\boxed{", " \\;\\checkmark}$ \\(\\blacksquare\\)"),
    "behind thinking": _around("<think>\nIs it \\boxed{12345}?\n</think>\n\nIt is \\boxed{", "}."),
    "next question": _around("It is \\boxed{", "}.\n\nQuestion: What is 2+2?\nAnswer: \\boxed{4}"),
    "German": _language("Wir rechnen.\nDie Antwort lautet ", "."),
    "French": _language("On calcule.\nLa r\u00e9ponse finale est ", "."),
    "Spanish": _language("Calculamos.\nLa respuesta final es ", "."),
    "Chinese": _language("\u7efc\u4e0a\u6240\u8ff0\uff0c\u6700\u7ec8\u7b54\u6848\u4e3a ", "\u3002"),
    "named": lambda text, gold: _box(f"S = {text}") if _number(text, gold) else None,
    "currency": lambda text, gold: _box(rf"\${text}") if _number(text, gold) else None,
}
