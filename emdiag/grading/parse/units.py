r"""Units and words around a value, told apart from variables that look like them.

A unit is what stands in `\text{}` behind a value, or a unit's plain name. A single plain letter
is a unit only behind a space, and only where the gold has no letters: `5m` may be five times m.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_GROUPS = {
    "m": "m meter meters metre metres", "cm": "cm centimeter centimeters centimetre centimetres",
    "mm": "mm millimeter millimeters", "km": "km kilometer kilometers kilometre kilometres",
    "nm": "nm nanometer nanometers", "in": "in inch inches", "ft": "ft foot feet",
    "yd": "yd yard yards", "mi": "mi mile miles", "g": "g gram grams gm",
    "kg": "kg kilogram kilograms kilo kilos", "mg": "mg milligram milligrams",
    "lb": "lb lbs pound pounds", "oz": "oz ounce ounces", "ton": "ton tons tonne tonnes",
    "s": "s sec secs second seconds", "min": "min mins minute minutes", "h": "h hr hrs hour hours",
    "day": "day days", "week": "week weeks", "month": "month months", "year": "year years yr yrs",
    "L": "L l liter liters litre litres", "mL": "mL ml milliliter milliliters",
    "gal": "gallon gallons gal", "quart": "quart quarts", "cup": "cup cups",
    "rad": "rad radian radians", "dollar": "dollar dollars USD bucks", "cent": "cent cents",
    "euro": "euro euros EUR", "mph": "mph", "J": "J joule joules", "kJ": "kJ",
    "N": "N newton newtons",
    "W": "W watt watts", "kW": "kW", "Hz": "Hz hertz", "kHz": "kHz", "MHz": "MHz",
    "Pa": "Pa pascals",
    "K": "K kelvin kelvins", "eV": "eV", "keV": "keV", "MeV": "MeV", "V": "V volt volts",
    "A": "A amp amps ampere amperes", "C": "C coulomb coulombs", "mol": "mol mole moles",
    "erg": "erg ergs", "AU": "AU", "pc": "pc parsec parsecs", "ly": "ly", "atm": "atm",
    "bar": "bar",
    "T": "T tesla", "ohm": "ohm ohms", "arcsec": "arcsec arcseconds", "kph": "kph kmh",
}  # fmt: skip
UNITS = {name: unit for unit, names in _GROUPS.items() for name in names.split()}
_PLAIN = sorted((name for name in UNITS if len(name) > 1), key=len, reverse=True)
_SINGLE = sorted(name for name in UNITS if len(name) == 1)
_POWER = r"(?:\s*\^\s*\{?\s*-?\d\s*\}?)?"
_ATOM = rf"(?:\\text\{{[^{{}}]*\}}|(?<![A-Za-z\\])(?:{'|'.join(_PLAIN)})(?![A-Za-z])){_POWER}"
_LINK = r"(?:\s|/|\\cdot\s|\bper\b)*"
_FRACTION = r"\\frac\s*\{\s*\\text\{[^{}]*\}\s*\}\s*\{\s*\\text\{[^{}]*\}" + _POWER + r"\s*\}"
_SINGLES = rf"(?<=[\d}}) ])\s(?:{'|'.join(_SINGLE)}){_POWER}(?![A-Za-z])"
_TEXT_TAIL = re.compile(rf"((?:{_LINK}(?:\\text\{{[^{{}}]*\}}{_POWER}|{_FRACTION}))+)\s*$")
_LOOSE_TAIL = re.compile(
    rf"((?:{_LINK}(?:{_ATOM}|{_FRACTION})|{_SINGLES}|/\s?(?:{'|'.join(_SINGLE)}){_POWER}(?![A-Za-z]))+)\s*$"
)
_WORD_TAIL = re.compile(r"(?<=[\d})%\s])\s*([A-Za-z][A-Za-z']+(?:[\s-]+[A-Za-z'/]+){0,5})$")
_REMARK = re.compile(r"\s\(\s*(?:\\text\{[^{}]*\}|[A-Za-z][A-Za-z' ]{2,})\s*\)$")
_LEAD_WORDS = (
    "about|approximately|approx|around|roughly|exactly|answer|final|the|is|a|total|of|equals|equal|to"
    "|it|there|are|we|get|therefore|thus|so|hence|value|result|be|length|area|volume|sum|USD|Rs"
)
_LEAD = re.compile(
    rf"^(?:(?:(?:{_LEAD_WORDS})(?![A-Za-z])|\\text\{{[^{{}}]*[:=]\s*\}}|\\text\{{(?:(?:{_LEAD_WORDS})\s*)+\}}|\\approx)[\s:]*)+(?=[^\s])",
    re.IGNORECASE,
)
_MULTIPLIERS = {
    "hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12,
}  # fmt: skip
_ATOMS = re.compile(
    r"(/|\bper\b)?\s*(?:\\cdot)?\s*(?:\\text\{([^{}]*)\}|([A-Za-z]+))(?:\s*\^\s*\{?\s*(-?\d)\s*\}?)?"
)


class ValueWithUnit(NamedTuple):
    """A value without what stands around it.

    Attributes:
        value: The value's own text.
        unit: Unit in one spelling, such as `cm^2` or `g m^-3`; None without a known one.
        power: Power of ten that a word such as `million` stands for.
    """

    value: str
    unit: str | None
    power: int = 0


def measure(text: str, *, loose: bool) -> ValueWithUnit:
    """`text` without unit and words; `loose` also takes plain words and letters for units."""
    if text.startswith((r"\$", r"-\$")):
        priced = measure(text.replace(r"\$", "", 1).strip(), loose=loose)
        return priced._replace(unit="dollar^1")
    if text.endswith(r"\$"):
        return ValueWithUnit(text[:-2].strip(), "dollar^1")
    if loose:
        text = re.sub(r"(?<=[a-z])\.(?=\s|$)", "", _LEAD.sub("", text))
        text = re.sub(r"^(?:minus|negative)\s+(?=[\d\\.])", "-", text)
        if text.startswith((r"\$", r"-\$")):
            return measure(text, loose=loose)
    text = _REMARK.sub("", text)
    match = (_LOOSE_TAIL if loose else _TEXT_TAIL).search(text)
    if match is not None and _can_be_value(text[: match.start()]):
        return _measured(text[: match.start()].strip(), match[1])
    if loose:
        words = _WORD_TAIL.search(text)
        if words is not None and re.search(r"\d", text[: words.start()]):
            return _measured(text[: words.start()].strip(), words[1])
    return ValueWithUnit(text, None)


def unit_name(text: str) -> str | None:
    """One spelling of a unit in words, symbols or LaTeX; None if it is not known."""
    powers: dict[str, int] = {}
    text = text.replace(r"\degree", r"\text{degree}").replace("$", "")
    text = re.sub(r"\\frac\s*\{(.*?)\}\s*\{(\s*\\text\{.*)\}", r"\1/\2", text)
    text = re.sub(r"\\text\{([^{}]*)\}", lambda match: rf" {match[1].replace('.', '')} ", text)
    factor = sign = 1
    for divided, _, word, power in _ATOMS.findall(text):
        sign = -1 if divided else sign
        if word in {"square", "sq", "cubic", "cu", "squared", "cubed"}:
            factor = 2 if word.startswith("sq") else 3
            last = next(reversed(powers), None)
            if word.endswith("ed") and last:
                powers[last] *= factor
                factor = 1
            continue
        unit = {"degree": "degree", "degrees": "degree"}.get(word) or UNITS.get(word)
        unit = unit or UNITS.get(word.lower())
        if unit is None:
            return None
        powers[unit] = powers.get(unit, 0) + sign * factor * int(power or 1)
        factor = 1
    return " ".join(f"{unit}^{power}" for unit, power in sorted(powers.items())) or None


def _measured(value: str, tail: str) -> ValueWithUnit:
    plain = re.sub(r"\\text\{([^{}]*)\}", r"\1", tail)
    words = plain.split()
    if words and words[0].lower() in _MULTIPLIERS:
        rest = " ".join(words[1:])
        return ValueWithUnit(value, unit_name(rest), _MULTIPLIERS[words[0].lower()])
    if words and words[0].lower() in {"dozen", "times", "more", "less", "plus", "minus", "base"}:
        return ValueWithUnit(f"{value} {tail.strip()}", None)
    return ValueWithUnit(value, unit_name(tail))


def _can_be_value(text: str) -> bool:
    text = text.rstrip()
    return bool(text) and bool(re.search(r"[\dA-Za-z})\]|!%]$", text)) and not text.endswith("text")
