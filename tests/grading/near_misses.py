"""Near misses of real golds, drawn by kind: no one of them is the gold, and each looks like it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from emdiag.core.grades import Gold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

_NUMBER = r"-?\d+"
_EXACT = "exact"


def real_golds(folder: Path) -> dict[str, list[Gold]]:
    """The golds of five benchmarks, as their problems hold them."""
    return {
        "math500": [Gold(answer=str(row["answer"])) for row in _rows(folder, "math500")],
        "minerva_math": [
            Gold(answer=_last_box(str(row["solution"])), tolerance="significant-digits")
            for row in _rows(folder, "minerva_math")
        ],
        "olympiadbench": [_olympiad(row) for row in _rows(folder, "olympiadbench")],
        "amc23": [Gold(answer=str(row["answer"])) for row in _rows(folder, "amc23")],
        "gsm8k": [
            Gold(answer=str(row["answer"]).rpartition("####")[2].strip())
            for row in _rows(folder, "gsm8k")
        ],
    }


def _rows(folder: Path, name: str) -> list[dict[str, object]]:
    text = (folder / name / "test.jsonl").read_text(encoding="utf-8")
    return [json.loads(line, parse_float=str) for line in text.splitlines()]


def _last_box(solution: str) -> str:
    start = solution.rindex(r"\boxed{") + len(r"\boxed{")
    depth = 1
    for at in range(start, len(solution)):
        depth += {"{": 1, "}": -1}.get(solution[at], 0)
        if depth == 0:
            return solution[start:at]
    raise AssertionError(solution[-80:])


def _olympiad(row: dict[str, object]) -> Gold:
    answers = row["final_answer"]
    assert isinstance(answers, list)
    return Gold(
        answer=str(answers[0]).strip("$ "),
        answer_type="list" if row["is_multiple_answer"] else "unknown",
        unit=str(row["unit"]) if row["unit"] else None,
        error=str(row["error"]) if row["error"] else None,
    )


def near_misses(gold: Gold, random: Random) -> Iterator[tuple[str, str]]:
    """Kind and text of each near miss that this gold has a place for."""
    text = gold.answer.strip("$ ")
    for kind, change in CHANGES.items():
        if kind in _OF_EXACT_GOLDS and gold.tolerance != _EXACT:
            continue
        missed = change(text, random)
        if missed is not None and missed != text:
            yield kind, missed


def _value(text: str) -> int | None:
    return int(text.replace(",", "")) if re.fullmatch(r"-?\d[\d,]*", text) else None


def _power_of_itself(text: str, random: Random) -> str | None:
    n = _value(text)
    return None if n is None else f"{n}+10^{{-{random.randint(36, 300)}}}"


def _huge_beside(text: str, random: Random) -> str | None:
    n = _value(text)
    power = random.randint(40, 90)
    return None if n is None else f"\\frac{{{n} \\cdot 10^{{{power}}}+1}}{{10^{{{power}}}}}"


def _irrational_beside(text: str, random: Random) -> str | None:
    if not re.search(r"\\sqrt|\\pi", text) or re.search(r"[,;]|\\pm|\\cup", text):
        return None
    return f"{text} + 10^{{-{random.randint(36, 200)}}}"


def _exponent(text: str, random: Random) -> str | None:
    places = list(re.finditer(r"(\^\s*\{?)(\d+)", text))
    if not places:
        return None
    place = random.choice(places)
    number = int(place[2]) + random.choice([1, 2])
    braces = place[1] if place[1].endswith("{") or number < 10 else f"{place[1]}{{"
    closing = "" if braces == place[1] else "}"
    return f"{text[: place.start()]}{braces}{number}{closing}{text[place.end() :]}"


def _sign(text: str, random: Random) -> str | None:
    places = [m.start() for m in re.finditer(r"(?<=[\w})\s])[+-](?=\s*[\\\w(])", text)]
    if not places:
        return f"-({text})" if _value(text) else None
    if r"\pm" in text:
        return None
    at = random.choice(places)
    return text[:at] + ("-" if text[at] == "+" else "+") + text[at + 1 :]


def _swapped(text: str, random: Random) -> str | None:
    found = re.fullmatch(r"(\\left)?\(([^()]*)\\?(?:right)?\)", text)
    parts = found[2].removesuffix("\\right").split(",") if found else []
    stripped = [part.strip() for part in parts]
    if len(parts) < 2 or len(set(stripped)) < len(parts):
        return None
    first, second = random.sample(range(len(parts)), 2)
    stripped[first], stripped[second] = stripped[second], stripped[first]
    return f"({', '.join(stripped)})"


def _named_in_another_order(text: str, random: Random) -> str | None:
    found = re.fullmatch(r"\(([^(),\\]*),([^(),\\]*)\)", text)
    if found is None or found[1].strip() == found[2].strip():
        return None
    return f"y={found[1].strip()}, x={found[2].strip()}"


def _bracket(text: str, random: Random) -> str | None:
    places = [at for at, char in enumerate(text) if char in "()[]"]
    interval = re.search(r"\\infty|\\cup|\\in|\[", text) and "," in text
    if not interval or not places:
        return None
    at = random.choice(places)
    other = {"(": "[", "[": "(", ")": "]", "]": ")"}[text[at]]
    return text[:at] + other + text[at + 1 :]


def _interval_for_list(text: str, random: Random) -> str | None:
    found = re.fullmatch(rf"({_NUMBER})\s*,\s*({_NUMBER})", text)
    if found is None or found[1] == found[2]:
        return None
    low, high = sorted((int(found[1]), int(found[2])))
    return random.choice([f"{low}<x<{high}", rf"x\in({low},{high})", rf"{low}\le x\le {high}"])


def _half_an_equation(text: str, random: Random) -> str | None:
    if text.count("=") != 1:
        n = _value(text)
        letter = random.choice("xyn")
        return None if n is None else random.choice([f"2{letter}={n}", f"{letter}+1={n}"])
    left, right = (side.strip() for side in text.split("="))
    if re.fullmatch(r"[A-Za-z]\w*(?:_\{.*\})?(?:\([a-z]\))?|\\?[a-z]+", left):
        return left if re.search(r"\d|[a-z]", right) else None
    return random.choice([left, right])


def _absolute(text: str, random: Random) -> str | None:
    letters = re.sub(r"\\[a-zA-Z]+|\{|\}", "", text)
    n = _value(text)
    if n is not None:
        return None
    if not re.search("[a-z]", letters) or re.search(r"[=,<>]|text|frac|lfloor|lceil|\^|np", text):
        return None
    return f"|{text}|"


def _bound(text: str, random: Random) -> str | None:
    if _value(text) is None:
        return None
    forms = (
        r"{n} \text{{ or fewer}}", r"\text{{at least }} {n}", r"{n} \text{{ or more}}",
        r"\text{{less than }} {n}", r"\text{{at most }} {n}", r"x > {n}", r"\text{{not }} {n}",
        r"{n} \text{{ and above}}", r"\text{{more than }} {n}", r"{n} \text{{ at most}}",
    )  # fmt: skip
    return random.choice(forms).format(n=text)


def _time(text: str, random: Random) -> str | None:
    n = _value(text)
    if n is None or not 1 <= n <= 12:
        return None
    return f"{n}:{random.randint(10, 59)}"


def _ratio(text: str, random: Random) -> str | None:
    found = re.fullmatch(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}", text)
    return f"{found[2]}:{found[1]}" if found and found[1] != found[2] else None


def _floor(text: str, random: Random) -> str | None:
    if "lfloor" in text:
        return text.replace("lfloor", "lceil").replace("rfloor", "rceil")
    if "lceil" in text:
        return text.replace("lceil", "lfloor").replace("rceil", "rfloor")
    n = _value(text)
    if n is None:
        letters = set(re.findall(r"[a-z]", re.sub(r"\\[a-z]+", "", text)))
        plain = letters and letters <= set("xy") and "=" not in text and "," not in text
        return rf"\lfloor {text} \rfloor" if plain else None
    return rf"\lfloor {n} + \frac{{{random.randint(9, 15)}}}{{8}} \rfloor"


def _names(text: str, random: Random) -> str | None:
    found = re.fullmatch(
        r"\$?([a-z]\([a-z]\))\s*=\s*([^=,$]*)\$?,\s*\$?([a-z]\([a-z]\))\s*=\s*([^=,$]*)\$?", text
    )
    if found is None or found[1] == found[3]:
        return None
    return f"{found[1]}={found[4]}, {found[3]}={found[2]}"


def _several_boxes(text: str, random: Random) -> str | None:
    n = _value(text)
    return None if n is None else f"{n + 1}}}$ or $\\boxed{{{n}"


def _modulus(text: str, random: Random) -> str | None:
    n = _value(text)
    return None if n is None or n < 0 else rf"{n + 7} \pmod{{7}}"


def _digit(text: str, random: Random) -> str | None:
    places = [m.start() for m in re.finditer(r"\d", text)]
    if not places or "text" in text:
        return None
    at = random.choice(places)
    return text[:at] + random.choice([d for d in "123456789" if d != text[at]]) + text[at + 1 :]


def _letters(text: str, random: Random) -> str | None:
    words = re.fullmatch(r"\\text\{([A-Za-z]{3,})\}", text)
    if words is None:
        return None
    letters = list(words[1])
    random.shuffle(letters)
    shuffled = "".join(letters)
    return rf"\text{{{shuffled}}}" if shuffled.lower() != words[1].lower() else None


CHANGES: dict[str, Callable[[str, Random], str | None]] = {
    "a tiny number added": _power_of_itself,
    "one unit in forty digits": _huge_beside,
    "a tiny number added to a root or pi": _irrational_beside,
    "an exponent off by one": _exponent,
    "one sign": _sign,
    "one digit": _digit,
    "coordinates in another order": _swapped,
    "named values in another order": _named_in_another_order,
    "one bracket": _bracket,
    "an interval for two values": _interval_for_list,
    "half an equation": _half_an_equation,
    "an absolute value": _absolute,
    "a bound": _bound,
    "a time of day": _time,
    "a ratio the other way round": _ratio,
    "floor and ceiling": _floor,
    "names swapped": _names,
    "several boxes": _several_boxes,
    "another residue": _modulus,
    "letters in another order": _letters,
}
_OF_EXACT_GOLDS = {
    "a tiny number added", "one unit in forty digits", "a tiny number added to a root or pi",
    "one digit", "floor and ceiling", "another residue",
}  # fmt: skip
"""Kinds that a tolerance of one per cent accepts by its own rule."""
